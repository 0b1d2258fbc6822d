"""The dual-tree complex wavelet transform of any number of axes (Kingsbury, 2001; Selesnick et al., 2005)."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from wavelens.core import (
    Band,
    Coefficients,
    Direction,
    Domain,
    Extent,
    Layout,
    Scale,
    level_scales,
    line_angle,
    signal_axes,
)
from wavelens.domains.dualtree_filters import LOW, LOW_AND_HIGH, first_level, further_levels
from wavelens.domains.dwt import scales_by_letter
from wavelens.domains.filterbank import Axis, Matrix, operator
from wavelens.domains.linear_map import FullPrecision, LinearMap
from wavelens.domains.octaves import check_levels, fitting_levels, single
from wavelens.domains.separable import band_of, merge, split

TILT = math.tan(math.radians(15))  # the frequency of a low-pass over that of a high-pass, of an analytic wavelet


@dataclass(frozen=True)
class DualTree(Domain):
    """The dual-tree complex wavelet transform over every axis of a signal `(batch, channel, *axes)`.

    Two wavelet trees a quarter of a sample apart are the real and imaginary parts of wavelets that have one sign of
    frequency along each axis. So the modulus of a coefficient hardly depends on shifts, and a level has
    `(2^axes − 1) 2^(axes − 1)` bands of one direction each: 1, 6 and 28 for one, two and three axes. `biort` names the
    filters of level 1 and `qshift` those of all others, as the field does (`dtcwt`, whose numbers these are).

    Details are complex; the approximation is of real numbers, those of all trees side by side. `2^axes` real numbers
    per sample, in float32 `4 · 2^axes` bytes. The synthesis inverts it for all sizes: ends are mirrored, an odd axis
    gets its last sample again, and a level of no multiple of 4 one more at both ends. Nearly tight: the levels after
    the first keep the norm exactly, the first within 2.5 % for each axis with the near-symmetric filters.

    `levels=None` takes those whose filter fits the shortest axis. Half-precision signals are transformed in float32.

    >>> DualTree(levels=1).layout((8, 8)).orientations()[DualTree(levels=1).layout((8, 8)).bands[1]]
    (75.0,)
    """

    levels: int | None = None
    biort: str = "near_sym_a"
    qshift: str = "qshift_a"
    pyramid: ClassVar[bool] = False  # several bands have one place in a mosaic

    def __post_init__(self) -> None:
        check_levels(self.levels)
        for field, value, names in (("biort", self.biort, LOW_AND_HIGH), ("qshift", self.qshift, LOW)):
            if value not in names:
                raise ValueError(f"{field} is one of {', '.join(names)}; got {value!r}.")

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        return _layout(self, signal_shape)

    def scales(self, layout: Layout) -> tuple[Scale, ...]:
        axes = len(layout.signal_shape)

        def extent(bands: tuple[Band, ...]) -> tuple[Extent, ...]:
            level = bands[0].level
            return (Extent(0.5 / 2**level, 1 / 2**level) if bands[0].is_detail else Extent(0.0, 0.5 / 2**level),) * axes

        return level_scales(layout, extent)

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

    def analysis(self, x: Tensor) -> Coefficients:
        layout = self.layout(signal_axes(x))
        return Coefficients(_apply(x, layout, "dec", "down"), layout)

    def synthesis(self, c: Coefficients) -> Tensor:
        return _apply(c.data, c.layout, "rec", "up")

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        return Coefficients(_apply(g, layout, "rec", "down"), layout)


@lru_cache(maxsize=512)
def _layout(domain: DualTree, signal_shape: tuple[int, ...]) -> Layout:
    axes, lengths = len(signal_shape), _lengths(domain, signal_shape)
    levels = len(lengths[0]) - 1
    _, *keys = ["".join(key) for key in itertools.product("ad", repeat=axes)]
    bands = [Band(levels, "a" * axes, tuple(each[-1] for each in lengths))]
    for level in range(levels, 0, -1):
        shape = tuple(each[level] // 2 for each in lengths)
        bands += [Band(level, key, shape, _name(_direction(key, signs))) for key in keys for signs in _signs(axes)]
    return Layout(domain, signal_shape, tuple(bands), is_complex=True)


def _lengths(domain: DualTree, signal_shape: tuple[int, ...]) -> list[list[int]]:
    """The samples of each axis and of its approximations; `ValueError` for more levels than the shortest has."""
    levels = fitting_levels(domain.levels, signal_shape, len(LOW[domain.qshift]))
    lengths = [[n] for n in signal_shape]
    for each in lengths:
        for level in range(levels):
            each.append(-(-each[-1] // 2) * 2 if level == 0 else -(-each[-1] // 4) * 2)
    return lengths


def _signs(axes: int) -> list[tuple[int, ...]]:
    """Of the frequencies along the axes, one of each pair of opposites: the last is positive."""
    return [(*signs, 1) for signs in itertools.product((1, -1), repeat=axes - 1)]


def _direction(key: str, signs: tuple[int, ...]) -> Direction:
    weights = [sign * (1.0 if letter == "d" else TILT) for letter, sign in zip(key, signs, strict=True)]
    norm = math.hypot(*weights)
    return tuple(weight / norm for weight in weights)


def _name(direction: Direction) -> str:
    """Of a band's direction: the angle of the lines across it in a picture, with more axes the signs along them."""
    if len(direction) == 2:
        return f"{line_angle(*direction):+.0f}°"
    return "".join("+" if along > 0 else "-" for along in direction[:-1])


