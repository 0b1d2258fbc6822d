"""Places in a patient: the letters at the ends of a scan's axes, the planes across them, and coordinates in mm.

Letters say where an axis grows to: right (R) or left (L), front (A, anterior) or back (P, posterior), head (S,
superior) or feet (I, inferior), all as the patient has them. Coordinates are RAS, as in NIfTI.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import permutations

from wavelens.grid import Grid

ENDS = (("L", "R"), ("P", "A"), ("I", "S"))  # of the patient's three axes: where they begin, where they grow to
PLANES = ("sagittal", "coronal", "axial")  # across them
MAX_TILT_DEGREES = 1.0  # up to which a plane has its name alone


def letters(grid: Grid) -> tuple[tuple[str, str], ...]:
    """The letters at the first and the last voxel of each axis; () where the grid does not know the patient.

    An oblique axis has the letters of the nearest axis of the patient; no two axes share one.

    >>> from wavelens import anatomy
    >>> lps = ((-1.0, 0.0, 0.0, 90.0), (0.0, -1.0, 0.0, 90.0), (0.0, 0.0, 2.0, -60.0), (0.0, 0.0, 0.0, 1.0))
    >>> anatomy.letters(wl.grid.Grid((1.0, 1.0, 2.0), ("mm",) * 3, affine=lps))
    (('R', 'L'), ('A', 'P'), ('I', 'S'))
    """
    if grid.affine is None:
        return ()
    rows = grid.affine
    pairs = [(ENDS[row], rows[row][axis]) for axis, row in enumerate(patient_axes(grid))]
    return tuple(ends if along > 0 else (ends[1], ends[0]) for ends, along in pairs)


def planes(grid: Grid) -> tuple[str, ...]:
    """The name of the plane across each axis, 'axial', or 'near axial' for one that is tilted; () where none is known.

    >>> from wavelens import anatomy
    >>> ras = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    >>> anatomy.planes(wl.grid.Grid((1.0, 1.0, 1.0), ("mm",) * 3, affine=ras))
    ('sagittal', 'coronal', 'axial')
    """
    if grid.affine is None:
        return ()
    straight = math.cos(math.radians(MAX_TILT_DEGREES))
    rows, cosines = patient_axes(grid), _cosines(grid)
    return tuple(f"{'near ' * (cosines[row][axis] < straight)}{PLANES[row]}" for axis, row in enumerate(rows))


def place(grid: Grid, voxel: Sequence[float]) -> tuple[float, float, float] | None:
    """Where a voxel lies, (x, y, z) in mm towards right, front and head; None where the grid does not know it."""
    if grid.affine is None:
        return None
    x, y, z = (sum(row[k] * voxel[k] for k in range(3)) + row[3] for row in grid.affine[:3])
    return x, y, z


def place_text(grid: Grid, voxel: Sequence[float]) -> str:
    """Where a voxel lies, in words: 'R 12.5, A 20.0, S 5.0 mm'; '' where the grid does not know it.

    >>> from wavelens import anatomy
    >>> ras = ((1.0, 0.0, 0.0, -9.0), (0.0, 1.0, 0.0, 2.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    >>> anatomy.place_text(wl.grid.Grid((1.0, 1.0, 1.0), ("mm",) * 3, affine=ras), (4, 0, 0))
    'L 5.0, A 2.0, S 0.0 mm'
    """
    where = place(grid, voxel)
    if where is None:
        return ""
    return ", ".join(_along(row, value) for row, value in enumerate(where)) + " mm"


def plane_text(grid: Grid, axis: int, voxel: Sequence[float]) -> str:
    """The plane across an axis through a voxel, and where it lies: 'axial, S 5.0 mm'; '' where that is not known."""
    where = place(grid, voxel)
    if where is None:
        return ""
    row = patient_axes(grid)[axis]
    return f"{planes(grid)[axis]}, {_along(row, where[row])} mm"


def _along(row: int, value: float) -> str:
    return f"{ENDS[row][value >= 0]} {abs(value):.1f}"


def patient_axes(grid: Grid) -> tuple[int, ...]:
    """For each axis of the scan the patient's axis that it runs along, a different one each."""
    cosines = _cosines(grid)
    return max(permutations(range(3)), key=lambda rows: sum(cosines[row][axis] for axis, row in enumerate(rows)))


def _cosines(grid: Grid) -> list[list[float]]:
    """|cos| of the angle between each axis of the patient (rows) and of the scan (columns)."""
    assert grid.affine is not None
    lengths = [math.hypot(*(row[axis] for row in grid.affine[:3])) for axis in range(3)]
    return [[abs(row[axis]) / lengths[axis] for axis in range(3)] for row in grid.affine[:3]]
