"""The dual-tree complex wavelet transform of any number of axes (Kingsbury, 2001; Selesnick et al., 2005)."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor

from wavelens.core import (
    Band,
    Direction,
    Layout,
    Scale,
    level_scales,
    line_angle,
)
from wavelens.domains.dualtree_filters import LOW, LOW_AND_HIGH, level_axis
from wavelens.domains.dwt import scales_by_letter
from wavelens.domains.filterbank import Axis
from wavelens.domains.linear_map import FilterBank
from wavelens.domains.octaves import check_levels, fewer, fitting_levels, octave_extent, single
from wavelens.domains.separable import band_of, merge, split
from wavelens.field_types import check_fields
from wavelens.precision import full_precision

TILT = math.tan(math.radians(15))  # the frequency of a low-pass over that of a high-pass, of an analytic wavelet


@dataclass(frozen=True)
class DualTree(FilterBank):
    """The dual-tree complex wavelet transform over every axis of a signal `(batch, channel, *axes)`.

    Two wavelet trees, half a sample apart in all levels but the first, are the real and the imaginary part of wavelets
    with one sign of frequency along each axis. So the modulus of a coefficient hardly depends on shifts, and each band
    has one direction: `(2^axes − 1) 2^(axes − 1)` per level, which is 1, 6 and 28 for one, two and three axes. `biort`
    names the filters of level 1, `qshift` those of the others, as the field and PyPI's `dtcwt` do, whose numbers these
    are. In level 1 the trees are a whole sample apart, and directions are told apart less well.

    Details are complex, and the approximation has the real numbers of all trees side by side: `2^axes` real numbers per
    sample, in float32 `4 · 2^axes` bytes. The frame is neither orthonormal nor tight, but nearly tight: level 1 keeps
    the norm within 2.5 % along each axis with the near-symmetric filters, the others exactly. The synthesis inverts it
    for every size: ends are mirrored, an odd axis gets its last sample again, and a level whose length is no multiple
    of 4 gets one sample more at both ends.

    `levels=None` takes those whose filter fits the shortest axis. Half-precision signals are transformed in float32.

    >>> layout = DualTree(levels=1).layout((8, 8))
    >>> [str(band) for band in layout.bands]
    ['aa1', 'ad1 +75°', 'ad1 -75°', 'da1 +15°', 'da1 -15°', 'dd1 +45°', 'dd1 -45°']
    >>> layout.orientations()[layout.bands[1]]
    (75.0,)
    """

    levels: int | None = None
    biort: str = "near_sym_a"
    qshift: str = "qshift_a"
    pyramid: ClassVar[bool] = False  # several bands have one place in a mosaic

    def __post_init__(self) -> None:
        check_fields(self)
        check_levels(self.levels)
        for field, value, names in (("biort", self.biort, LOW_AND_HIGH), ("qshift", self.qshift, LOW)):
            if value not in names:
                raise ValueError(f"{field} must be one of {', '.join(names)}; got {value!r}.")

    def with_levels(self, levels: tuple[int, ...]) -> DualTree:
        return replace(self, levels=min(levels))

    def within(self, signal_shape: tuple[int, ...]) -> DualTree:
        return replace(self, levels=fewer(self.levels, min(signal_shape)))

    def period(self, layout: Layout) -> int:
        return int(2**layout.levels)

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        return (_make_layout if torch.compiler.is_compiling() else _layout)(self, signal_shape)

    def scales(self, layout: Layout) -> tuple[Scale, ...]:
        return level_scales(layout, lambda bands: (octave_extent(bands[0]),) * len(layout.signal_shape))

    def scales_along(self, layout: Layout, axis: int) -> tuple[Scale, ...]:
        return scales_by_letter(layout, axis, layout.levels)

    def directions(self, band: Band, layout: Layout) -> tuple[Direction, ...]:
        if not band.is_detail:
            return ()
        axes = len(layout.signal_shape)
        return (_direction(band.key, _signs(axes)[(layout.bands.index(band) - 1) % 2 ** (axes - 1)]),)

    def centres(self, band: Band, layout: Layout) -> tuple[Tensor, ...]:
        """A level's samples lie halfway between two of the one before; a coefficient lies between two of them."""
        places = []
        for axis, m in enumerate(band.shape):
            start, step = 0.0, 1.0
            for length in _lengths(self, layout.signal_shape)[axis][1 : band.level]:
                start, step = start + step * (0.5 - (length % 4) / 2), 2 * step
            each, first = (2, 0.5) if band.is_detail else (1, 0.0)
            places.append(start + step * (each * torch.arange(m, dtype=torch.float64, device="cpu") + first))
        return tuple(p.clamp(0, n - 1) for p, n in zip(places, layout.signal_shape, strict=True))

    def literals(self, layout: Layout) -> tuple[str, tuple[int, ...]]:
        return f"{self.biort} {self.qshift}", (layout.levels,)

    @classmethod
    def of(cls, names: str, levels: tuple[int, ...]) -> DualTree:
        biort, qshift = names.split()
        return cls(levels[0], biort, qshift)

    def transform(self, x: Tensor, layout: Layout, side: str, direction: str) -> Tensor:
        with full_precision(x):
            return (_down if direction == "down" else _up)(single(x), layout, side)


