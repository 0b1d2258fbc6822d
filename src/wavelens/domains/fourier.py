"""The unitary discrete Fourier transform of any number of axes, as a domain (Vielhaben et al., 2024)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from wavelens.core import Band, Coefficients, Domain, Extent, Layout, Scale, signal_axes
from wavelens.domains.linear import linear
from wavelens.domains.octaves import (
    Order,
    check_levels,
    fewer,
    levels_of,
    octave_bands,
    octave_order,
    octave_scales,
    paired,
    single,
    spectral_bins,
)


@dataclass(frozen=True)
class Fourier(Domain):
    """The unitary discrete Fourier transform over every axis of a signal `(batch, channel, *axes)`, in octaves.

    Coefficients are complex and one-sided: of two conjugates the one with a negative frequency along the last axis is
    left out, and the other carries its weight, √2. So the transform keeps the norm of a signal and its adjoint is its
    inverse (a tight frame). A coefficient has a frequency and no place.

    Scales are octaves of the largest frequency along any axis, as the DWT's: 'd1' from 1/4 to 1/2 cycles per sample,
    and 'a' below the last of `levels`. `levels=None` takes as many as there are, so that the approximation is the mean.
    Half-precision signals are transformed in float32; `ValueError` for more levels than there are octaves.

    >>> c = wl.Fourier().analysis(x)
    >>> c.data.shape, bool((c.synthesis() - x).abs().max() < 1e-9)
    (torch.Size([1, 1, 40]), True)
    """

    levels: int | None = None

    def __post_init__(self) -> None:
        check_levels(self.levels)

    def with_levels(self, levels: tuple[int, ...]) -> Fourier:
        return replace(self, levels=min(levels))

    def within(self, signal_shape: tuple[int, ...]) -> Fourier:
        return replace(self, levels=fewer(self.levels, max(signal_shape)))

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        levels = levels_of(self.levels, signal_shape)
        bands = octave_bands(levels, self._order(signal_shape).sizes, len(signal_shape))
        return Layout(self, signal_shape, bands, is_complex=True)

    def scales(self, layout: Layout) -> tuple[Scale, ...]:
        return octave_scales(layout)

    def bins(self, band: Band, layout: Layout) -> tuple[Extent, ...]:
        return spectral_bins(layout, band, 1 / layout.signal_shape[0])

    def analysis(self, x: Tensor) -> Coefficients:
        return self.adjoint(x, self.layout(signal_axes(x)))

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        shape = layout.signal_shape
        return Coefficients(linear(g, partial(self._down, shape), partial(self._up, shape)), layout)

    def synthesis(self, c: Coefficients) -> Tensor:
        shape = c.layout.signal_shape
        return linear(c.data, partial(self._up, shape), partial(self._down, shape))

    def _down(self, shape: tuple[int, ...], x: Tensor) -> Tensor:
        axes = tuple(range(-len(shape), 0))
        spectrum = torch.fft.rfftn(single(x), dim=axes, norm="ortho")
        spectrum[..., paired(shape[-1])] *= math.sqrt(2)
        return self._order(shape).sort(spectrum.flatten(axes[0]))

    def _up(self, shape: tuple[int, ...], data: Tensor) -> Tensor:
        half = (*shape[:-1], shape[-1] // 2 + 1)
        spectrum = self._order(shape).restore(data).unflatten(-1, half)
        spectrum[..., paired(shape[-1])] *= math.sqrt(0.5)
        signal: Tensor = torch.fft.irfftn(spectrum, s=shape, dim=tuple(range(-len(shape), 0)), norm="ortho")
        return signal

    def _order(self, shape: tuple[int, ...]) -> Order:
        return octave_order(levels_of(self.levels, shape), shape, "fourier")
