"""The separable discrete wavelet transform, for any number of axes by one code (Mallat, 1989).

PyWavelets gives the filters; names, modes, orders and sizes are its own, and so are the numbers (tests hold them to
1e-10). Analysis, synthesis and their adjoints are four uses of the two kernels in `filterbank`, and one operator over
them, so derivatives of any order are transforms again and nothing is saved for the backward pass.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import starmap
from typing import Any

import numpy as np
import pywt
import torch
from numpy.typing import NDArray
from torch import Tensor

from wavelens.core import (
    Band,
    Coefficients,
    Direction,
    Extent,
    Layout,
    Scale,
    level_scales,
    mixed_directions,
)
from wavelens.domains import butterfly
from wavelens.domains.delays import delay
from wavelens.domains.filterbank import Axis, axis, coefficient_length, whole
from wavelens.domains.linear_map import FilterBank
from wavelens.domains.octaves import MAX_LEVELS, count_octaves, single, too_deep
from wavelens.domains.separable import band_of, merge, split
from wavelens.field_types import check_fields
from wavelens.precision import full_precision
from wavelens.whole_numbers import is_whole

FILTER_LENGTHS = {wavelet: int(pywt.Wavelet(wavelet).dec_len) for wavelet in pywt.wavelist(kind="discrete")}
MODES = frozenset(pywt.Modes.modes)


@dataclass(frozen=True)
class DWT(FilterBank):
    """Discrete wavelet transform over every axis of a signal `(batch, channel, *axes)`.

    `wavelet` is any discrete wavelet of PyWavelets, `mode` any of its extension modes. The default,
    periodization, has as many coefficients as samples and is orthonormal for orthogonal wavelets; padded modes have
    more coefficients. `levels=None` takes as many as make sense for the shortest axis: those whose filter still fits
    (`pywt.dwtn_max_level`). Asking for levels that the axes cannot be halved for is a `ValueError`.

    A tuple has the levels of each axis: axis `i` is split in the first `levels[i]` steps, and not at all for 0. From
    then on it keeps the letter 'a', and its coefficients the scale of its last step: `DWT("haar", levels=(1, 3))` has
    the bands aa3, ad3, ad2, ad1, da1 and dd1.

    Half-precision signals are transformed in float32 and rounded once, at the end.

    >>> c = wl.DWT("db2", levels=1).analysis(x)
    >>> c.data.shape, bool((c.synthesis() - x).abs().max() < 1e-9)
    (torch.Size([1, 1, 64]), True)
    """

    wavelet: str = "haar"
    levels: int | tuple[int, ...] | None = None
    mode: str = "periodization"

    def __post_init__(self) -> None:
        check_fields(self, "wavelet", "mode")
        if self.wavelet not in FILTER_LENGTHS:
            raise ValueError(
                f"wavelet must be a discrete wavelet of PyWavelets, such as 'haar', 'db4', 'sym8' or 'bior2.4'; got "
                f"{self.wavelet!r}. See pywt.wavelist(kind='discrete')."
            )
        if self.mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(sorted(MODES))}; got {self.mode!r}.")
        each = self.levels if isinstance(self.levels, tuple) else (self.levels,)
        wrong = not all(is_whole(n, 0, MAX_LEVELS) for n in each)
        if self.levels is not None and (wrong or not each):
            raise ValueError(
                f"levels must be None, an integer from 0 to {MAX_LEVELS}, or a tuple with one for each axis such as "
                f"(1, 3, 3); got {self.levels!r}. An axis of n samples has at most log2(n) levels."
            )

    def with_wavelet(self, wavelet: str) -> DWT:
        return replace(self, wavelet=wavelet)

    def with_levels(self, levels: tuple[int, ...]) -> DWT:
        return replace(self, levels=levels if len(set(levels)) > 1 else levels[0])

    def within(self, signal_shape: tuple[int, ...]) -> DWT:
        most = [count_octaves(n) for n in signal_shape]
        if isinstance(self.levels, int):
            return replace(self, levels=min(self.levels, *most))
        if self.levels is None or len(self.levels) != len(most):
            return self
        return replace(self, levels=tuple(map(min, self.levels, most)))

    def period(self, layout: Layout) -> int:
        return int(2**layout.levels)

    def literals(self, layout: Layout) -> tuple[str, tuple[int, ...]]:
        return f"{self.wavelet} {self.mode}", _depths(layout)

    @classmethod
    def of(cls, names: str, levels: tuple[int, ...]) -> DWT:
        wavelet, mode = names.split()
        return cls(wavelet, levels, mode)

    def transform(self, x: Tensor, layout: Layout, side: str, direction: str) -> Tensor:
        """All levels; half precision goes through float32 and is rounded once."""
        with full_precision(x):
            y = (_down if direction == "down" else _up)(single(x), layout, side)
        return y.to(x.dtype)

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        """The layout for signals with these axes."""
        return (_make_layout if torch.compiler.is_compiling() else _layout)(self, signal_shape)

    def scales(self, layout: Layout) -> tuple[Scale, ...]:
        depths = _depths(layout)
        return level_scales(layout, lambda bands: tuple(_extent(bands, k, depth) for k, depth in enumerate(depths)))

    def scales_along(self, layout: Layout, axis: int) -> tuple[Scale, ...]:
        return scales_by_letter(layout, axis, _depths(layout)[axis])

    def directions(self, band: Band, layout: Layout) -> tuple[Direction, ...]:
        return mixed_directions([letter == "d" for letter in band.key])

    def centres(self, band: Band, layout: Layout) -> tuple[Tensor, ...]:
        letters = zip(_depths(layout), band.key, strict=True)
        paths = [("a" * (min(band.level, depth) - 1) + letter) if depth else "" for depth, letter in letters]
        return tuple(starmap(self.places, zip(layout.signal_shape, band.shape, paths, strict=True)))

    def places(self, n: int, m: int, path: str) -> Tensor:
        """Where `m` coefficients lie along an axis of `n` samples, after the filters of a path: see `delay`."""
        # One level puts coefficient i at 2 i + d: halfway between its two samples for periodization, and later by
        # the part of the filter that hangs over the signal's start for the padded modes.
        d = 0.5 if self.mode == "periodization" else 1.5 - FILTER_LENGTHS[self.wavelet] / 2
        step = 2 ** len(path)
        centres: Tensor = (
            step * torch.arange(m, dtype=torch.float64, device="cpu") + d * (step - 1) + delay(self.wavelet, path)
        )
        if self.mode == "periodization":
            centres = centres.remainder(m * step)  # what hangs over one end goes on at the other
        return centres.clamp(0, n - 1)


def _make_layout(domain: DWT, signal_shape: tuple[int, ...]) -> Layout:
    """Approximation first, then details from the coarsest level to the finest, keys in alphabetical order."""
    taps, axes = FILTER_LENGTHS[domain.wavelet], len(signal_shape)
    depths = _fitting_levels(domain, signal_shape, taps)
    deepest, shape, details = max(depths), signal_shape, []
    for level in range(1, deepest + 1):
        split = [level <= depth for depth in depths]
        shape = tuple(
            coefficient_length(n, taps, domain.mode) if halved else n for n, halved in zip(shape, split, strict=True)
        )
        _, *keys = ["".join(key) for key in itertools.product(*("ad" if halved else "a" for halved in split))]
        details.append([Band(level, key, shape) for key in keys])
    bands = [Band(deepest, "a" * axes, shape), *itertools.chain(*reversed(details))]
    return Layout(domain, signal_shape, tuple(bands))


_layout = lru_cache(maxsize=512)(_make_layout)


def _fitting_levels(domain: DWT, signal_shape: tuple[int, ...], taps: int) -> tuple[int, ...]:
    """The levels of each axis; `ValueError` where an axis cannot be halved so often."""
    levels, axes = domain.levels, len(signal_shape)
    if levels is None:
        return (_sensible_levels(min(signal_shape), taps),) * axes
    depths = levels if isinstance(levels, tuple) else (levels,) * axes
    if len(depths) != axes:
        raise ValueError(
            f"levels={levels} must have one entry for each of {len(depths)} axes; got a signal with {axes}, "
            f"{signal_shape}. Give one entry for each axis, or one integer for all."
        )
    most = tuple(count_octaves(n) for n in signal_shape)
    if any(depth > limit for depth, limit in zip(depths, most, strict=True)):
        raise too_deep(levels, most if isinstance(levels, tuple) else min(most), signal_shape)
    return depths


def _depths(layout: Layout) -> tuple[int, ...]:
    """How often each axis is split."""
    assert isinstance(layout.domain, DWT)
    levels = layout.domain.levels
    return levels if isinstance(levels, tuple) else (layout.levels,) * len(layout.signal_shape)


def scales_by_letter(layout: Layout, axis: int, depth: int) -> tuple[Scale, ...]:
    """Details along an axis by level, below all bands without, of a pyramid that is `depth` levels deep there."""
    groups: dict[int, list[Band]] = {}  # the bands without detail along the axis are one deeper than all
    for band in layout.bands:
        groups.setdefault(band.level if band.key[axis] == "d" else depth + 1, []).append(band)
    scales = []
    for rank, (level, bands) in enumerate(sorted(groups.items(), reverse=True)):
        extent = _extent(tuple(bands), axis, min(depth, *(band.level for band in bands)))
        scales.append(Scale(f"d{level}" if level <= depth else "a", tuple(bands), rank, (extent,), level <= depth))
    return tuple(scales)


def _extent(bands: tuple[Band, ...], axis: int, depth: int) -> Extent:
    """The octave of a level's details along an axis; all below the `depth` octaves where it has none there."""
    level = next((band.level for band in bands if band.key[axis] == "d"), None)
    return Extent(0.0, 0.5 / 2**depth) if level is None else Extent(0.5 / 2**level, 1 / 2**level)


