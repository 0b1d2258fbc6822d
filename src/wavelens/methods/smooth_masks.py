"""Random smooth masks of coefficients: grids of zeros and ones, moved at random and interpolated linearly."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wavelens.core import Layout
from wavelens.methods.averages import generator
from wavelens.precision import full_precision

SHARING = ("bands", "places")


class SmoothMasks:
    """Mask `k` of a layout, from the seed and `k` alone.

    A grid has one cell per `1 / grid` of an axis, and is 1 with probability `keep`. It is moved by a part of a cell,
    anew for each mask, so that every coefficient has the mean `keep`. With "bands" each band has a grid of its own,
    over all of its axes and with no more cells than places; with "places" one grid over the signal's axes serves all.
    """

    def __init__(self, layout: Layout, grid: int, keep: float, sharing: str, seed: int, like: Tensor) -> None:
        self.layout, self.keep, self.seed, self.like = layout, keep, seed, like
        self.shared = sharing == "places"
        several = hasattr(layout.domain, "parts")  # signals, whose channels lie side by side in a band's last axis
        if self.shared and several:
            raise ValueError("several signals have no places in common; take masks='bands'.")
        axes = len(layout.signal_shape)
        self.shapes = [(*band.shape[:-1], 1) if several else band.shape for band in layout.bands]
        self.grids = [tuple(min(grid, n) for n in shape) for shape in self.shapes]
        if self.shared:
            self.shapes = [(*(1,) * (len(shape) - axes), *shape[-axes:]) for shape in self.shapes]
            self.grids = [(grid,) * axes]

    def __call__(self, numbers: Tensor) -> Tensor:
        """Masks by their numbers, `(masks, 1, size)`."""
        cells, moves = self._random(numbers)
        parts = []
        for place, (band, shape) in enumerate(zip(self.layout.bands, self.shapes, strict=True)):
            own = 0 if self.shared else place
            grid = self.grids[own]
            mask = _interpolated(cells[own], moves[own], grid, shape[-len(grid) :], self.shared)
            parts.append(mask.reshape(-1, *shape).expand(-1, *band.shape).flatten(1))
        return torch.cat(parts, 1)[:, None]

    def _random(self, numbers: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Cells `(masks, *grid + 2)` of zeros and ones and moves `(masks, axes)` in cells, for each grid."""
        cells = [math.prod(n + 2 for n in grid) for grid in self.grids]
        count = sum(cells) + sum(map(len, self.grids))
        draws = torch.stack([self._numbers(k, count) for k in numbers.tolist()]).to(self.like.device)
        bits, moves = draws[:, : sum(cells)] < self.keep, draws[:, sum(cells) :].to(self.like.dtype)
        shaped = [
            part.to(self.like.dtype).unflatten(1, tuple(n + 2 for n in grid))
            for part, grid in zip(bits.split(cells, 1), self.grids, strict=True)
        ]
        return shaped, list(moves.split([len(grid) for grid in self.grids], 1))

    def _numbers(self, k: int, count: int) -> Tensor:
        cpu = torch.device("cpu")
        return torch.rand(count, generator=generator(self.seed, k, cpu), device="cpu", dtype=torch.float32)


def _interpolated(
    cells: Tensor, moves: Tensor, grid: tuple[int, ...], lengths: tuple[int, ...], shared: bool
) -> Tensor:
    """Cells `(masks, *grid + 2)` as masks `(masks, places)`, axis by axis.

    `shared` cells serve bands of several lengths, whose places are compared by their centres; else an axis of one
    place has the first cell as it is.
    """
    mask = cells.flatten(1)
    with full_precision(cells):
        for axis, (count, length) in enumerate(zip(grid, lengths, strict=True)):
            nodes = torch.arange(count + 2, device=cells.device, dtype=cells.dtype)
            places = torch.arange(length, device=cells.device, dtype=cells.dtype) + 0.5 * shared
            moved = places * (count / length) + moves[:, axis, None] * (shared or length > 1)
            linear = (1 - (moved[..., None] - nodes).abs()).clamp_min(0)
            mask = (linear @ mask.reshape(len(cells), count + 2, -1)).mT.flatten(1)
    return mask
