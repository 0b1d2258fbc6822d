"""Frequencies in octaves: which coefficients of a spectrum make a scale, for transforms without places."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import torch
from torch import Tensor

from wavelens.core import Band, Extent, Layout, Scale
from wavelens.whole_numbers import is_whole

MAX_LEVELS = 62  # no tensor has an axis of 2^63 samples
ROUNDING = 1e-12  # of a frequency that is the upper end of its octave


def count_octaves(n: int) -> int:
    """Octaves from the lowest frequency of `n` samples, 1 / n, to the highest."""
    return n.bit_length() - 1


def octave_bands(levels: int, sizes: tuple[int, ...], axes: int) -> tuple[Band, ...]:
    """The approximation and the details from the coarsest, each with its frequencies in front of one place."""
    kinds = [(levels, "a"), *((level, "d") for level in range(levels, 0, -1))]
    pairs = zip(kinds, sizes, strict=True)
    return tuple(Band(level, key, (size, *[1] * axes)) for (level, key), size in pairs if size)


def octave_extent(band: Band) -> Extent:
    """The octave of a level's details, or all that lies below those of an approximation."""
    return Extent(0.5 / 2**band.level, 1 / 2**band.level) if band.is_detail else Extent(0.0, 0.5 / 2**band.level)


def octave_scales(layout: Layout) -> tuple[Scale, ...]:
    """One scale per band, from 1/2^(j+1) to 1/2^j cycles per sample along every axis, the approximation below."""
    axes = len(layout.signal_shape)
    return tuple(
        Scale(str(band), (band,), rank, (octave_extent(band),) * axes, band.is_detail)
        for rank, band in enumerate(layout.bands)
    )


@dataclass(frozen=True, eq=False)
class Order:
    """The `places` in a flat spectrum of its coefficients by band, and the size of each band."""

    places: Tensor
    sizes: tuple[int, ...]

    @cached_property
    def inverse(self) -> Tensor:
        with torch.inference_mode(False):
            return self.places.argsort()

    @cached_property
    def is_sorted(self) -> bool:
        """Whether the spectrum lies by bands as it is, as that of one axis does."""
        return bool((self.places.diff() == 1).all())

    def sort(self, spectrum: Tensor) -> Tensor:
        """A spectrum, flat, by bands, coarsest first."""
        return spectrum if self.is_sorted else gathered(spectrum, self.places)

    def restore(self, data: Tensor) -> Tensor:
        """The flat spectrum of coefficients by bands, as a new tensor."""
        return data.clone() if self.is_sorted else gathered(data, self.inverse)


def gathered(values: Tensor, places: Tensor) -> Tensor:
    """The values at these places of the last axis."""
    return values.gather(-1, places.to(values.device).expand(*values.shape[:-1], -1))


@lru_cache(maxsize=64)
def octave_order(levels: int, shape: tuple[int, ...], spectrum: Literal["fourier", "cosine"]) -> Order:
    """The order that brings a spectrum to bands.

    A coefficient belongs to the octave of its largest frequency. Of a Fourier spectrum the last axis is one-sided.
    """
    if spectrum == "cosine":
        axes = [_count(n) / (2 * n) for n in shape]
    else:
        axes = [torch.minimum(_count(n), n - _count(n)) / n for n in shape]
        axes[-1] = axes[-1][: shape[-1] // 2 + 1]
    highest = torch.stack(torch.meshgrid(*axes, indexing="ij")).amax(0).flatten()
    edges = torch.tensor([0.5 / 2**level for level in range(levels, 0, -1)], dtype=torch.float64, device="cpu")
    rank = torch.bucketize(highest - ROUNDING, edges)  # an octave holds its upper end
    with torch.inference_mode(False):
        places = rank.sort(stable=True).indices.clone()
    return Order(places, tuple(torch.bincount(rank, minlength=levels + 1).tolist()))


def _count(n: int) -> Tensor:
    return torch.arange(n, dtype=torch.float64, device="cpu")


def check_levels(levels: int | None) -> None:
    if levels is not None and not is_whole(levels, 0, MAX_LEVELS):
        raise ValueError(f"levels must be None or an integer from 0 to {MAX_LEVELS}; got {levels!r:.40}.")


def fewer(levels: int | None, n: int) -> int | None:
    """The levels, or as many as `n` samples can be halved where these are fewer."""
    return None if levels is None else min(levels, count_octaves(n))


def too_deep(
    levels: int | tuple[int, ...], most: int | tuple[int, ...], signal_shape: tuple[int, ...], of: str = "axes"
) -> ValueError:
    """The error of more levels than the axes of a signal can be halved for."""
    least = tuple(2**one for one in levels) if isinstance(levels, tuple) else 2**levels
    return ValueError(
        f"levels={levels} needs {of} of at least {least} samples; got {signal_shape}. "
        f"Pass at most levels={most}, or a larger input."
    )


def levels_of(levels: int | None, signal_shape: tuple[int, ...]) -> int:
    """The levels asked for, or all octaves that there are; `ValueError` for more than these."""
    octaves = count_octaves(max(signal_shape))
    if levels is not None and levels > octaves:
        raise too_deep(levels, octaves, signal_shape, of="an axis")
    return octaves if levels is None else levels


def spectral_bins(layout: Layout, band: Band, spacing: float) -> tuple[Extent, ...]:
    """The frequencies of a band of one axis whose coefficients lie `spacing` cycles per sample apart, from 0 up."""
    if len(layout.signal_shape) > 1:
        return ()
    return even_bins(layout.slices[band].start, layout.slices[band].stop, spacing)


def even_bins(start: int, stop: int, spacing: float) -> tuple[Extent, ...]:
    """Frequencies around multiples of `spacing`, each half-way to its neighbours."""
    return tuple(Extent(max(0.0, (k - 0.5) * spacing), min(0.5, (k + 0.5) * spacing)) for k in range(start, stop))


def fitting_levels(levels: int | None, signal_shape: tuple[int, ...], taps: int) -> int:
    """The levels asked for, or those whose filter fits the shortest axis; `ValueError` where it has too few samples.

    As many fit as `pywt.dwt_max_level` counts.
    """
    n = min(signal_shape)
    if levels is None:
        return max(0, int(math.log2(n / (taps - 1)))) if n >= taps - 1 else 0
    if levels > count_octaves(n):
        raise too_deep(levels, count_octaves(n), signal_shape)
    return levels


def single(x: Tensor) -> Tensor:
    """Half precision as float32, which Fourier transforms take."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def paired(n: int) -> slice:
    """The bins of `n` real samples that stand for a conjugate too."""
    return slice(1, (n + 1) // 2)
