"""Nodes on a path, placed where the integrand needs them.

Between two nodes the score's own rise is known exactly, so the trapezoid's error there is too: their difference. The
worst intervals are halved, round after round; every node is kept. On rectified networks the gradient jumps along the
path, high orders do not help, and halving everywhere spends most nodes where nothing happens.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from wavelens.engine.gradients import Gradients

FIRST_INTERVALS = 8
INTERVALS_PER_HALVING = 4  # a round halves one interval in so many,
MIN_ERROR_FRACTION = 0.1  # if its error is at least this part of the largest
KEPT_GRADIENT_BYTES = 2**29  # of nodes beyond, gradients are computed once more at the end
NODES_PER_ITEM = 64  # nodes that each item of a chunk has room for
ROUNDS = 2  # the gap must be small in so many rounds in a row: once may be chance


def integrate(ask: Gradients, start: Tensor, tolerance: float, limit: int) -> Tensor:
    """`∫ g(x₀ + α (x - x₀)) dα`, `(targets, batch, channel, *axes)`, each item to its own completeness gap.

    An item is done when its gap is at most `tolerance` of the rise of its score, or at `limit` nodes. Gradients of a
    chunk of items are kept until it is done, where they fit.
    """
    total = ask.zeros(len(ask.x))
    size = total[:, :1].nbytes
    most = max(1, KEPT_GRADIENT_BYTES // (min(limit, NODES_PER_ITEM) * size))
    for block in torch.arange(len(ask.x), device="cpu").split(min(ask.rows, most)):
        paths = {item: Path(tolerance) for item in block.tolist()}
        _follow(ask, start, paths, limit, KEPT_GRADIENT_BYTES // size)
        _add(ask, start, paths, total)
    return total


def _follow(ask: Gradients, start: Tensor, paths: dict[int, Path], limit: int, room: int) -> None:
    """Nodes for all paths until each is done, the first `room` of them with gradients."""
    items = list(paths)
    going = list(items)
    places = [(item, k / FIRST_INTERVALS) for item in items for k in range(FIRST_INTERVALS + 1)]
    while places:
        _ask(ask, start, paths, places, room)
        places = [(item, place) for item in going for place in paths[item].next_places(limit)]
        going = sorted({item for item, _ in places})


def _add(ask: Gradients, start: Tensor, paths: dict[int, Path], total: Tensor) -> None:
    """The trapezoid of each path over all of its nodes, to its item of `total`."""
    dropped = []
    for item, path in paths.items():
        for node, weight in path.weighted():
            if node.gradient is None:
                dropped.append((item, node.place, weight))
            else:
                total[:, item].add_(node.gradient, alpha=weight)
    for rows, g, _, _ in _rows(ask, start, [(item, place) for item, place, _ in dropped]):
        for r, (item, _, weight) in enumerate(dropped[rows]):
            total[:, item].add_(g[:, r], alpha=weight)


def _ask(ask: Gradients, start: Tensor, paths: dict[int, Path], pairs: list[tuple[int, float]], room: int) -> None:
    left = room - sum(len(path.nodes) for path in paths.values())
    for rows, g, values, items in _rows(ask, start, pairs):
        step = (ask.x[items] - start[items]).to(g)
        values, slopes = values.cpu().double(), (g * step).flatten(2).sum(2).cpu().double()
        for r, (item, place) in enumerate(pairs[rows]):
            kept = g[:, r] if rows.start + r < left else None
            paths[item].nodes.append(Node(place, kept, values[:, r], slopes[:, r]))


def _rows(
    ask: Gradients, start: Tensor, pairs: list[tuple[int, float]]
) -> Iterator[tuple[slice, Tensor, Tensor, Tensor]]:
    """Gradients and values at places of items' paths: `(rows of wanted, g, values, their items)`."""
    items = torch.tensor([item for item, _ in pairs], device=ask.x.device, dtype=torch.long)
    places = torch.tensor([place for _, place in pairs], device=ask.x.device, dtype=ask.dtype)

    def points(rows: slice) -> Tensor:
        here = places[rows].reshape(-1, *[1] * (ask.x.ndim - 1))
        return torch.lerp(start[items[rows]].to(here), ask.x[items[rows]].to(here), here).to(ask.x.dtype)

    for rows, g, values in ask.rows_at(items, points):
        yield rows, g, values, items[rows]


@dataclass(frozen=True)
class Node:
    """What was met at one place of a path: `(targets, channel, *axes)` if it is kept, `(targets,)`, `(targets,)`."""

    place: float
    gradient: Tensor | None
    value: Tensor
    slope: Tensor


class Path:
    """The nodes of one item's path, and how long its gap has been small."""

    def __init__(self, tolerance: float) -> None:
        self.tolerance, self.small = tolerance, 0
        self.nodes: list[Node] = []

    def next_places(self, limit: int) -> list[float]:
        """Where to look next; nowhere when the gap is small or the limit is reached."""
        self.nodes.sort(key=lambda node: node.place)
        places = torch.tensor([node.place for node in self.nodes], dtype=torch.float64, device="cpu")
        values = torch.stack([node.value for node in self.nodes])
        slopes = torch.stack([node.slope for node in self.nodes])
        gaps = (slopes[1:] + slopes[:-1]) / 2 * places.diff()[:, None] - values.diff(dim=0)  # (intervals, targets)
        rise = (values[-1] - values[0]).abs()
        self.small = self.small + 1 if bool((gaps.sum(0).abs() <= self.tolerance * rise).all()) else 0
        count = min(max(1, len(gaps) // INTERVALS_PER_HALVING), limit - len(places))
        if self.small == ROUNDS or count <= 0:
            return []
        errors, worst = (gaps.abs() / rise.clamp_min(torch.finfo(rise.dtype).tiny)).amax(1).topk(count)
        worst = worst[errors >= MIN_ERROR_FRACTION * errors[0]]
        return ((places[worst] + places[worst + 1]) / 2).tolist()

    def weighted(self) -> list[tuple[Node, float]]:
        """The nodes with their weights in the trapezoid over all."""
        places = [node.place for node in self.nodes]
        before, after = [places[0], *places[:-1]], [*places[1:], places[-1]]
        ends = zip(self.nodes, before, after, strict=True)
        return [(node, (right - left) / 2) for node, left, right in ends]
