"""Patterns that decide a class: waves under a bell, blobs and textures, over any number of axes or points."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from wavelens.field_types import check_fields


@dataclass(frozen=True)
class Wave:
    """A cosine under a Gaussian bell: a tone burst in one axis, a grating in two, a packet of planes in three.

    `wavelength` and `width`, the bell's standard deviation, are in samples, or in the coordinates' unit for points. The
    wave runs along `direction`, one component per axis. Without a wavelength the pattern is a blob, without a width it
    fills the signal. `amplitude` is the height of the crest.

    >>> grating = wl.planted.Wave(wavelength=4.0, direction=(0.0, 1.0), width=2.0)
    >>> middle = torch.tensor([[8.0, 8.0]])
    >>> row = grating.at(wl.planted.grid((16, 16)), middle, phases=torch.zeros(1))[0, 8]
    >>> [round(value, 2) for value in row[8::2].tolist()]
    [1.0, -0.61, 0.14, -0.01]
    """

    wavelength: float | None = 8.0
    direction: tuple[float, ...] = (1.0,)
    width: float | None = 6.0
    amplitude: float = 1.0

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("wavelength", "width"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} must be above 0 and finite, or None; got {name}={value}.")
        if not self.direction or not all(map(math.isfinite, self.direction)) or not any(self.direction):
            raise ValueError(f"direction must have one finite component per axis, not all 0; got {self.direction}.")
        if not math.isfinite(self.amplitude):
            raise ValueError(f"amplitude must be finite; got amplitude={self.amplitude}.")

    def at(self, positions: Tensor, centres: Tensor, phases: Tensor) -> Tensor:
        """The pattern at positions `(batch or 1, axes, *samples)`: `(batch, *samples)`.

        `centres` are `(batch, axes)`, `phases` radians `(batch,)`. `ValueError` where the direction has other axes.
        """
        if len(self.direction) != positions.shape[1]:
            raise ValueError(
                f"direction must have one component for each of {positions.shape[1]} axes; got {self.direction} in "
                f"{self}."
            )
        places = (1,) * (positions.ndim - 2)
        offsets = positions - centres.view(*centres.shape, *places)
        pattern = offsets.new_full((len(centres), *positions.shape[2:]), self.amplitude)
        if self.width is not None:
            pattern = pattern * (-offsets.square().sum(1) / (2 * self.width**2)).exp()
        if self.wavelength is not None:
            length = math.hypot(*self.direction)
            unit = torch.tensor([part / length for part in self.direction], dtype=offsets.dtype, device=offsets.device)
            run = (offsets * unit.view(-1, *places)).sum(1)
            pattern = pattern * (2 * math.pi * run / self.wavelength + phases.view(-1, *places)).cos()
        return pattern


def grid(axes: tuple[int, ...]) -> Tensor:
    """The positions of a signal's samples, `(1, axes, *axes)`, counted from 0.

    >>> wl.planted.grid((2, 3))[0, 1].tolist()
    [[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]]
    """
    return torch.stack(torch.meshgrid(*(torch.arange(float(n), device="cpu") for n in axes), indexing="ij"))[None]
