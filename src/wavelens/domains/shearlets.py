"""Cone-adapted shearlets of two axes as a tight frame (Kutyniok and Labate, 2012; Kolek et al., 2023)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from wavelens.core import (
    Band,
    Coefficients,
    Direction,
    Domain,
    Layout,
    Scale,
    level_scales,
    line_angle,
    signal_axes,
)
from wavelens.domains.octaves import check_levels, fewer, fitting_levels, octave_extent, single

SHEARS = (4, 8, 16, 32)  # of the coarsest scale
DEFAULT_LEVELS = 4
SMALLEST_GAIN = 1e-9  # below it a frequency is outside a window


@dataclass(frozen=True)
class Shearlets(Domain):
    """Cone-adapted shearlets of a signal with two axes, `(batch, channel, height, width)`: octaves by direction.

    Windows are made in the Fourier domain: an octave of the larger of the two frequencies times a range of their ratio,
    the shear, in the cone where the columns' frequency is larger and in the one where the rows' is. Of `levels` octaves
    the coarsest has `shears` directions, 4, 8, 16 or 32, evenly spread in shear, and every second finer one twice as
    many (parabolic scaling); one low-pass holds what is below. `levels=None` takes four, or as many as the shorter axis
    has octaves; more are a `ValueError`.

    The squares of the windows add up to one, so the frame is tight for any size, and they are symmetric, so the
    coefficients are real. Each band is sampled as often as its window asks for, without aliasing: 18 numbers per sample
    for `Shearlets(4)`, 11 with `shears=4`. Signals are taken as periodic. Directions in which a small signal has no
    frequency are left out. Half-precision signals are transformed in float32.

    >>> c = wl.Shearlets(levels=2).analysis(x)
    >>> bool((c.data.square().sum() - x.square().sum()).abs() < 1e-9), c.layout.scales().keys()
    (True, dict_keys(['a2', 'd2', 'd1']))
    """

    levels: int | None = None
    shears: int = 8

    def __post_init__(self) -> None:
        check_levels(self.levels)
        if self.shears not in SHEARS:
            raise ValueError(f"shears must be one of {', '.join(map(str, SHEARS))}; got {self.shears!r:.40}.")

    def with_levels(self, levels: tuple[int, ...]) -> Shearlets:
        return replace(self, levels=min(levels))

    def within(self, signal_shape: tuple[int, ...]) -> Shearlets:
        return replace(self, levels=fewer(self.levels, min(signal_shape)))

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        windows = _windows(self, signal_shape)
        return Layout(self, signal_shape, tuple(window.band for window in windows))

    def least_size(self, signal_shape: tuple[int, ...]) -> int:
        """An eighth of the samples for each direction of the finest level, of which there are no more than rows.

        Its windows reach the end of one axis, and along the other their shear, from 0 to 1: half of the samples in all.
        """
        if len(signal_shape) != 2:
            return super().least_size(signal_shape)
        finest = self._count(1, _depth(self, signal_shape))
        return math.prod(signal_shape) * max(4, min(finest, *signal_shape)) // 8

    def _count(self, level: int, levels: int) -> int:
        """Of the directions of a level."""
        return self.shears * 2 ** ((levels - level) // 2) if levels else 0

    def scales(self, layout: Layout) -> tuple[Scale, ...]:
        return level_scales(layout, lambda bands: (octave_extent(bands[0]),) * 2)

    def directions(self, band: Band, layout: Layout) -> tuple[Direction, ...]:
        return _windows(self, layout.signal_shape)[layout.bands.index(band)].directions

    def centres(self, band: Band, layout: Layout) -> tuple[Tensor, ...]:
        pairs = zip(layout.signal_shape, band.shape, strict=True)
        return tuple(torch.arange(m, dtype=torch.float64, device="cpu") * (n / m) for n, m in pairs)

    def analysis(self, x: Tensor) -> Coefficients:
        return self._transformed(x, self.layout(signal_axes(x)))

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        return self._transformed(g, layout)

    def _transformed(self, x: Tensor, layout: Layout) -> Coefficients:
        spectrum = torch.fft.rfft2(single(x), norm="ortho")
        parts = []
        for band, rows, gains, _ in _windows(self, layout.signal_shape):
            bins = spectrum[..., : gains.shape[-1]].index_select(-2, rows.to(x.device))
            parts.append(torch.fft.irfft2(bins * gains.to(spectrum.real), band.shape, norm="ortho").flatten(-2))
        return Coefficients(torch.cat(parts, -1).to(x.dtype), layout)

    def synthesis(self, c: Coefficients) -> Tensor:
        height, width = c.layout.signal_shape
        columns = width // 2 + 1
        spectrum: Tensor | None = None
        for (_, rows, gains, _), (_, part) in zip(_windows(self, (height, width)), c, strict=True):
            passed = torch.fft.rfft2(single(part), norm="ortho")
            passed = pad(passed * gains.to(passed.real), (0, columns - gains.shape[-1]))
            if spectrum is None:
                spectrum = passed.new_zeros(*passed.shape[:-2], height, columns)
            spectrum = spectrum.index_add(-2, rows.to(passed.device), passed)
        signal: Tensor = torch.fft.irfft2(spectrum, (height, width), norm="ortho").to(c.data.dtype)
        return signal


class _Window(NamedTuple):
    band: Band
    rows: Tensor  # of the one-sided spectrum that it takes
    gains: Tensor  # over these rows and the first columns
    directions: tuple[Direction, ...]


@lru_cache(maxsize=8)
def _windows(domain: Shearlets, shape: tuple[int, ...]) -> tuple[_Window, ...]:
    """The windows for signals of this shape, coarsest first, without those that no frequency lies in."""
    if len(shape) != 2:
        raise ValueError(
            f"shearlets must have directions in two axes; got a signal with axes {shape}. Try DWT or Packets."
        )
    levels = _depth(domain, shape)
    rows, columns = torch.meshgrid(
        *(torch.fft.fftfreq(n, dtype=torch.float64, device="cpu") for n in shape), indexing="ij"
    )
    depth = -torch.log2(torch.maximum(rows.abs(), columns.abs()))
    low = torch.sin(_rising(depth - levels - 0.5)) if levels else torch.ones_like(depth)
    windows = [_cropped(low, Band(levels, "a", shape), ())]
    shear = torch.where(columns.abs() >= rows.abs(), rows / columns, 2 - columns / rows).nan_to_num()
    for level in range(levels, 0, -1):
        ring = depth - level - 0.5
        ring = torch.cos(_rising(ring if level == 1 else ring.abs()))  # the finest is flat above its centre
        count = domain._count(level, levels)
        for k in range(count):
            away = (shear - 4 * k / count + 2).remainder(4) - 2  # shears are a circle of length 4
            wedge = torch.cos(_rising(away.abs() * count / 4))
            direction = _direction(4 * k / count)
            band = Band(level, "d", shape, f"{line_angle(*direction):+.3g}°")
            windows.append(_cropped(ring * wedge, band, (direction,)))
    return tuple(window for window in windows if window is not None)


def _depth(domain: Shearlets, shape: tuple[int, ...]) -> int:
    levels = fitting_levels(domain.levels, shape, taps=2)
    return min(DEFAULT_LEVELS, levels) if domain.levels is None else levels


def _rising(t: Tensor) -> Tensor:
    """From 0 at t = 0 to π/2 at 1, smoothly, and π/4 between (Meyer's auxiliary function)."""
    t = t.clamp(0, 1)
    return math.pi / 2 * t**4 * (35 - 84 * t + 70 * t**2 - 20 * t**3)


def _direction(shear: float) -> Direction:
    """The unit vector across the lines of a shear, along rows and columns."""
    rows, columns = (shear, 1.0) if shear <= 1 else (1.0, 2 - shear) if shear <= 3 else (shear - 4, 1.0)
    length = math.hypot(rows, columns)
    return rows / length, columns / length


def _cropped(gains: Tensor, band: Band, directions: tuple[Direction, ...]) -> _Window | None:
    """A band sampled as its window asks for; None for a window without any frequency."""
    squares = gains.square()
    gains = ((squares + squares.flip((0, 1)).roll((1, 1), (0, 1))) / 2).sqrt()  # half the rate is its own conjugate
    inside = (gains > SMALLEST_GAIN).nonzero()
    if not len(inside):
        return None
    sizes, places = [], []
    for n, bins in zip(gains.shape, inside.unbind(1), strict=True):
        reach = int(torch.minimum(bins, n - bins).max())
        sizes.append(min(2 * reach + 1, n))
        places.append(torch.fft.fftfreq(sizes[-1], 1 / sizes[-1], dtype=torch.float64, device="cpu").round().long() % n)
    rows, columns = places[0], places[1][: sizes[1] // 2 + 1]
    with torch.inference_mode(False):
        return _Window(replace(band, shape=tuple(sizes)), rows.clone(), gains[rows][:, columns].clone(), directions)
