"""Haar wavelets on a hierarchy of the samples: a tree of points, of tokens, or of anything (Gavish et al., 2010)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor

from wavelens.bound import Bound, ItemDomain
from wavelens.core import Band, Extent, Layout, Scale, signal_axes
from wavelens.domains import balanced
from wavelens.domains.linear import linear
from wavelens.domains.octaves import single
from wavelens.points import k_d_order, principal
from wavelens.whole_numbers import is_whole

AXES = ("coordinates", "principal")

Tree = Any  # a sample's number, or a tuple of trees


@dataclass(frozen=True)
class TreeHaar(ItemDomain):
    """Orthonormal Haar wavelets on a binary hierarchy of the samples of a signal `(batch, channel, samples)`.

    A coefficient compares the means of the two halves of a node, `√(n₁ n₂ / (n₁ + n₂)) (mean₁ − mean₂)`, and one more
    is the mean of all, times the root of their number. On a balanced tree of neighbours that is `DWT("haar")`. Any
    number of samples takes time and memory in proportion.

    Without a `tree`, each item has its own k-d tree: its first `coordinates` channels are where its points lie, and
    every node is halved at the median along its longest side. The sequence of the points does not matter. With
    `axes="principal"` sides run along the cloud's principal axes in place of its coordinates, so that neither does how
    it was moved, turned or mirrored, unless two principal axes are equally long. A `tree` of nested tuples is shared by
    all items, such as `((0, 1), (2, (3, 4)))` for words and phrases; a node of more than two is split into its first
    and the others.

    Scales are levels of the tree, 'd1' the last halves, 'a' the mean. In a k-d tree they have lengths in the unit of
    the coordinates: the median of the longest side of their nodes, up to that of the nodes above.

    >>> points = x.reshape(1, 4, 16)
    >>> c = wl.TreeHaar().analysis(points)
    >>> bool((c.synthesis() - points).abs().max() < 1e-9)
    True
    """

    tree: Tree = None
    coordinates: int = 3
    axes: str = "coordinates"

    def __post_init__(self) -> None:
        if self.axes not in AXES:
            raise ValueError(f"axes must be one of {', '.join(AXES)}; got {self.axes!r}.")
        if not is_whole(self.coordinates, 1):
            raise ValueError(
                f"coordinates must be the number of channels with places, from 1; got {self.coordinates!r}."
            )
        try:
            leaves = [] if self.tree is None else list(_leaves(self.tree))
            if self.tree is not None:
                _nodes(self.tree, len(leaves))
        except TypeError:  # a list
            raise ValueError(
                f"tree must hold samples in nested tuples; got {self.tree!r}. Make tuples of lists."
            ) from None
        except RecursionError:
            raise ValueError("tree must be at most some 900 nodes deep; got a deeper one. Nest it evenly.") from None
        if not all(map(is_whole, leaves)) or sorted(leaves) != list(range(len(leaves))):
            raise ValueError(f"tree must hold each sample once, from 0, in nested tuples; got {self.tree!r}.")

    def rebound(self, tensors: dict[str, Tensor]) -> Bound:
        order = tensors["order"]
        if (
            order.ndim != 2
            or order.dtype != torch.long
            or not order.sort(1).values.equal(torch.arange(order.shape[1], device=order.device).expand_as(order))
        ):
            raise ValueError(f"an order must list each sample of an item once; got shape {tuple(order.shape)}.")
        sides, given = tensors.get("sides"), self.tree is not None
        if given != (sides is None) or (sides is not None and sides.shape != (len(order), _depths(order.shape[1]))):
            shape = "none" if sides is None else tuple(sides.shape)
            raise ValueError(
                f"k-d trees must have sides, one for each item and depth, and other trees none; got {shape}."
            )
        return Bound(self, tensors)

    def bound_axes(self, geometry: dict[str, Tensor]) -> tuple[int, ...]:
        return tuple(geometry["order"].shape[1:])

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        if len(signal_shape) != 1:
            raise ValueError(
                f"TreeHaar takes signals with one axis, the samples; got axes {signal_shape}. Flatten them."
            )
        if self.tree is not None and len(list(_leaves(self.tree))) != signal_shape[0]:
            raise ValueError(
                f"the tree has {len(list(_leaves(self.tree)))} samples; got a signal with {signal_shape[0]}."
            )
        levels = _nodes(self.tree, signal_shape[0])[1]
        details = (Band(len(levels) - depth, "d", (count,)) for depth, count in enumerate(levels))
        return Layout(self, signal_shape, (Band(len(levels), "a", (1,)), *details))

    def geometry(self, x: Tensor) -> dict[str, Tensor]:
        self.layout(signal_axes(x))  # says what does not fit
        if self.tree is not None:
            return {"order": torch.tensor(list(_leaves(self.tree)), device=x.device).expand(len(x), -1)}
        if x.shape[1] < self.coordinates:
            raise ValueError(
                f"the first {self.coordinates} channels must be coordinates; got a signal with {x.shape[1]}. Pass "
                "coordinates=…, or a tree."
            )
        points = x[:, : self.coordinates].detach().movedim(1, 2)
        order, sides = k_d_order(principal(points) if self.axes == "principal" else points)
        return {"order": order, "sides": sides}

    def scales_of(self, layout: Layout, geometry: dict[str, Tensor]) -> list[Scale]:
        sides = geometry["sides"].median(0).values.tolist() if "sides" in geometry else []
        scales = []
        for rank, band in enumerate(layout.bands):
            # Details at depth t tell apart halves, which are nodes of depth t + 1.
            ends = [sides[rank], sides[rank - 1]] if rank and sides else [sides[0], math.inf] if sides else []
            extent = (Extent(ends[0], ends[1], "length"),) if ends else ()
            scales.append(Scale(str(band) if rank else "a", (band,), rank, extent, rank > 0))
        return scales

    def analyse(self, x: Tensor, geometry: dict[str, Tensor]) -> Tensor:
        return linear(x, partial(self._down, geometry["order"]), partial(self._up, geometry["order"]))

    def synthesise(self, data: Tensor, geometry: dict[str, Tensor], layout: Layout) -> Tensor:
        return linear(data, partial(self._up, geometry["order"]), partial(self._down, geometry["order"]))

    def _down(self, order: Tensor, x: Tensor) -> Tensor:
        ordered = single(x).gather(-1, order[:, None].expand(x.shape))
        if self.tree is None:
            return balanced.analyse(ordered).to(x.dtype)
        return node_details(ordered, _nodes(self.tree, x.shape[-1])[0]).to(x.dtype)

    def _up(self, order: Tensor, data: Tensor) -> Tensor:
        wide = single(data)
        if self.tree is None:
            ordered = balanced.synthesise(wide)
        else:
            ordered = node_samples(wide, _nodes(self.tree, data.shape[-1])[0])
        return torch.empty_like(ordered).scatter_(-1, order[:, None].expand(data.shape), ordered).to(data.dtype)

    def pull(self, g: Tensor, geometry: dict[str, Tensor], layout: Layout) -> Tensor:
        return self.analyse(g, geometry)

    def spread_of(self, values: Tensor, band: Band, layout: Layout, geometry: dict[str, Tensor]) -> Tensor:
        """Evenly over the samples of each node, with total weight 1."""
        nodes = _nodes(self.tree, layout.signal_shape[0])[0][:, _piece(layout, band)]
        heat = over_nodes(values, nodes, layout.signal_shape[0])
        return torch.zeros_like(heat).scatter(-1, _like(geometry["order"], heat), heat)


def over_nodes(values: Tensor, nodes: Tensor, n: int) -> Tensor:
    """Values `(…, nodes)` evenly over the samples of each node, `(…, n)`: each with total weight 1."""
    first, _, last = nodes.to(values.device)
    heights = values / (last - first)
    steps = values.new_zeros((*values.shape[:-1], n + 1), dtype=torch.float64)
    steps.index_add_(-1, first, heights.double()).index_add_(-1, last, -heights.double())
    return steps.cumsum(-1)[..., :-1].to(values.dtype)


def _like(order: Tensor, values: Tensor) -> Tensor:
    """`(rows, samples)` orders beside `(rows, …, samples)` values."""
    return order.reshape(len(order), *[1] * (values.ndim - 2), -1).expand_as(values)


def _piece(layout: Layout, band: Band) -> slice:
    """A band's nodes; the mean has the whole tree, which is the first node."""
    piece = layout.slices[band]
    return slice(piece.start, piece.stop)


