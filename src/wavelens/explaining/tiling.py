"""Where tiles of a scene lie, and how much each counts at its pixels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

MAX_OVERLAP = 0.9


@dataclass(frozen=True)
class Tile:
    """A tile's first row and column, and its weights by row and by column, `(side,)` each."""

    row: int
    column: int
    by_row: Tensor
    by_column: Tensor

    @property
    def place(self) -> tuple[slice, slice]:
        rows, columns = len(self.by_row), len(self.by_column)
        return slice(self.row, self.row + rows), slice(self.column, self.column + columns)

    @property
    def weight(self) -> Tensor:
        """How much the tile counts at each of its pixels, `(rows, columns)`."""
        return self.by_row[:, None] * self.by_column


def tiles_of(size: Sequence[int], sides: Sequence[int], overlap: float, period: int) -> Iterator[Tile]:
    """Tiles of these sides over a scene of `size`, row by row; neighbours share the part `overlap` of a side.

    The step from tile to tile is a whole number of `period`, the step of the coarsest wavelet, a power of 2, where one
    fits, or else of a half, a quarter … of it. `ValueError` for a scene that is smaller than a tile.
    """
    if not 0 <= overlap <= MAX_OVERLAP:
        raise ValueError(
            f"overlap must be the part of a tile's side that neighbours share, 0 to {MAX_OVERLAP}; got {overlap}."
        )
    along = []
    for n, side in zip(size, sides, strict=True):
        starts = tile_starts(n, side, _step(side, overlap, period))
        along.append(list(zip(starts, tile_weights(n, side, starts), strict=True)))
    for (row, by_row), (column, by_column) in itertools.product(*along):
        yield Tile(row, column, by_row, by_column)


def tile_starts(n: int, side: int, step: int) -> list[int]:
    """Where tiles of `side` pixels begin on `n`, `step` apart; the last ends with them."""
    if n < side:
        raise ValueError(
            f"a scene must be no smaller than a tile; got {n} pixels for tiles of {side}. Explain it as one input."
        )
    starts = list(range(0, n - side + 1, step))
    return starts if starts[-1] == n - side else [*starts, n - side]


def tile_weights(n: int, side: int, starts: Sequence[int]) -> list[Tensor]:
    """How much each tile counts at its pixels, `(side,)` each: linear towards its edges, and 1 together everywhere."""
    at = torch.arange(side, dtype=torch.float64) + 0.5
    hat = torch.minimum(at, side - at)
    total = torch.zeros(n, dtype=torch.float64)
    for start in starts:
        total[start : start + side] += hat
    return [hat / total[start : start + side] for start in starts]


def _step(side: int, overlap: float, period: int) -> int:
    """From tile to tile: what does not overlap, a whole number of periods, or of the largest part of one that fits."""
    free = max(1, round(side * (1 - overlap)))
    while period > free:
        period //= 2
    return free // period * period
