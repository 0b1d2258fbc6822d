"""`Outline`: a line around a part of a picture, such as a detected object's box or a region's edge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor

Point = tuple[float, float]  # row, column
Segment = tuple[Point, Point]


@dataclass(frozen=True)
class Outline:
    """A line around a part of a picture.

    `segments` join places ((row, column), (row, column)) in samples, where (0, 0) is the picture's upper left corner;
    `text` says what it is around. What is explained is drawn differently from what stands beside it.
    """

    segments: tuple[Segment, ...]
    text: str = ""
    explained: bool = False

    @property
    def corner(self) -> Point:
        """The highest place, of several the one furthest left: where the text belongs."""
        return min(point for segment in self.segments for point in segment)


def box_outline(box: tuple[Point, Point], text: str = "", explained: bool = False) -> Outline:
    """The outline of a box ((top, bottom), (left, right)).

    >>> from wavelens.outlines import box_outline
    >>> box_outline(((1, 3), (2, 6))).corner
    (1, 2)
    """
    (top, bottom), (left, right) = box
    corners = [(top, left), (top, right), (bottom, right), (bottom, left)]
    return Outline(tuple(zip(corners, [*corners[1:], corners[0]], strict=True)), text, explained)


def mask_outline(mask: Tensor, shape: tuple[int, int], text: str = "", explained: bool = True) -> Outline:
    """The edge of the places where a mask `(rows, columns)` is true, on a picture of this shape (height, width)."""
    rows, columns = (whole / own for whole, own in zip(shape, mask.shape, strict=True))
    held = mask.detach().cpu().numpy().astype(bool)
    lying = [((k * rows, a * columns), (k * rows, b * columns)) for k, a, b in _edges(held)]
    standing = [((a * rows, k * columns), (b * rows, k * columns)) for k, a, b in _edges(held.T)]
    return Outline((*lying, *standing), text, explained)


def _edges(held: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Where neighbouring rows differ: the number of the edge between them, and from where to where along it."""
    closed = np.pad(held, 1)
    differs = (closed[1:] != closed[:-1])[:, 1:-1]
    for k, row in enumerate(differs):
        ends = np.flatnonzero(np.diff(np.pad(row.astype(np.int8), 1)))
        yield from ((k, int(start), int(stop)) for start, stop in zip(ends[::2], ends[1::2], strict=True))