def _sensible_levels(n: int, taps: int) -> int:
    """Halvings of `n` samples until the filter no longer fits, as `pywt.dwt_max_level` counts them."""
    return max(0, int(math.log2(n / (taps - 1)))) if n >= taps - 1 else 0


def _down(x: Tensor, layout: Layout, side: str) -> Tensor:
    lead = x.shape[: x.ndim - len(layout.signal_shape)]
    low = x.reshape(-1, *layout.signal_shape)
    packed = x.new_empty((len(low), layout.size))
    for level, operators in enumerate(_steps(layout, side, x.device), 1):
        targets = {band.key: packed[:, piece].view(-1, *band.shape) for band, piece in _details(layout, level)}
        low = (butterfly.down if _pairs(operators) else _split)(low, operators, targets)
    packed[:, layout.slices[layout.bands[0]]] = low.reshape(len(low), -1)
    return packed.reshape(*lead, -1)


def _up(data: Tensor, layout: Layout, side: str) -> Tensor:
    lead, approximation = data.shape[:-1], layout.bands[0]
    packed = data.reshape(-1, layout.size)
    low = packed[:, layout.slices[approximation]].reshape(-1, *approximation.shape)
    for level, operators in reversed(list(enumerate(_steps(layout, side, data.device), 1))):
        sources = {band.key: packed[:, piece].view(-1, *band.shape) for band, piece in _details(layout, level)}
        low = (butterfly.up if _pairs(operators) else merge)(low, operators, sources)
    signal = low.reshape(*lead, *layout.signal_shape)
    return signal if layout.levels else signal.clone()


