"""How a scan becomes a network's input.

Turning, sizing and scaling of values happen before the differentiated function, so an attribution refers to the voxels
that the network saw; `Voxels.restore` brings maps of it back over the scan.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from wavelens.field_types import check_fields
from wavelens.frontends.joined import joined_groups
from wavelens.frontends.scans.stored import Array
from wavelens.frontends.volume import MILLIMETRES, Volume
from wavelens.grid import Grid, each_axis
from wavelens.models.preparations.series import channel_index
from wavelens.optional import optional
from wavelens.whole_numbers import is_whole

FITS = ("resize", "crop")
INTENSITIES = ("range", "standard")
LETTERS = "RLAPSI"
SLAB_LENGTH = 16  # slices that are prepared at a time


@dataclass(frozen=True)
class Voxels:
    """Makes a network's input `(1, *shape)` of a volume: turns it, brings it to size and scales its values.

    `shape` is (channel, *axes). `orientation` names the directions in which the axes shall grow, such as 'RAS' (to the
    right, the front and the head), reached by flips and swaps alone; None keeps the file's axes, and so does a volume
    that does not know its place. `fit='resize'` stretches each axis by linear interpolation, averaging where it
    shrinks; 'crop' cuts around the middle, or pads with zeros. `intensity` is a window (low, high) that becomes
    [0, 1], values beyond it clipped, or for each channel 'range', its own least and greatest value, or 'standard',
    mean 0 and deviation 1. `spacing` is how far apart, in mm, voxels lie in volumes that do not say it, as arrays.

    `channels` picks channels by their names, in the network's order, as `Traces` does; without it, and of volumes
    without names, they are taken as they are. With `resample` several files of one input may have different grids: the
    others are brought to that of the first.
    """

    shape: tuple[int, ...] = (1, 96, 96, 96)
    intensity: tuple[float, float] | str = "range"
    orientation: str | None = None
    fit: str = "resize"
    spacing: tuple[float, float, float] | None = None
    channels: tuple[str, ...] = ()
    resample: bool = False
    kind: ClassVar[str] = "volume"

    def __post_init__(self) -> None:
        check_fields(self)
        if len(self.shape) != 4 or not all(is_whole(n, 1) for n in self.shape):
            raise ValueError(f"shape must be (channel, *axes) with three axes; got {self.shape!r}.")
        if self.intensity not in INTENSITIES and not _is_window(self.intensity):
            raise ValueError(
                f"intensity must be a window (low, high) or one of {', '.join(INTENSITIES)}; got {self.intensity!r}."
            )
        if self.orientation is not None and not _is_orientation(self.orientation):
            raise ValueError(
                f"orientation must be a letter of R or L, of A or P and of S or I in some order, such as 'RAS'; got "
                f"{self.orientation!r}."
            )
        if self.fit not in FITS:
            raise ValueError(f"fit must be one of {', '.join(FITS)}; got {self.fit!r}.")
        if self.spacing is not None:
            Grid(self.spacing, ("mm",) * 3)
        if self.channels and len(self.channels) != self.shape[0]:
            raise ValueError(f"channels must name each of {self.shape[0]} channels; got {len(self.channels)}.")

    @property
    def takes_files(self) -> bool:
        """Whether files are opened for it otherwise than they are read: brought to one grid."""
        return self.resample

    def __call__(self, volume: Volume) -> Tensor:
        return self.placed(volume).data

    def grid(self, volume: Volume) -> Grid:
        """The voxels of the prepared input, in mm where the volume or `spacing` says how far apart they lie."""
        placed = replace(volume.holding(torch.zeros(1, 1, *self.shape[1:])), affine=self._affine(volume))
        if self.spacing is None:
            return placed.grid
        if volume.spacing is not None:
            raise ValueError(
                f"spacing is for volumes that do not say theirs; this one says {volume.spacing} mm. Leave it out."
            )
        spaced = replace(placed, affine=np.diag([*self.spacing, 1.0]) @ placed.affine, unit="mm").grid
        return replace(spaced, affine=None)  # how the patient lies is not said

    def spaced(self, spacing: Sequence[float], unit: str) -> Voxels:
        """The same for volumes that do not say how far apart their voxels lie, one number or three."""
        if unit not in MILLIMETRES:
            raise ValueError(f"the unit of a volume's spacing must be one of {', '.join(MILLIMETRES)}; got {unit!r}.")
        first, second, third = (step * MILLIMETRES[unit] for step in each_axis(spacing, 3))
        return replace(self, spacing=(first, second, third))

    def placed(self, volume: Volume) -> Volume:
        """The input as a volume that knows its own place."""
        if not isinstance(volume, Volume):
            raise TypeError(
                f"a scan must be a Volume, which knows its place; got {type(volume).__name__}. Wrap it in "
                "Volume(data, affine)."
            )
        data = self._picked(volume).permute(0, 1, *(2 + a for a in self._order(volume)))
        span, flipped = self._span(data), self._flipped(volume)
        *first, last = (self._matrix(n, m) for n, m in self._lengths(volume))
        slabs = data.split(SLAB_LENGTH, -1)  # so that the volume is never there twice
        sized = [_along(self._scaled(slab.flip(flipped), *span), first) for slab in slabs]
        whole = torch.cat(sized[::-1] if data.ndim - 1 in flipped else sized, -1)
        return replace(volume.holding(_along(whole, [last], -1).contiguous()), affine=self._affine(volume))

    def names(self, volume: Volume) -> tuple[str, ...]:
        """What the channels of the input are called."""
        return self.channels or volume.names

    def joined(self, files: Sequence[Path]) -> list[Path]:
        """The inputs among the files of one folder: those that are the named channels of one scan together."""
        return joined_groups(files, self.channels) if len(self.channels) > 1 else list(files)

    def restore(self, maps: Tensor, volume: Volume) -> Volume:
        """Maps `(1, channel, *axes)` over the input, brought back over the voxels of `volume`.

        Exact where the input was only turned; resized maps are interpolated, what was cut away is zero.
        """
        matrices = [self._matrix(n, m, back=True) for n, m in self._lengths(volume)]
        back = _along(maps.detach().float().cpu(), matrices).flip(self._flipped(volume))
        order = self._order(volume)
        return volume.holding(back.permute(0, 1, *(2 + order.index(a) for a in range(3))).contiguous())

    def original(self, x: Tensor, volume: Volume) -> Volume:
        """An input `(1, channel, *axes)` over the voxels of `volume` and in its values, as `restore` brings it back."""
        back, (start, extent) = self.restore(x, volume), self._span(self._picked(volume))
        return back.holding(start + extent * back.data)

    def _picked(self, volume: Volume) -> Tensor:
        """The channels that the network takes, in its order; `ValueError` where some are missing or too many."""
        count = volume.data.shape[1]
        if self.channels and volume.channels:
            places = [channel_index(name, volume.channels) for name in self.channels]
            if missing := [name for name, place in zip(self.channels, places, strict=True) if place is None]:
                raise ValueError(
                    f"the network takes the channels {', '.join(self.channels)}; the input lacks {', '.join(missing)} "
                    f"and has {', '.join(volume.channels)}. Add the file, or rename it to end in that name."
                )
            chosen = [place for place in places if place is not None]
            return volume.data if chosen == [*range(count)] else volume.data[:, chosen]
        if count != self.shape[0]:
            more = "" if count > self.shape[0] else ", or name one file per channel, t1.nii.gz,flair.nii.gz"
            raise ValueError(
                f"the network takes volumes of {self.shape[0]} channel{'s' * (self.shape[0] > 1)}; got "
                f"{_counted(volume)}. Take one volume of several with read_volume(path, item=…), or save it "
                f"alone{more}."
            )
        return volume.data

    def _turn(self, volume: Volume) -> Array:
        """As nibabel writes it: for each axis of the file, the axis it becomes and whether it is flipped (-1)."""
        if self.orientation is None or volume.unit == "voxel":
            return np.array([[0, 1], [1, 1], [2, 1]])
        turning = optional("nibabel.orientations", "medical")
        target = turning.axcodes2ornt(self.orientation)
        turn: Array = turning.ornt_transform(turning.io_orientation(volume.affine), target).astype(int)
        return turn

    def _order(self, volume: Volume) -> list[int]:
        """The axis of the file that each axis of the input is."""
        return [int(a) for a in np.argsort(self._turn(volume)[:, 0])]

    def _flipped(self, volume: Volume) -> list[int]:
        """The dimensions of the input that run against the file."""
        return [2 + axis for axis, way in self._turn(volume).tolist() if way < 0]

    def _lengths(self, volume: Volume) -> list[tuple[int, int]]:
        """For each axis of the input, how many voxels it has in the file and in the input."""
        return [(volume.axes[a], m) for a, m in zip(self._order(volume), self.shape[1:], strict=True)]

    def _matrix(self, n: int, m: int, *, back: bool = False) -> Tensor:
        if self.fit == "resize":
            return _resized(m, n) if back else _resized(n, m)
        return _cut(n, m).T if back else _cut(n, m)

    def _affine(self, volume: Volume) -> Array:
        """Voxel of the input → voxel of the turned file → voxel of the file → place."""
        to_turned, to_file = np.eye(4), np.zeros((4, 4))
        to_file[3, 3] = 1
        for axis, (n, m) in enumerate(self._lengths(volume)):
            step = n / m if self.fit == "resize" else 1.0
            to_turned[axis, [axis, 3]] = step, step / 2 - 0.5 if self.fit == "resize" else _first(n, m)
            source, against = self._order(volume)[axis], 2 + axis in self._flipped(volume)
            to_file[source, [axis, 3]] = (-1, n - 1) if against else (1, 0)
        affine: Array = volume.affine @ to_file @ to_turned
        return affine

    def _scaled(self, data: Tensor, start: Tensor | float, extent: Tensor | float) -> Tensor:
        scaled = (data - start) / extent
        return scaled.clamp(0, 1) if isinstance(self.intensity, tuple) else scaled

    def _span(self, data: Tensor) -> tuple[Tensor | float, Tensor | float]:
        """What becomes 0, and how much more becomes 1."""
        if isinstance(self.intensity, tuple):
            low, high = self.intensity
            return low, high - low
        measure = _ends if self.intensity == "range" else _moments
        start, extent = torch.tensor([measure(channel) for channel in data[0]], dtype=torch.float64).T
        start, extent = (v.view(1, -1, 1, 1, 1).to(data.dtype) for v in (start, extent.where(extent > 0, 1)))
        return start, extent


def _counted(volume: Volume) -> str:
    """How many channels, and which where they have names."""
    return f"{volume.data.shape[1]}{': ' if volume.channels else ''}{', '.join(volume.channels)}"


def _ends(channel: Tensor) -> tuple[float, float]:
    """The least value, and how far above it the greatest is."""
    ends = torch.stack([torch.stack(one.aminmax()) for one in channel])
    least, greatest = float(ends.min()), float(ends.max())
    return least, greatest - least


def _moments(channel: Tensor) -> tuple[float, float]:
    """Mean and deviation, slice by slice in float64, which takes little memory."""
    mean = sum(float(one.double().sum()) for one in channel) / channel.numel()
    squares = sum(float((one.double() - mean).square().sum()) for one in channel)
    return mean, math.sqrt(squares / channel.numel())


def _is_window(value: object) -> bool:
    if not isinstance(value, tuple) or len(value) != 2 or not all(isinstance(v, int | float) for v in value):
        return False
    return math.isfinite(value[0]) and math.isfinite(value[1]) and value[0] < value[1]


def _is_orientation(text: str) -> bool:
    """One letter of each pair."""
    return len(text) == 3 and sorted(LETTERS.find(letter) // 2 for letter in text) == [0, 1, 2]


def _along(data: Tensor, matrices: list[Tensor], first: int = 2) -> Tensor:
    """A matrix (new, old) applied along each axis of a tensor from `first` on; those that change nothing are free."""
    for axis, matrix in enumerate(matrices, first):
        if matrix.shape[0] != matrix.shape[1] or not torch.equal(matrix, torch.eye(len(matrix))):
            data = (data.movedim(axis, -1) @ matrix.T.to(data.dtype)).movedim(-1, axis)
    return data


def _resized(n: int, m: int) -> Tensor:
    """Linear interpolation of `n` samples at the centres of `m`, the triangle as wide as a sample of the coarser."""
    scale = n / m
    centres = (torch.arange(m, dtype=torch.float64) + 0.5) * scale - 0.5
    distance = (centres.clamp(0, n - 1)[:, None] - torch.arange(n, dtype=torch.float64)).abs()
    weights = (1 - distance / max(scale, 1)).clamp(min=0)
    return (weights / weights.sum(1, keepdim=True)).float()


def _first(n: int, m: int) -> int:
    """The first of `n` samples that is kept of them, before the start where there are too few."""
    return (n - m) // 2


def _cut(n: int, m: int) -> Tensor:
    places = torch.arange(m)[:, None] + _first(n, m)
    return (places == torch.arange(n)).float()
