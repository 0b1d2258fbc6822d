"""Wavelet packets of any number of axes: details are split too, in all bands or in a chosen basis."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import starmap

import torch
from torch import Tensor

from wavelens.core import Band, Coefficients, Direction, Domain, Extent, Layout, Scale, mixed_directions, signal_axes
from wavelens.domains.dwt import DWT
from wavelens.domains.octaves import MAX_LEVELS, count_octaves, single, too_deep
from wavelens.field_types import check_fields
from wavelens.whole_numbers import is_whole

COSTS = ("entropy", "log-energy")
Path = tuple[str, ...]  # one key per level, with one letter per axis


@dataclass(frozen=True)
class Packets(Domain):
    """Wavelet packets over every axis of a signal `(batch, channel, *axes)` (Coifman and Wickerhauser, 1992).

    Every band is split `levels` times along all axes, by the `wavelet` and `mode` of `DWT`: uniform bands, in the order
    of their frequencies. `basis` names the nodes of another basis as PyWavelets does, 'aad' for the details of the
    approximation's approximation, in two axes 'aada' for the 'da' of 'aa'; `best_basis` finds one for given signals.
    Nodes that do not make a basis are a `ValueError`. Orthonormal where the DWT is.

    A scale is what has the same range of the largest frequency along any axis: 'p3.5' is the sixth of the eight bands
    of three levels. Half-precision signals are transformed in float32 and rounded once, at the end.

    >>> c = wl.Packets("haar", levels=2).analysis(x)
    >>> c.data.shape, bool((c.synthesis() - x).abs().max() < 1e-9)
    (torch.Size([1, 1, 64]), True)
    """

    wavelet: str = "haar"
    levels: int = 3
    mode: str = "periodization"
    basis: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check_fields(self, "wavelet", "mode")
        DWT(self.wavelet, 1, self.mode)  # says what is wrong with them
        if not is_whole(self.levels, 0, MAX_LEVELS):
            raise ValueError(f"levels must be an integer from 0 to {MAX_LEVELS}; got {self.levels!r:.40}.")
        is_tuple = isinstance(self.basis, tuple) and all(isinstance(node, str) for node in self.basis)
        if self.basis is not None and not is_tuple:
            raise ValueError(
                f"basis must be a tuple of nodes such as ('a', 'da', 'dd'), or None; got {self.basis!r:.80}."
            )

    def with_wavelet(self, wavelet: str) -> Packets:
        return replace(self, wavelet=wavelet)

    def with_levels(self, levels: tuple[int, ...]) -> Packets:
        return replace(self, levels=min(levels))

    def within(self, signal_shape: tuple[int, ...]) -> Packets:
        return replace(self, levels=min(self.levels, count_octaves(min(signal_shape))))

    def period(self, layout: Layout) -> int:
        return int(2 ** max(band.level for band in layout.bands))

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        return _layout(self, signal_shape)

    def scales(self, layout: Layout) -> tuple[Scale, ...]:
        axes = len(layout.signal_shape)
        keyed = ((_ring(path, axes), band) for path, band in zip(_leaves(self, axes), layout.bands, strict=True))
        scales: list[Scale] = []
        for (_, level, k), group in itertools.groupby(keyed, key=lambda pair: pair[0]):
            bands = tuple(band for _, band in group)
            extent = (Extent(k * 0.5 / 2**level, (k + 1) * 0.5 / 2**level),) * axes
            scales.append(Scale(f"p{level}.{k}", bands, len(scales), extent, k > 0))
        return tuple(scales)

    def scales_along(self, layout: Layout, axis: int) -> tuple[Scale, ...]:
        groups: dict[tuple[float, int, int], list[Band]] = {}
        for path, band in zip(_leaves(self, len(layout.signal_shape)), layout.bands, strict=True):
            k, level = _frequency(path, axis), len(path)
            groups.setdefault((k / 2**level, level, k), []).append(band)
        scales = []
        for rank, ((_, level, k), bands) in enumerate(sorted(groups.items())):
            extent = Extent(k * 0.5 / 2**level, (k + 1) * 0.5 / 2**level)
            scales.append(Scale(f"p{level}.{k}", tuple(bands), rank, (extent,), k > 0))
        return tuple(scales)

    def directions(self, band: Band, layout: Layout) -> tuple[Direction, ...]:
        path = _leaves(self, len(layout.signal_shape))[layout.bands.index(band)]
        places = [_frequency(path, axis) for axis in range(len(layout.signal_shape))]
        return mixed_directions([k + 0.5 if k else 0.0 for k in places])  # the lowest band is centred on 0

    def centres(self, band: Band, layout: Layout) -> tuple[Tensor, ...]:
        leaf = _leaves(self, len(layout.signal_shape))[layout.bands.index(band)]
        paths = ["".join(key[axis] for key in leaf) for axis in range(len(layout.signal_shape))]
        return tuple(starmap(self._step.places, zip(layout.signal_shape, band.shape, paths, strict=True)))

    def analysis(self, x: Tensor) -> Coefficients:
        one = self._step
        return self._down(x, self.layout(signal_axes(x)), lambda x: one.analysis(x))

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        one = self._step
        return self._down(g, layout, lambda g: one.adjoint(g, one.layout(tuple(g.shape[2:]))))

    def _down(self, x: Tensor, layout: Layout, split: Callable[[Tensor], Coefficients]) -> Coefficients:
        """All nodes of a level at once: they have one shape."""
        axes = len(layout.signal_shape)
        leaves = _leaves(self, axes)
        nodes: dict[Path, Tensor] = {(): single(x).reshape(-1, *layout.signal_shape)}
        for level in range(max(map(len, leaves))):
            inner = [path for path in nodes if any(len(leaf) > level and leaf[:level] == path for leaf in leaves)]
            c = split(torch.stack([nodes.pop(path) for path in inner], 1))
            for band, part in c:
                nodes |= {(*path, band.key): part[:, k] for k, path in enumerate(inner)}
        flat = torch.cat([nodes[leaf].flatten(1) for leaf in leaves], 1)
        return Coefficients(flat.reshape(*x.shape[: x.ndim - axes], -1).to(x.dtype), layout)

    def synthesis(self, c: Coefficients) -> Tensor:
        axes, one = len(c.layout.signal_shape), self._step
        leaves = _leaves(self, axes)
        shapes = _shapes(self, c.layout.signal_shape, max(map(len, leaves)))
        nodes = {leaf: single(part).reshape(-1, *band.shape) for leaf, (band, part) in zip(leaves, c, strict=True)}
        for level in range(max(map(len, leaves)) - 1, -1, -1):
            inner = sorted({path[:level] for path in nodes if len(path) == level + 1})
            layout = one.layout(shapes[level])
            children = [torch.stack([nodes.pop((*path, b.key)) for path in inner], 1).flatten(2) for b in layout.bands]
            whole = one.synthesis(Coefficients(torch.cat(children, -1), layout))
            nodes |= {path: whole[:, k] for k, path in enumerate(inner)}
        return nodes[()].reshape(*c.data.shape[:-1], *c.layout.signal_shape).to(c.data.dtype)

    @property
    def _step(self) -> DWT:
        return DWT(self.wavelet, 1, self.mode)


def best_basis(x: Tensor, domain: Packets, cost: str = "entropy") -> Packets:
    """The packets whose basis costs least for the signals `x`, `(batch, channel, *axes)`, of all up to its levels.

    `cost` is "entropy", −Σ p log p of each coefficient's share p of the signals' energy, or "log-energy", Σ log |z|² of
    the coefficients that are not 0. A node is split where its children cost less (Coifman and Wickerhauser, 1992).

    >>> import torch
    >>> tone = torch.sin(2.0 * torch.arange(64))[None, None]
    >>> best_basis(tone, Packets("db4", levels=2)).basis
    ('aa', 'ad', 'da', 'dd')
    """
    if not isinstance(domain, Packets):
        raise TypeError(f"a best basis must be one of Packets such as Packets('haar', levels=3); got {domain!r}.")
    if cost not in COSTS:
        raise ValueError(f"cost must be one of {', '.join(COSTS)}; got {cost!r}.")
    axes, nodes = len(signal_axes(x)), dict[Path, float]()
    total = x.square().sum().clamp_min(torch.finfo(x.dtype).tiny)
    for level in range(domain.levels + 1):
        uniform = Packets(domain.wavelet, level, domain.mode)
        z = uniform.analysis(x)
        nodes |= {path: _cost(part, total, cost) for path, (_, part) in zip(_leaves(uniform, axes), z, strict=True)}
    leaves = _cheapest((), nodes, domain.levels, axes)[1]
    return Packets(domain.wavelet, domain.levels, domain.mode, tuple(sorted("".join(path) for path in leaves)))


def _cheapest(path: Path, costs: dict[Path, float], levels: int, axes: int) -> tuple[float, list[Path]]:
    if len(path) == levels:
        return costs[path], [path]
    parts = [_cheapest((*path, key), costs, levels, axes) for key in _keys(axes)]
    split = sum(part for part, _ in parts)
    if split < costs[path] - 1e-9 * abs(costs[path]):  # rounding does not split
        return split, [leaf for _, leaves in parts for leaf in leaves]
    return costs[path], [path]


def _cost(part: Tensor, total: Tensor, cost: str) -> float:
    energy = part.double().square()
    if cost == "log-energy":
        return float(energy[energy > 0].log().sum())
    share = energy / total
    return float(-torch.xlogy(share, share).sum())


def _keys(axes: int) -> list[str]:
    return ["".join(key) for key in itertools.product("ad", repeat=axes)]


def _frequency(path: Path, axis: int) -> int:
    """A node's place among the bands of its level along one axis: filtering details turns their order round (Gray)."""
    k, turned = 0, False
    for key in path:
        high = (key[axis] == "d") != turned
        k, turned = 2 * k + high, high
    return k