def _depths(n: int) -> int:
    """Depths of the balanced tree of `n` samples, the whole and the leaves counted."""
    return (n - 1).bit_length() + 1


def _leaves(tree: Tree) -> Iterator[int]:
    """The samples of a tree from left to right."""
    if isinstance(tree, tuple):
        for part in tree:
            yield from _leaves(part)
    else:
        yield tree


@lru_cache(maxsize=64)
def _nodes(tree: Tree, n: int) -> tuple[Tensor, tuple[int, ...]]:
    """First sample, middle and end of each node in the order of leaves, by depth; and how many there are at each.

    In front stands the whole, which has no middle: (0, n, n).
    """
    with torch.inference_mode(False):
        levels = _halves(n) if tree is None else _given(tree)
        whole = torch.tensor([[0], [n], [n]], device="cpu")
        return torch.cat([whole, *levels], 1), tuple(level.shape[1] for level in levels)


def _halves(n: int) -> list[Tensor]:
    """The nodes of the balanced tree of `n` samples, depth by depth."""
    levels, first, last = [], torch.zeros(1, dtype=torch.long, device="cpu"), torch.tensor([n], device="cpu")
    while len(wide := (last - first > 1).nonzero()[:, 0]):
        first, last = first[wide], last[wide]
        middle = (first + last + 1) // 2
        levels.append(torch.stack([first, middle, last]))
        first, last = torch.stack([first, middle], 1).flatten(), torch.stack([middle, last], 1).flatten()
    return levels


