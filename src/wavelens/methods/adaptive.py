"""Nodes on a path, placed where the integrand needs them.

Between two nodes the score's own rise is known exactly, so the trapezoid's error there is too: their difference. The
worst intervals are halved, round after round; every node is kept. On rectified networks the gradient jumps along the
path, high orders do not help, and halving everywhere spends most nodes where nothing happens.

A path may have several legs (see `routes`): a place is a leg's number plus the way along it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from wavelens.engine.gradients import Gradients
from wavelens.methods.routes import Blocks, Route
from wavelens.precision import rounding

FIRST_INTERVALS = 8
INTERVALS_PER_HALVING = 4  # a round halves one interval in so many,
MIN_ERROR_FRACTION = 0.1  # if its error is at least this part of the largest
KEPT_GRADIENT_BYTES = 2**29  # of nodes beyond, gradients are computed once more at the end
NODES_PER_ITEM = 64  # nodes that each item of a chunk has room for
ROUNDS = 2  # the gap must be small in so many rounds in a row: once may be chance


def integrate(ask: Gradients, start: Tensor, tolerance: float, limit: int) -> Tensor:
    """`∫ g(x₀ + α (x - x₀)) dα`, `(targets, batch, channel, *axes)`, each item to its own completeness gap."""
    total = ask.zeros(len(ask.x))
    route = Route(1, lambda items: torch.stack([start[items], ask.x[items]]).to(ask.dtype))
    for items, means in integrals(ask, route, tolerance, limit):
        total[:, items] = means[0]
    return total


def integrals(ask: Gradients, route: Route, tolerance: float, limit: int) -> Blocks:
    """The mean gradient on each leg of a route, each item to its own completeness gap, some items at a time.

    An item is done when its gap is at most `tolerance` of the rise of its score, or at `limit` nodes. Gradients of a
    chunk of items are kept until it is done, where they fit.
    """
    size = ask.zeros(1).nbytes
    most = max(1, KEPT_GRADIENT_BYTES // (min(limit, NODES_PER_ITEM) * size))
    floor = rounding(ask.x.new_empty((), dtype=ask.dtype))
    for block in torch.arange(len(ask.x), device=ask.x.device).split(min(ask.rows, most)):
        walk = Walk(ask, block, route.corners(block))
        paths = [Path(tolerance, route.legs, floor) for _ in block]
        walk.follow(paths, limit, KEPT_GRADIENT_BYTES // size)
        yield block, walk.means(paths)


@dataclass(frozen=True)
class Walk:
    """Some items of the batch on their ways, whose `corners` are `(legs + 1, items, channel, *axes)`."""

    ask: Gradients
    items: Tensor
    corners: Tensor

    def follow(self, paths: list[Path], limit: int, room: int) -> None:
        """Nodes for all paths until each is done, the first `room` of them with gradients."""
        places = [(row, place) for row, path in enumerate(paths) for place in path.first_places()]
        while places:
            self._ask(paths, places, room)
            going = sorted({row for row, _ in places})
            places = [(row, place) for row in going for place in paths[row].next_places(limit)]

    def means(self, paths: list[Path]) -> Tensor:
        """The trapezoid of each path over all of its nodes, leg by leg, `(legs, targets, items, channel, *axes)`."""
        means = torch.stack([self.ask.zeros(len(self.items)) for _ in self.corners[1:]])
        dropped = []
        for row, path in enumerate(paths):
            for node, weights in path.weighted():
                if node.gradient is None:
                    dropped.append((row, node.place, weights))
                    continue
                for leg, weight in weights.items():
                    means[leg, :, row].add_(node.gradient, alpha=weight)
        for rows, g, _ in self._rows([(row, place) for row, place, _ in dropped]):
            for r, (row, _, weights) in enumerate(dropped[rows]):
                for leg, weight in weights.items():
                    means[leg, :, row].add_(g[:, r], alpha=weight)
        return means

    def _ask(self, paths: list[Path], pairs: list[tuple[int, float]], room: int) -> None:
        left = room - sum(len(path.nodes) for path in paths)
        for rows, g, values in self._rows(pairs):
            some, values = pairs[rows], values.cpu().double()
            behind, ahead = ([self._leg(place, side) for _, place in some] for side in (math.ceil, math.floor))
            after = self._slopes(g, some, ahead)
            before = after if behind == ahead else self._slopes(g, some, behind)
            for r, (row, place) in enumerate(some):
                kept = g[:, r] if rows.start + r < left else None
                paths[row].nodes.append(Node(place, kept, values[:, r], before[:, r], after[:, r]))

    def _leg(self, place: float, side: Callable[[float], int]) -> int:
        """The leg that ends at or holds a place (`math.ceil`), or begins at or holds it (`math.floor`)."""
        leg = side(place) - (side is math.ceil)
        return min(max(0, leg), len(self.corners) - 2)

    def _slopes(self, g: Tensor, pairs: list[tuple[int, float]], legs: list[int]) -> Tensor:
        """How the score rises along these legs at each place, `(targets, places)`."""
        rows = [row for row, _ in pairs]
        step = (self.corners[[leg + 1 for leg in legs], rows] - self.corners[legs, rows]).to(g)
        return (g * step).flatten(2).sum(2).cpu().double()

    def _rows(self, pairs: list[tuple[int, float]]) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Gradients and values at places of paths: `(rows of pairs, g, values)`."""
        x, last = self.ask.x, len(self.corners) - 2
        rows = torch.tensor([row for row, _ in pairs], device=x.device, dtype=torch.long)
        legs = torch.tensor([min(int(place), last) for _, place in pairs], device=x.device, dtype=torch.long)
        ways = torch.tensor([place for _, place in pairs], device=x.device, dtype=self.ask.dtype) - legs

        def points(some: slice) -> Tensor:
            way = ways[some].reshape(-1, *[1] * (x.ndim - 1))
            begin, end = self.corners[legs[some], rows[some]], self.corners[legs[some] + 1, rows[some]]
            return torch.lerp(begin, end, way).to(x.dtype)

        return self.ask.rows_at(self.items[rows], points)