def _ring(path: Path, axes: int) -> tuple[float, int, int]:
    """What a scale has in common: where the largest frequency begins, the level, and its band there."""
    level = len(path)
    k = max((_frequency(path, axis) for axis in range(axes)), default=0)
    return k / 2**level, level, k


@lru_cache(maxsize=256)
def _leaves(domain: Packets, axes: int) -> tuple[Path, ...]:
    """The nodes of the basis in the order of their frequencies; `ValueError` where they make none."""
    if domain.basis is None:
        paths = list(itertools.product(_keys(axes), repeat=domain.levels))
    else:
        paths = [tuple(node[k : k + axes] for k in range(0, len(node), axes)) for node in domain.basis]
        whole = all(len(node) % axes == 0 and set(node) <= set("ad") for node in domain.basis)
        inside = any(a != b and b[: len(a)] == a for a in paths for b in paths)
        if not whole or inside or len(set(paths)) < len(paths) or sum(2.0 ** (-axes * len(p)) for p in paths) != 1:
            raise ValueError(
                f"basis must have nodes that make up the signal and do not hold one another, with {axes} letters 'a' "
                f"or 'd' per level; got {domain.basis}."
            )
    return tuple(sorted(paths, key=lambda p: (*_ring(p, axes), *(_frequency(p, axis) for axis in range(axes)))))


@lru_cache(maxsize=256)
def _shapes(domain: Packets, signal_shape: tuple[int, ...], levels: int) -> tuple[tuple[int, ...], ...]:
    """The shape of the nodes at each level; `ValueError` where an axis cannot be halved so often."""
    most = count_octaves(min(signal_shape))
    if levels > most:
        raise too_deep(levels, most, signal_shape)
    shapes, one = [signal_shape], DWT(domain.wavelet, 1, domain.mode)
    for _ in range(levels):
        shapes.append(one.layout(shapes[-1]).bands[0].shape)
    return tuple(shapes)


@lru_cache(maxsize=256)
def _layout(domain: Packets, signal_shape: tuple[int, ...]) -> Layout:
    axes = len(signal_shape)
    if domain.basis is None:
        _shapes(domain, signal_shape, domain.levels)  # says now that the levels do not fit: there are powers of bands
    leaves = _leaves(domain, axes)
    shapes = _shapes(domain, signal_shape, max(map(len, leaves)))
    places = [",".join(str(_frequency(path, axis)) for axis in range(axes)) for path in leaves]
    bands = (Band(len(path), "", shapes[len(path)], place) for path, place in zip(leaves, places, strict=True))
    return Layout(domain, signal_shape, tuple(bands))