def _given(tree: Tree) -> list[Tensor]:
    levels: list[list[tuple[int, int, int]]] = []
    _collect(tree, 0, 0, levels)
    return [torch.tensor(level, device="cpu").T for level in levels if level]


def _collect(tree: Tree, first: int, depth: int, levels: list[list[tuple[int, int, int]]]) -> int:
    """Adds the nodes of a tree that begins at leaf `first`; where it ends."""
    if not isinstance(tree, tuple):
        return first + 1
    if len(tree) == 1:
        return _collect(tree[0], first, depth, levels)
    while len(levels) <= depth:
        levels.append([])
    middle = _collect(tree[0], first, depth + 1, levels)
    last = _collect(tree[1] if len(tree) == 2 else tree[1:], middle, depth + 1, levels)
    levels[depth].append((first, middle, last))
    return last


def node_details(ordered: Tensor, nodes: Tensor) -> Tensor:
    """The coefficients of samples in the order of leaves: means of halves are differences of a running sum."""
    first, middle, last = nodes.to(ordered.device)
    running = torch.nn.functional.pad(ordered.cumsum(-1, dtype=torch.float64), (1, 0))
    at = running[..., first], running[..., middle], running[..., last]
    left, right = (middle - first).double(), (last - middle).double()
    scale = torch.sqrt(left * right / (left + right))
    details = scale * ((at[1] - at[0]) / left - (at[2] - at[1]) / right.clamp(min=1))
    mean = running[..., -1:] / math.sqrt(ordered.shape[-1])
    return torch.cat([mean, details[..., 1:]], -1).to(ordered.dtype)


def node_samples(data: Tensor, nodes: Tensor) -> Tensor:
    """The inverse, which is the transpose: each coefficient is a step up, a step down and a step back."""
    first, middle, last = nodes.to(data.device)
    left, right, wide = (middle - first).double(), (last - middle).double(), data.double()
    up = wide * torch.sqrt(right / (left * (left + right)))
    down = wide * torch.sqrt(left / (right.clamp(min=1) * (left + right)))
    up = torch.cat([wide[..., :1] / math.sqrt(data.shape[-1]), up[..., 1:]], -1)  # the mean, which has one half
    down = torch.cat([torch.zeros_like(wide[..., :1]), down[..., 1:]], -1)
    steps = wide.new_zeros((*data.shape[:-1], data.shape[-1] + 1))
    steps = steps.index_add(-1, first, up).index_add(-1, middle, -up - down).index_add(-1, last, down)
    return steps.cumsum(-1)[..., :-1].to(data.dtype)
