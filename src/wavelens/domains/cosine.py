"""The orthonormal discrete cosine transform of any number of axes, as a domain (Ahmed, Natarajan and Rao, 1974)."""

from __future__ import annotations

import math
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
    single,
    spectral_bins,
)


@dataclass(frozen=True)
class Cosine(Domain):
    """The orthonormal cosine transform (DCT-II) over every axis of a signal `(batch, channel, *axes)`, in octaves.

    Coefficients are real, as many as samples. Coefficient k of n samples is a wave of k / 2n cycles per sample; it has
    a frequency and no place. Scales and `levels` are those of `Fourier`. Half-precision signals are transformed in
    float32 and rounded once, at the end; `ValueError` for more levels than there are octaves.

    >>> c = wl.Cosine().analysis(x)
    >>> c.data.shape, bool((c.synthesis() - x).abs().max() < 1e-9)
    (torch.Size([1, 1, 64]), True)
    """

    levels: int | None = None

    def __post_init__(self) -> None:
        check_levels(self.levels)

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        levels = levels_of(self.levels, signal_shape)
        return Layout(self, signal_shape, octave_bands(levels, self._order(signal_shape)[1], len(signal_shape)))

    def scales(self, layout: Layout) -> tuple[Scale, ...]:
        return octave_scales(layout)

    def bins(self, band: Band, layout: Layout) -> tuple[Extent, ...]:
        return spectral_bins(layout, band, 0.5 / layout.signal_shape[0])

    def analysis(self, x: Tensor) -> Coefficients:
        return self._transformed(x, self.layout(signal_axes(x)))

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        return self._transformed(g, layout)

    def _transformed(self, x: Tensor, layout: Layout) -> Coefficients:
        waves = single(x)
        for dim in range(-len(layout.signal_shape), 0):
            waves = _cosines(waves.movedim(dim, -1)).movedim(-1, dim)
        order = self._order(layout.signal_shape)[0].to(x.device)
        return Coefficients(waves.flatten(-len(layout.signal_shape)).index_select(-1, order).to(x.dtype), layout)

    def synthesis(self, c: Coefficients) -> Tensor:
        shape = c.layout.signal_shape
        data = single(c.data)
        order = self._order(shape)[0].to(c.data.device)
        waves = torch.zeros_like(data).index_copy(-1, order, data).unflatten(-1, shape)
        for dim in range(-len(shape), 0):
            waves = _samples(waves.movedim(dim, -1)).movedim(-1, dim)
        signal: Tensor = waves.to(c.data.dtype)
        return signal

    def _order(self, shape: tuple[int, ...]) -> Order:
        return octave_order(levels_of(self.levels, shape), shape, "cosine")


def _cosines(x: Tensor) -> Tensor:
    """The DCT-II of the last axis by one Fourier transform of its even, then its odd samples (Makhoul, 1980)."""
    mixed = torch.cat([x[..., ::2], x[..., 1::2].flip(-1)], -1)
    waves: Tensor = (torch.fft.fft(mixed, norm="ortho") * _turn(x)).real * _scale(x)
    return waves


def _samples(z: Tensor) -> Tensor:
    """Its inverse, which is its transpose."""
    n = z.shape[-1]
    mixed: Tensor = torch.fft.ifft((z * _scale(z)) * _turn(z).conj(), norm="ortho").real
    first = -(-n // 2)
    x = torch.empty_like(mixed)
    x[..., ::2], x[..., 1::2] = mixed[..., :first], mixed[..., first:].flip(-1)
    return x


def _turn(like: Tensor) -> Tensor:
    n = int(like.shape[-1])
    angles = -math.pi / (2 * n) * torch.arange(n, dtype=like.dtype, device=like.device)
    return torch.polar(torch.ones_like(angles), angles)


def _scale(like: Tensor) -> Tensor:
    """√2, and 1 for the mean."""
    scale = like.new_full(like.shape[-1:], math.sqrt(2))
    scale[0] = 1
    return scale