def _make_layout(domain: DualTree, signal_shape: tuple[int, ...]) -> Layout:
    axes, lengths = len(signal_shape), _lengths(domain, signal_shape)
    levels = len(lengths[0]) - 1
    _, *keys = ["".join(key) for key in itertools.product("ad", repeat=axes)]
    bands = [Band(levels, "a" * axes, tuple(each[-1] for each in lengths))]
    for level in range(levels, 0, -1):
        shape = tuple(each[level] // 2 for each in lengths)
        bands += [Band(level, key, shape, _name(_direction(key, signs))) for key in keys for signs in _signs(axes)]
    return Layout(domain, signal_shape, tuple(bands), is_complex=True)


_layout = lru_cache(maxsize=512)(_make_layout)


def _lengths(domain: DualTree, signal_shape: tuple[int, ...]) -> list[list[int]]:
    """The samples of each axis and of its approximations; `ValueError` for more levels than the shortest has."""
    levels = fitting_levels(domain.levels, signal_shape, len(LOW[domain.qshift]))
    lengths = [[n] for n in signal_shape]
    for each in lengths:
        for level in range(levels):
            each.append(-(-each[-1] // 2) * 2 if level == 0 else -(-each[-1] // 4) * 2)
    return lengths


def _signs(axes: int) -> list[tuple[int, ...]]:
    """The signs of a wavelet's frequencies along the axes, without opposites: the last one is positive."""
    return [(*signs, 1) for signs in itertools.product((1, -1), repeat=axes - 1)]


def _direction(key: str, signs: tuple[int, ...]) -> Direction:
    weights = [sign * (1.0 if letter == "d" else TILT) for letter, sign in zip(key, signs, strict=True)]
    norm = math.hypot(*weights)
    return tuple(weight / norm for weight in weights)


def _name(direction: Direction) -> str:
    """The text of a direction: in a picture the angle of the lines across it, with more axes its signs along them."""
    if len(direction) == 2:
        return f"{line_angle(*direction):+.0f}°"
    return "".join("+" if along > 0 else "-" for along in direction[:-1])


def _down(x: Tensor, layout: Layout, side: str) -> Tensor:
    lead, axes = x.shape[: x.ndim - len(layout.signal_shape)], len(layout.signal_shape)
    low = x.reshape(-1, *layout.signal_shape)
    packed = x.new_empty((len(low), layout.size), dtype=x.dtype.to_complex())
    for level, operators in enumerate(_steps(layout, side, x.device), 1):
        cube = split(low, operators)
        for key, targets in _details(packed, layout, level):
            _combine(band_of(cube, key, operators), targets)
        low = band_of(cube, "a" * axes, operators)
    packed[:, layout.slices[layout.bands[0]]] = low.reshape(len(low), -1) / _scale(layout)
    return packed.reshape(*lead, -1)


def _up(data: Tensor, layout: Layout, side: str) -> Tensor:
    lead, approximation = data.shape[:-1], layout.bands[0]
    packed = data.reshape(-1, layout.size)
    low = packed[:, layout.slices[approximation]].real.reshape(-1, *approximation.shape) / _scale(layout)
    for level, operators in reversed(list(enumerate(_steps(layout, side, data.device), 1))):
        sources = {key: _separate(parts) for key, parts in _details(packed, layout, level)}
        low = merge(low, operators, sources)
    return low.reshape(*lead, *layout.signal_shape)


def _combine(part: Tensor, targets: list[Tensor]) -> None:
    """The real numbers of all trees, `(batch, m, m, …)`, as complex ones, each into its target `(batch, m/2, …)`."""
    parts = [torch.view_as_complex(part.unflatten(-1, (-1, 2)))]
    if part.ndim == 2:
        targets[0].copy_(parts[0])
    for axis in range(1, part.ndim - 1):
        outs = targets if axis == part.ndim - 2 else [None] * (2 * len(parts))
        pairs = [(one.unflatten(axis, (-1, 2)).unbind(axis + 1), sign) for one in parts for sign in (1j, -1j)]
        parts = [torch.add(a, b, alpha=sign, out=out) for ((a, b), sign), out in zip(pairs, outs, strict=True)]


def _separate(parts: list[Tensor]) -> Tensor:
    """The transpose of `_combine`."""
    for axis in range(parts[0].ndim - 2, 0, -1):
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [torch.stack([a + b, (b - a) * 1j], axis + 1).flatten(axis, axis + 1) for a, b in pairs]
    return torch.view_as_real(parts[0]).flatten(-2)


def _details(packed: Tensor, layout: Layout, level: int) -> list[tuple[str, list[Tensor]]]:
    """For each key of a level its bands, one for each direction, as views of the packed coefficients."""
    views: dict[str, list[Tensor]] = {}
    for band, piece in layout.slices.items():
        if band.level == level and band.is_detail:
            views.setdefault(band.key, []).append(packed[:, piece].view(-1, *band.shape))
    return list(views.items())


def _scale(layout: Layout) -> float:
    """The factor that keeps the norm where numbers of all trees become complex ones; level 1 has it in its filters."""
    return 2 ** (-(len(layout.signal_shape) - 1) / 2) if layout.levels else 1.0


def _steps(layout: Layout, side: str, device: torch.device) -> list[list[Axis]]:
    """The operators of each level, one for each axis."""
    domain = layout.domain
    assert isinstance(domain, DualTree)
    lengths = _lengths(domain, layout.signal_shape)
    names = [domain.biort, *[domain.qshift] * layout.levels]

    def operator(level: int, axis: int) -> Axis:
        scale = _scale(layout) if level == axis == 0 else 1.0
        return level_axis(names[level], lengths[axis][level], side, device.type, scale)

    return [[operator(level, axis) for axis in range(len(lengths))] for level in range(layout.levels)]