def _apply(x: Tensor, layout: Layout, side: str, direction: str) -> Tensor:
    result: Tensor = LinearMap.apply(x, _transform, layout, side, direction)  # type: ignore[no-untyped-call]
    return result


def _transform(x: Tensor, layout: Layout, side: str, direction: str) -> Tensor:
    with torch.autocast(x.device.type, enabled=False), FullPrecision():
        return (_down if direction == "down" else _up)(single(x), layout, side)


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
    """What makes the real numbers of all trees complex and keeps their norm; level 1 brings it in, once for all."""
    return 2 ** (-(len(layout.signal_shape) - 1) / 2) if layout.levels else 1.0


def _steps(layout: Layout, side: str, device: torch.device) -> list[list[Axis]]:
    """The operators of each level, one for each axis."""
    domain = layout.domain
    assert isinstance(domain, DualTree)
    lengths = _lengths(domain, layout.signal_shape)
    return [
        [
            _axis(
                domain.qshift if level else domain.biort,
                each[level],
                side,
                device.type,
                1.0 if level or k else _scale(layout),
            )
            for k, each in enumerate(lengths)
        ]
        for level in range(layout.levels)
    ]


@lru_cache(maxsize=256)
def _axis(filters: str, n: int, side: str, device: str, scale: float) -> Axis:
    """One axis of a level; a length that does not fit is extended as `_extend` does."""
    first = filters in LOW_AND_HIGH
    taps, left = first_level(filters, side) if first else further_levels(filters)
    multiple, before = (2, 0) if first else (4, n % 4 // 2)
    fitting = -(-n // multiple) * multiple

    def extend(length: int, t: int) -> Matrix:
        return _extend(length, t + before, before, fitting - n, side)

    m = fitting if first else fitting // 2
    return operator(scale * taps, 1 if first else 4, n, m, left + before, extend, device, period=1)


def _extend(n: int, t: int, before: int, gap: int, side: str) -> Matrix:
    """The weights of `n` samples at place `t` of the mirrored extended signal.

    It has `gap` samples more, of which some stand `before`: the nearest ones again, or zeros for the reconstruction.
    """
    turns, place = divmod(t, n + gap)
    place = (place if turns % 2 == 0 else n + gap - 1 - place) - before
    row = np.zeros(n)
    if 0 <= place < n or side == "dec":
        row[min(max(place, 0), n - 1)] = 1
    return row