@dataclass(frozen=True)
class Node:
    """What was met at one place of a path: `(targets, channel, *axes)` if it is kept, and numbers `(targets,)`.

    `before` and `after` are the slopes along the legs that end and begin there; within a leg they are one.
    """

    place: float
    gradient: Tensor | None
    value: Tensor
    before: Tensor
    after: Tensor


class Path:
    """The nodes of one item's path, and how long its gap has been small."""

    def __init__(self, tolerance: float, legs: int = 1, rounding: float = 0.0) -> None:
        self.tolerance, self.legs, self.rounding, self.small = tolerance, legs, rounding, 0
        self.nodes: list[Node] = []

    def first_places(self) -> list[float]:
        intervals = -(-FIRST_INTERVALS // self.legs)
        return [k / intervals for k in range(self.legs * intervals + 1)]

    def next_places(self, limit: int) -> list[float]:
        """Where to look next; nowhere when the gap is small or the limit is reached."""
        self.nodes.sort(key=lambda node: node.place)
        places = torch.tensor([node.place for node in self.nodes], dtype=torch.float64, device="cpu")
        values = torch.stack([node.value for node in self.nodes])
        slopes = torch.stack([a.after + b.before for a, b in itertools.pairwise(self.nodes)])
        gaps = slopes / 2 * places.diff()[:, None] - values.diff(dim=0)  # (intervals, targets)
        rise = (values[-1] - values[0]).abs()
        floor = self.rounding * (values[-1].abs() + values[0].abs())  # a gap of no more cannot be closed
        is_small = gaps.sum(0).abs() <= torch.maximum(self.tolerance * rise, floor)
        self.small = self.small + 1 if bool(is_small.all()) else 0
        count = min(max(1, len(gaps) // INTERVALS_PER_HALVING), limit - len(places))
        if self.small == ROUNDS or count <= 0:
            return []
        errors, worst = (gaps.abs() / rise.clamp_min(torch.finfo(rise.dtype).tiny)).amax(1).topk(count)
        worst = worst[errors >= MIN_ERROR_FRACTION * errors[0]]
        return ((places[worst] + places[worst + 1]) / 2).tolist()

    def weighted(self) -> list[tuple[Node, dict[int, float]]]:
        """The nodes with their weights in the trapezoid over all, on each leg that they lie on."""
        weights: list[dict[int, float]] = [{} for _ in self.nodes]
        for k, (a, b) in enumerate(itertools.pairwise(self.nodes)):
            leg = min(int(a.place), self.legs - 1)
            for end in (k, k + 1):
                weights[end][leg] = weights[end].get(leg, 0.0) + (b.place - a.place) / 2
        return list(zip(self.nodes, weights, strict=True))
