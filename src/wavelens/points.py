"""Points in space: an order that does not depend on how they are listed, k-d trees, principal axes, neighbours."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wavelens.optional import optional

ROWS_HELD = 1024  # points whose distances to all others are held at once
MAX_PAIRWISE_POINTS = 2**15  # of more, neighbours are found by SciPy's tree


def listed(points: Tensor) -> Tensor:
    """The order of points `(batch, samples, coordinates)` by their coordinates, the first before the others.

    Points in another sequence come into the same one, `(batch, samples)`; those in one place are not told apart.
    """
    order = torch.arange(points.shape[1], device=points.device).expand(len(points), -1)
    for axis in reversed(range(points.shape[2])):
        order = order.gather(1, points[..., axis].gather(1, order).argsort(dim=1, stable=True))
    return order


def k_d_order(points: Tensor) -> tuple[Tensor, Tensor]:
    """The order of points `(batch, samples, coordinates)` in balanced k-d trees, `(batch, samples)`, and sides.

    Every node is halved at the median along its longest side; of points with the same coordinate there, the others
    decide, so the trees do not depend on the sequence of the points. Sides are the median, over the nodes of each
    depth with two points or more, of their longest side, `(batch, depths)`.
    """
    n, first = points.shape[1], listed(points)
    coordinates = points.movedim(2, 1).gather(2, first[:, None].expand(-1, points.shape[2], -1))
    orders = coordinates.argsort(dim=2, stable=True)  # (batch, axes, samples): one order along each axis
    starts, sides = torch.zeros(1, dtype=torch.long, device=points.device), []
    while True:
        stops = torch.cat([starts[1:], starts.new_tensor([n])])
        ends = [coordinates.gather(2, orders[:, :, at]) for at in (starts, stops - 1)]
        longest, axis = (ends[1] - ends[0]).max(1)  # (batch, nodes)
        wide = stops - starts > 1  # one point has no side
        sides.append((longest[:, wide] if wide.any() else longest).median(1).values)
        if len(starts) == n:
            return first.gather(1, orders[:, 0]), torch.stack(sides, 1)
        node = torch.bucketize(torch.arange(n, device=points.device), starts, right=True) - 1
        middles = (starts + stops + 1) // 2
        orders = _halved(orders, axis[:, node], node, starts, middles)
        halves = torch.stack([starts, middles], 1).flatten()
        starts = halves[torch.stack([stops > starts, stops > middles], 1).flatten()]


def _halved(orders: Tensor, axis: Tensor, node: Tensor, starts: Tensor, middles: Tensor) -> Tensor:
    """Orders in which each node's lower half along its own `axis` comes first, and which are kept within halves."""
    places = torch.arange(len(node), device=node.device)
    lower = torch.zeros_like(axis, dtype=torch.bool)
    lower.scatter_(1, orders.gather(1, axis[:, None])[:, 0], (places < middles[node]).expand_as(axis))
    is_lower = lower[:, None].expand_as(orders).gather(2, orders)
    before = torch.nn.functional.pad(is_lower.cumsum(2), (1, 0))  # lower ones before each place
    inside = before[..., :-1] - before[..., starts[node]]
    target = torch.where(is_lower, starts[node] + inside, middles[node] + (places - starts[node]) - inside)
    return torch.empty_like(orders).scatter_(2, target, orders)


def principal(points: Tensor) -> Tensor:
    """Points `(batch, samples, coordinates)` from their mean, along their principal axes, the longest first.

    Each axis points to the side with the longer tail (the sign of the third moment), so a cloud that was moved, turned
    or mirrored comes to lie as before. Where two axes or both tails are equally long, as for a ball, the result is
    arbitrary.
    """
    centred = points.double() - points.double().mean(1, keepdim=True)
    _, axes = torch.linalg.eigh(centred.mT @ centred)
    along: Tensor = centred @ axes.flip(-1)
    return along * torch.where(along.pow(3).sum(1, keepdim=True) < 0, -1.0, 1.0)


def nearest(points: Tensor, count: int) -> Tensor:
    """The nearest other points of each, `(batch, samples, count)`, of points `(batch, samples, coordinates)`.

    Of more than 32,768 points SciPy's k-d tree finds them, in time that grows little faster than their number.
    """
    order, n = listed(points), points.shape[1]
    ordered = points.double().gather(1, order[..., None].expand_as(points))
    find = _nearest_by_tree if n > MAX_PAIRWISE_POINTS else _nearest_by_distances
    neighbours = find(ordered, min(count, n - 1))
    named = order.gather(1, neighbours.flatten(1)).view_as(neighbours)
    return torch.empty_like(named).scatter_(1, order[..., None].expand_as(named), named)


def _nearest_by_distances(points: Tensor, count: int) -> Tensor:
    neighbours = []
    for first in range(0, points.shape[1], ROWS_HELD):
        rows = points[:, first : first + ROWS_HELD]
        distances = torch.cdist(rows, points, compute_mode="donot_use_mm_for_euclid_dist")
        distances.diagonal(first, 1, 2).fill_(math.inf)
        neighbours.append(distances.topk(count, largest=False).indices)
    return torch.cat(neighbours, 1)


def _nearest_by_tree(points: Tensor, count: int) -> Tensor:
    spatial = optional("scipy.spatial", "points")
    neighbours = []
    for one in points.cpu().numpy():
        near = torch.from_numpy(spatial.cKDTree(one).query(one, count + 1)[1]).long()
        own = torch.arange(len(near))[:, None]
        is_own = near == own
        is_own[~is_own.any(1), -1] = True  # hidden behind points in the same place: the farthest goes instead
        neighbours.append(near[~is_own].view(len(near), count))
    return torch.stack(neighbours).to(points.device)
