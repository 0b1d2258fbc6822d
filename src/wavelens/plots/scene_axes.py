"""The axes of a scene: where blocks of voxels lie along each, in the patient's coordinates where these are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wavelens import anatomy
from wavelens.grid import Grid
from wavelens.plots.parts import Array


class SceneAxis(NamedTuple):
    """One axis of the volume: the letter of the scene's axis that it runs along, its title, and where blocks lie."""

    letter: str
    title: str
    values: Array


def scene_axes(grid: Grid, shape: Sequence[int], blocks: Sequence[int]) -> list[SceneAxis]:
    """The axes of a volume of this shape in so many blocks.

    In a patient whose axes are not oblique, x, y and z are his and in mm; else they are the axes of the volume in the
    grid's unit from the centre of the first voxel.
    """
    places = [(np.arange(m) + 0.5) * n / m - 0.5 for n, m in zip(shape, blocks, strict=True)]  # in voxels
    if grid.affine is None or any(name.startswith("near") for name in anatomy.planes(grid)):
        lines = [line * step for line, step in zip(places, grid.spacing, strict=True)]
        return [SceneAxis("xyz"[k], _title(k, grid), line.astype(np.float32)) for k, line in enumerate(lines)]
    rows, corner = anatomy.patient_axes(grid), grid.affine
    return [
        SceneAxis(
            "xyz"[row],
            f"{anatomy.ENDS[row][0]} → {anatomy.ENDS[row][1]} (mm)",
            (corner[row][axis] * places[axis] + corner[row][3]).astype(np.float32),
        )
        for axis, row in enumerate(rows)
    ]


def points_of(axes: Sequence[SceneAxis]) -> dict[str, Array]:
    """Where every block lies, by the letters of the scene's axes, in the order of the volume."""
    points = np.meshgrid(*(axis.values for axis in axes), indexing="ij")
    return {axis.letter: p.ravel() for axis, p in zip(axes, points, strict=True)}


def _title(axis: int, grid: Grid) -> str:
    ends = anatomy.letters(grid)
    along = f", {ends[axis][0]} → {ends[axis][1]}" if ends else ""
    return f"axis {axis + 1}{along} ({grid.units[axis]})"