def _steps(layout: Layout, side: str, device: torch.device) -> list[list[Axis]]:
    """The operators of each level, an axis each; those of an axis that is split no more leave it as it is."""
    domain, lengths, steps = layout.domain, layout.signal_shape, []
    assert isinstance(domain, DWT)
    for level in range(1, layout.levels + 1):
        halved = [level <= depth for depth in _depths(layout)]
        steps.append(
            [
                axis(domain.wavelet, domain.mode, n, side, device.type) if split else whole(n)
                for n, split in zip(lengths, halved, strict=True)
            ]
        )
        lengths = tuple(a.m for a in steps[-1])
    return steps


def _pairs(operators: list[Axis]) -> bool:
    return all(a.pairs or a.kinds == 1 for a in operators)


def _details(layout: Layout, level: int) -> list[tuple[Band, slice]]:
    return [(band, piece) for band, piece in layout.slices.items() if band.level == level and band.is_detail]


def _split(low: Tensor, operators: list[Axis], targets: dict[str, Tensor]) -> Tensor:
    """One level: writes the details to `targets`, returns the approximation."""
    cube = split(low, operators)
    for key, target in targets.items():
        target.copy_(band_of(cube, key, operators))
    return band_of(cube, "a" * len(operators), operators)


def to_pywt(c: Coefficients) -> list[Any]:
    """The coefficients as `pywt.wavedecn` gives them: `[approximation, {key: detail}, …]`, coarsest first.

    Arrays keep the batch in front, so `pywt.waverecn(…, axes=range(-d, 0))` takes them back. `ValueError` where the
    levels differ from axis to axis, which `pywt.wavedecn` cannot do.
    """
    depths = _depths(c.layout)
    if len(set(depths)) > 1:
        raise ValueError(
            f"pywt.wavedecn takes one number of levels for all axes; got levels={depths}. "
            "Read the bands themselves, `for band, values in c`."
        )
    arrays = {band: part.detach().cpu().numpy() for band, part in c}
    first, *rest = c.layout.bands
    by_level = itertools.groupby(rest, key=lambda band: band.level)
    return [arrays[first], *({band.key: arrays[band] for band in bands} for _, bands in by_level)]


def from_pywt(
    coefficients: Sequence[NDArray[Any] | Mapping[str, NDArray[Any]]], domain: DWT, signal_shape: Sequence[int]
) -> Coefficients:
    """Coefficients from `pywt.wavedecn`'s list, for signals with axes `signal_shape`; the inverse of `to_pywt`."""
    layout = domain.layout(tuple(signal_shape))
    parts: list[NDArray[Any]] = []
    for level in coefficients:
        parts += [level[key] for key in sorted(level)] if isinstance(level, Mapping) else [level]
    if [np.shape(p)[-len(signal_shape) :] for p in parts] != [band.shape for band in layout.bands]:
        raise ValueError(
            f"coefficients of {domain} for axes {tuple(signal_shape)} must have {len(layout.bands)} bands shaped "
            f"{[band.shape for band in layout.bands]}; got {[np.shape(p) for p in parts]}. "
            "Give the domain the wavelet, levels and mode that made them."
        )
    packed = [np.reshape(p, (*np.shape(p)[: np.ndim(p) - len(signal_shape)], -1)) for p in parts]
    return Coefficients(torch.from_numpy(np.concatenate(packed, axis=-1)), layout)
