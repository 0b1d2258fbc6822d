"""The unitary discrete Fourier transform of any number of axes, as a domain (Vielhaben et al., 2024)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wavelens.core import Band, Coefficients, Domain, Extent, Layout, Scale, signal_axes
from wavelens.domains.octaves import (
    Order,
    check_levels,
    levels_of,
    octave_bands,
    octave_order,
    octave_scales,
    one_sided,
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

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        levels = levels_of(self.levels, signal_shape)
        bands = octave_bands(levels, self._order(signal_shape)[1], len(signal_shape))
        return Layout(self, signal_shape, bands, is_complex=True)

    def scales(self, layout: Layout) -> tuple[Scale, ...]:
        return octave_scales(layout)

    def bins(self, band: Band, layout: Layout) -> tuple[Extent, ...]:
        return spectral_bins(layout, band, 1 / layout.signal_shape[0])

    def analysis(self, x: Tensor) -> Coefficients:
        return self._transformed(x, self.layout(signal_axes(x)))

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        return self._transformed(g, layout)

    def _transformed(self, x: Tensor, layout: Layout) -> Coefficients:
        axes = tuple(range(-len(layout.signal_shape), 0))
        spectrum = torch.fft.rfftn(single(x), dim=axes, norm="ortho") * one_sided(layout.signal_shape[-1], x)
        order = self._order(layout.signal_shape)[0].to(x.device)
        return Coefficients(spectrum.flatten(axes[0]).index_select(-1, order), layout)

    def synthesis(self, c: Coefficients) -> Tensor:
        shape = c.layout.signal_shape
        order = self._order(shape)[0].to(c.data.device)
        spectrum = (
            torch.zeros_like(c.data).index_copy(-1, order, c.data).unflatten(-1, (*shape[:-1], shape[-1] // 2 + 1))
        )
        weighted = spectrum / one_sided(shape[-1], c.data.real)
        signal: Tensor = torch.fft.irfftn(weighted, s=shape, dim=tuple(range(-len(shape), 0)), norm="ortho")
        return signal

    def _order(self, shape: tuple[int, ...]) -> Order:
        return octave_order(levels_of(self.levels, shape), shape, "fourier")
