"""Points in text: three columns, with names in the first row or without, separated by spaces, commas or tabs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wavelens.frontends.clouds.cloud import Cloud, CloudError, cloud_of, reading_errors
from wavelens.untrusted import excerpt

TEXTS = (".xyz", ".pts", ".asc")
TABLES = (".csv",)
COMMENTS = ("#", "//", ";")
MAX_HEAD_BYTES = 4096
NAMED = re.compile(r"\s*(?P<name>[^\[(]*?)\s*(?:[\[(](?P<unit>[^\])]*)[\])])?\s*")  # 'x', 'x (m)', 'X [m]'


def read_points(path: Path) -> Cloud:
    """The points in a text file: the columns called x, y and z, or the first three; others are left out.

    A line before the points that holds nothing but their number, as .pts files have it, is passed over.
    """
    with reading_errors(path, "a table of points"):
        skipped, first, delimiter = _head(path)
        header = [] if all(map(_is_number, first)) else [_named(cell) for cell in first]
        columns = _columns(path, header, first)
        rows = np.loadtxt(
            path,
            delimiter=delimiter,
            skiprows=skipped + bool(header),
            usecols=columns,
            comments=COMMENTS if delimiter != ";" else COMMENTS[:2],
            ndmin=2,
            encoding="utf-8-sig",
        )
        points = rows if rows.size else np.zeros((0, 3))
    return cloud_of(path, points, _unit(path, [header[column][1] for column in columns]) if header else "")


def is_table_of_points(path: Path) -> bool:
    """Whether the first row of a table names the columns x, y and z."""
    try:
        _, first, _ = _head(path)
    except (CloudError, ValueError, OSError):
        return False
    return [_named(cell)[0] for cell in first][:3] == ["x", "y", "z"]


def _head(path: Path) -> tuple[int, list[str], str | None]:
    """How many lines are passed over, the cells of the first row, and what separates them; None for white space."""
    with path.open(encoding="utf-8-sig", errors="strict") as file:
        for number in range(MAX_HEAD_BYTES):
            line = file.readline(MAX_HEAD_BYTES)
            if not line:
                break
            text = line.strip()
            if not text or text.startswith(COMMENTS):
                continue
            delimiter = next((mark for mark in ",;\t" if mark in text), None)
            cells = [cell.strip() for cell in text.split(delimiter)]
            if len(cells) == 1 and cells[0].isdecimal():
                continue  # the number of points
            return number, cells, delimiter
    raise CloudError(f"a cloud has a row per point; {path} has none. Name another file.")


def _columns(path: Path, header: Sequence[tuple[str, str]], first: Sequence[str]) -> list[int]:
    names = [name for name, _ in header]
    if names and {"x", "y", "z"} <= set(names):
        return [names.index(axis) for axis in "xyz"]
    if len(first) < 3:
        raise CloudError(
            f"points have three coordinates; the first row of {path} has {len(first)}: "
            f"{excerpt(' '.join(first), 60)!r}. Give a plane a z of 0."
        )
    if names:
        raise CloudError(
            f"the columns of points are called x, y and z; those of {path} are {excerpt(', '.join(names), 80)}. Rename "
            "three of them."
        )
    return [0, 1, 2]


def _unit(path: Path, units: Sequence[str]) -> str:
    """The one unit of the columns."""
    if len(set(units)) > 1:
        raise CloudError(
            f"x, y and z have one unit; those of {path} are in {', '.join(unit or 'no unit' for unit in units)}. "
            "Convert them."
        )
    return units[0]


def _named(cell: str) -> tuple[str, str]:
    """'X (m)' as the name x and its unit."""
    match = NAMED.fullmatch(cell.strip("\"'"))
    return (match["name"].casefold(), (match["unit"] or "").strip()) if match else (cell.casefold(), "")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
