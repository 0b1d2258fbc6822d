"""The undecimated, shift-invariant wavelet transform of any number of axes (Nason and Silverman, 1995)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from wavelens.core import (
    Band,
    Coefficients,
    Direction,
    Domain,
    Layout,
    Scale,
    level_scales,
    mixed_directions,
    signal_axes,
)
from wavelens.domains import undecimated
from wavelens.domains.delays import delay
from wavelens.domains.dwt import FILTER_LENGTHS, scales_by_letter
from wavelens.domains.linear import Map, linear
from wavelens.domains.octaves import check_levels, fewer, fitting_levels, octave_extent, single
from wavelens.field_types import check_fields


@dataclass(frozen=True)
class Stationary(Domain):
    """The stationary wavelet transform over every axis of a signal `(batch, channel, *axes)`, nothing left out.

    Every band has a coefficient for each sample, so a shifted signal has shifted coefficients, exactly. `wavelet` is
    any discrete wavelet of PyWavelets; signals are taken as periodic, and any length will do. The synthesis is the
    mean of all inverses. Filters are divided by √2 per axis and level, so that an orthogonal wavelet keeps the norm: a
    tight frame of `levels (2^axes − 1) + 1` coefficients per sample. They are those of `pywt.swtn(…, norm=True)`.

    `levels=None` takes those whose filter fits the shortest axis. Half-precision signals are transformed in float32.

    >>> c = wl.Stationary("haar", levels=2).analysis(x)
    >>> c.data.shape, bool((c.synthesis() - x).abs().max() < 1e-9)
    (torch.Size([1, 1, 448]), True)
    """

    wavelet: str = "haar"
    levels: int | None = None
    pyramid: ClassVar[bool] = False  # all bands are as large as the signal

    def __post_init__(self) -> None:
        check_fields(self)
        if self.wavelet not in FILTER_LENGTHS:
            raise ValueError(
                f"wavelet must be a discrete wavelet of PyWavelets, such as 'haar', 'db4', 'sym8' or 'bior2.4'; got "
                f"{self.wavelet!r}. See pywt.wavelist(kind='discrete')."
            )
        check_levels(self.levels)

    def with_wavelet(self, wavelet: str) -> Stationary:
        return replace(self, wavelet=wavelet)

    def with_levels(self, levels: tuple[int, ...]) -> Stationary:
        return replace(self, levels=min(levels))

    def within(self, signal_shape: tuple[int, ...]) -> Stationary:
        return replace(self, levels=fewer(self.levels, min(signal_shape)))

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        levels = self._levels(signal_shape)
        first, *details = ("".join(key) for key in itertools.product("ad", repeat=len(signal_shape)))
        bands = [Band(level, key, signal_shape) for level in range(levels, 0, -1) for key in details]
        return Layout(self, signal_shape, (Band(levels, first, signal_shape), *bands))

    def scales(self, layout: Layout) -> tuple[Scale, ...]:
        return level_scales(layout, lambda bands: (octave_extent(bands[0]),) * len(layout.signal_shape))

    def scales_along(self, layout: Layout, axis: int) -> tuple[Scale, ...]:
        return scales_by_letter(layout, axis, layout.levels)

    def directions(self, band: Band, layout: Layout) -> tuple[Direction, ...]:
        return mixed_directions([letter == "d" for letter in band.key])

    def centres(self, band: Band, layout: Layout) -> tuple[Tensor, ...]:
        middle = (2**band.level - 1) / 2  # filters of an even length begin half a step late at every level
        delays = [middle + delay(self.wavelet, "a" * (band.level - 1) + letter) for letter in band.key if band.level]
        pairs = zip(layout.signal_shape, delays or [0.0] * len(band.key), strict=True)
        return tuple((torch.arange(n, dtype=torch.float64, device="cpu") + late).remainder(n) for n, late in pairs)

    def analysis(self, x: Tensor) -> Coefficients:
        layout = self.layout(signal_axes(x))
        return Coefficients(linear(x, self._down(layout, "dec"), self._up(layout, "dec")), layout)

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        return Coefficients(linear(g, self._down(layout, "rec"), self._up(layout, "rec")), layout)

    def synthesis(self, c: Coefficients) -> Tensor:
        return linear(c.data, self._up(c.layout, "rec"), self._down(c.layout, "rec"))

    def _down(self, layout: Layout, side: str) -> Map:
        return lambda x: undecimated.down(single(x), layout, (self.wavelet, side)).to(x.dtype)

    def _up(self, layout: Layout, side: str) -> Map:
        return lambda data: undecimated.up(single(data), layout, (self.wavelet, side)).to(data.dtype)

    def _levels(self, signal_shape: tuple[int, ...]) -> int:
        return fitting_levels(self.levels, signal_shape, FILTER_LENGTHS[self.wavelet])
