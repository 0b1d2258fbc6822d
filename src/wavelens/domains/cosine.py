"""The orthonormal discrete cosine transform of any number of axes, as a domain (Ahmed, Natarajan and Rao, 1974)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import torch
from torch import Tensor

from wavelens.core import Band, Coefficients, Domain, Extent, Layout, Scale, signal_axes
from wavelens.domains.linear import linear
from wavelens.domains.octaves import (
    check_levels,
    fewer,
    gathered,
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

    def with_levels(self, levels: tuple[int, ...]) -> Cosine:
        return replace(self, levels=min(levels))

    def within(self, signal_shape: tuple[int, ...]) -> Cosine:
        return replace(self, levels=fewer(self.levels, max(signal_shape)))

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        levels = self._levels(signal_shape)
        sizes = octave_order(levels, signal_shape, "cosine").sizes
        return Layout(self, signal_shape, octave_bands(levels, sizes, len(signal_shape)))

    def scales(self, layout: Layout) -> tuple[Scale, ...]:
        return octave_scales(layout)

    def bins(self, band: Band, layout: Layout) -> tuple[Extent, ...]:
        return spectral_bins(layout, band, 0.5 / layout.signal_shape[0])

    def analysis(self, x: Tensor) -> Coefficients:
        return self.adjoint(x, self.layout(signal_axes(x)))

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        shape = layout.signal_shape
        return Coefficients(linear(g, partial(self._down, shape), partial(self._up, shape)), layout)

    def synthesis(self, c: Coefficients) -> Tensor:
        shape = c.layout.signal_shape
        return linear(c.data, partial(self._up, shape), partial(self._down, shape))

    # One real Fourier transform of mixed samples (Makhoul, 1980). Let V be its conjugate, W = Π_a exp(iπ k_a / 2 n_a)
    # and R_a the reflection k_a → n_a − k_a. A cosine transform along all axes is the mean over the signs of k_a of
    # W V at them, and W(R_a k) = i / W(k) makes that Π_a ½ (1 − i R_a) W V, over all axes but the last. Along the last,
    # coefficient k is its real part, and coefficient n − k its imaginary part.

    def _down(self, shape: tuple[int, ...], x: Tensor) -> Tensor:
        axes = tuple(range(-len(shape), 0))
        waves = torch.fft.rfftn(_mixed(single(x), shape), dim=axes, norm="ortho")
        waves *= _turns(shape, waves.dtype, waves.device, math.sqrt(2)).conj()
        parts = torch.view_as_real(_folded(waves, axes[:-1], -1j)).flatten(axes[0] - 1)
        return gathered(parts, _places(self._levels(shape), shape)[0]).to(x.dtype)

    def _up(self, shape: tuple[int, ...], data: Tensor) -> Tensor:
        axes = tuple(range(-len(shape), 0))
        parts = gathered(single(data), _places(self._levels(shape), shape)[1])
        parts = parts.unflatten(-1, (*shape[:-1], shape[-1] // 2 + 1, 2))
        parts[..., 0, 1] = 0
        waves = _folded(torch.view_as_complex(parts), axes[:-1], 1j)
        waves *= _turns(shape, waves.dtype, waves.device, math.sqrt(0.5))
        return _mixed(torch.fft.irfftn(waves, s=shape, dim=axes, norm="ortho"), shape, back=True).to(data.dtype)

    def _levels(self, shape: tuple[int, ...]) -> int:
        return levels_of(self.levels, shape)


def _mixed(x: Tensor, shape: tuple[int, ...], back: bool = False) -> Tensor:
    """The first sample of each axis, its odd ones, and the other even ones backwards; or that undone."""
    for dim, n in zip(range(-len(shape), 0), shape, strict=True):
        order = _mixing(n, back).to(x.device)
        x = gathered(x, order) if dim == -1 else x.index_select(dim, order)
    return x


@lru_cache(maxsize=128)
def _mixing(n: int, back: bool) -> Tensor:
    with torch.inference_mode(False):
        samples = torch.arange(n, device="cpu")
        order = torch.cat([samples[:1], samples[1::2], samples[2::2].flip(0)])
        return order.argsort() if back else order


def _folded(waves: Tensor, axes: tuple[int, ...], turn: complex) -> Tensor:
    """`waves + turn · R waves` for each axis, but for its frequency 0; in place."""
    for axis in axes:
        positive = waves.narrow(axis, 1, waves.shape[axis] - 1)
        positive += turn * positive.flip(axis)
    return waves


@lru_cache(maxsize=32)
def _turns(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device, last: float) -> Tensor:
    """`Π exp(−iπ k / 2n)` with the scale of each frequency: `last` along the last axis, √½ along others, 1 for 0."""
    with torch.inference_mode(False):
        turns = torch.ones((), dtype=torch.complex128, device="cpu")
        for axis, n in enumerate(shape, 1 - len(shape)):
            count = n if axis else n // 2 + 1
            scales = torch.full((count,), math.sqrt(0.5) if axis else last, dtype=torch.float64, device="cpu")
            scales[0] = 1
            angles = -math.pi / (2 * n) * torch.arange(count, dtype=torch.float64, device="cpu")
            turns = turns[..., None] * torch.polar(scales, angles)
        return turns.to(device, dtype)


@lru_cache(maxsize=32)
def _places(levels: int, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Where each coefficient lies among the real and imaginary parts of the waves, and the coefficient of each part."""
    order, n = octave_order(levels, shape, "cosine"), shape[-1]
    half = n // 2 + 1
    with torch.inference_mode(False):
        k = torch.arange(n, device="cpu")
        inside = torch.where(k < half, 2 * k, 2 * (n - k) + 1)
        rows = torch.arange(math.prod(shape[:-1]), device="cpu")[:, None]
        at = (2 * half * rows + inside).flatten()
        pairs = torch.stack([k[:half], (n - k[:half]) % n], 1).flatten()
        return at[order.places], order.inverse[(n * rows + pairs).flatten()]
