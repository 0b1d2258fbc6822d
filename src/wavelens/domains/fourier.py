"""The unitary discrete Fourier transform of any number of axes, as a domain (Vielhaben et al., 2024)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from wavelens.core import Band, Coefficients, Domain, Extent, Layout, Scale, signal_axes


@dataclass(frozen=True)
class Fourier(Domain):
    """The unitary discrete Fourier transform over every axis of a signal `(batch, channel, *axes)`, in octaves.

    Coefficients are complex and one-sided: of two conjugates the one with a negative frequency along the last axis is
    left out, and the other carries its weight, √2. So the transform keeps the norm of a signal and its adjoint is its
    inverse (a tight frame). A coefficient has a frequency and no place.

    Scales are octaves of the largest frequency along any axis, as the DWT's: 'd1' from 1/4 to 1/2 cycles per sample,
    and 'a' below the last of `levels`. `levels=None` takes as many as there are, so that the approximation is the mean.
    Half-precision signals are transformed in float32; `ValueError` for more levels than there are octaves.
    """

    levels: int | None = None

    def __post_init__(self) -> None:
        if self.levels is not None and (not isinstance(self.levels, int) or self.levels < 0):
            raise ValueError(f"levels is None or an integer from 0; got {self.levels!r}.")

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        octaves = _octaves(max(signal_shape))
        if self.levels is not None and self.levels > octaves:
            raise ValueError(f"levels={self.levels} needs more octaves than {signal_shape} has; ask for {octaves}.")
        counts = _ordered(self._levels(signal_shape), signal_shape)[1]
        places = (1,) * len(signal_shape)
        first, *rest = (Band(level, "d", (count, *places)) for level, count in counts)
        return Layout(self, signal_shape, (Band(self._levels(signal_shape), "a", first.shape), *rest), is_complex=True)

    def scales(self, layout: Layout) -> tuple[Scale, ...]:
        levels, axes = self._levels(layout.signal_shape), len(layout.signal_shape)
        octaves = [Extent(0.5 / 2**band.level, 1 / 2**band.level) for band in layout.bands[1:]]
        extents = [Extent(0.0, 0.5 / 2**levels), *octaves]
        return tuple(
            Scale(str(band), (band,), rank, (extent,) * axes, band.is_detail)
            for rank, (band, extent) in enumerate(zip(layout.bands, extents, strict=True))
        )

    def analysis(self, x: Tensor) -> Coefficients:
        return self._transformed(x, self.layout(signal_axes(x)))

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        return self._transformed(g, layout)

    def _transformed(self, x: Tensor, layout: Layout) -> Coefficients:
        axes = tuple(range(-len(layout.signal_shape), 0))
        spectrum = torch.fft.rfftn(_single(x), dim=axes, norm="ortho") * _weights(layout, x)
        order = _ordered(self._levels(layout.signal_shape), layout.signal_shape)[0].to(x.device)
        return Coefficients(spectrum.flatten(axes[0]).index_select(-1, order), layout)

    def synthesis(self, c: Coefficients) -> Tensor:
        shape = c.layout.signal_shape
        order = _ordered(self._levels(shape), shape)[0].to(c.data.device)
        spectrum = (
            torch.zeros_like(c.data).index_copy(-1, order, c.data).unflatten(-1, (*shape[:-1], shape[-1] // 2 + 1))
        )
        weighted = spectrum / _weights(c.layout, c.data.real)
        signal: Tensor = torch.fft.irfftn(weighted, s=shape, dim=tuple(range(-len(shape), 0)), norm="ortho")
        return signal

    def _levels(self, signal_shape: tuple[int, ...]) -> int:
        return _octaves(max(signal_shape)) if self.levels is None else self.levels


def _octaves(n: int) -> int:
    """Octaves from the lowest frequency of `n` samples, 1 / n, to the highest."""
    return n.bit_length() - 1


def _single(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _weights(layout: Layout, like: Tensor) -> Tensor:
    """√2 where a conjugate is left out, along the last axis."""
    n = layout.signal_shape[-1]
    weights = _single(like).new_full((n // 2 + 1,), math.sqrt(2))
    weights[0] = 1
    if n % 2 == 0:
        weights[-1] = 1
    return weights


@lru_cache(maxsize=64)
def _ordered(levels: int, shape: tuple[int, ...]) -> tuple[Tensor, tuple[tuple[int, int], ...]]:
    """The order that brings the spectrum to bands, coarsest first, and each band's level and size."""
    numbers = [torch.arange(n, device="cpu") for n in shape]
    turns = [torch.minimum(k, n - k) / n for k, n in zip(numbers, shape, strict=True)]
    turns[-1] = turns[-1][: shape[-1] // 2 + 1]
    grids = torch.meshgrid(*[t.double() for t in turns], indexing="ij")
    highest = torch.stack(grids).amax(0).flatten()
    edges = torch.tensor([0.5 / 2**level for level in range(levels, 0, -1)], dtype=torch.float64, device="cpu")
    rank = torch.bucketize(highest - 1e-12, edges)  # an octave holds its upper end
    with torch.inference_mode(False):
        order = rank.sort(stable=True).indices.clone()
    sizes = torch.bincount(rank, minlength=levels + 1).tolist()
    return order, tuple((level, size) for level, size in zip(range(levels + 1, 0, -1), sizes, strict=True))
