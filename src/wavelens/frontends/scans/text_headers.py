"""What headers that are text have in common: numbers in a line, and data in another file beside them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])  # DICOM and ITK count towards the left and the back
MAX_HEADER_BYTES = 2**20
MAX_HEADER_LINES = 10_000
MAX_FIELD_CHARACTERS = 1_000  # of those that are parsed

MAX_NAME_CHARACTERS = 255  # of a file


def lines(path: Path, start: int = 0) -> Iterator[tuple[bytes, int]]:
    """The lines of a header from a byte on, each with the byte after it; the last one is empty where the file ends.

    `ValueError` beyond `MAX_HEADER_LINES` and `MAX_HEADER_BYTES`.
    """
    with path.open("rb") as file:
        end = file.seek(start)
        for _ in range(MAX_HEADER_LINES):
            line = file.readline(MAX_HEADER_BYTES)
            end += len(line)
            if end - start > MAX_HEADER_BYTES:
                break
            yield line, end
            if not line:
                return
    raise ValueError(
        f"a header that is text has at most {MAX_HEADER_LINES:,} lines in {MAX_HEADER_BYTES:,} bytes; that of {path} "
        "has more. Remove its comments, or save the volume as NIfTI."
    )


def check_field(path: Path, name: str, text: str) -> None:
    """`ValueError` for a field that is too long to be parsed."""
    if len(text) > MAX_FIELD_CHARACTERS:
        raise ValueError(
            f"{name} has at most {MAX_FIELD_CHARACTERS:,} characters in a header; {path} has {len(text):,}. Correct "
            "its header."
        )


def numbers(path: Path, name: str, text: str, count: int | None = None) -> NDArray[np.float64]:
    """The finite numbers in a field of a header, `count` of them."""
    try:
        values = [float(word) for word in text.split()]
    except ValueError:
        values = []
    if not values or not all(map(math.isfinite, values)) or (count is not None and len(values) != count):
        expected = "numbers" if count is None else f"{count} numbers"
        raise ValueError(f"{name} is {expected} in a header; {path} has {text!r}. Correct its header.")
    return np.array(values)


def lengths(path: Path, name: str, text: str, count: int | None = None) -> tuple[int, ...]:
    """The lengths of the axes in a field of a header."""
    values = numbers(path, name, text, count)
    if (values < 1).any() or (values != values.round()).any():
        raise ValueError(f"{name} is integers from 1 in a header; {path} has {text!r}. Correct its header.")
    return tuple(int(value) for value in values)


def data_file(path: Path, name: str, text: str) -> Path:
    """The data file that a header names, which lies in the header's folder or below it."""
    data = path.parent / text
    if Path(text).is_absolute() or ".." in Path(text).parts:
        raise ValueError(f"{name} names a file beside the header; {path} has {text!r}. Put both into one folder.")
    if len(data.name) > MAX_NAME_CHARACTERS or not data.is_file():
        raise FileNotFoundError(f"no such file: {data}, which {path} names as its {name}. Put it beside the header.")
    return data


def affine(directions: NDArray[np.float64], origin: NDArray[np.float64]) -> NDArray[np.float64]:
    """The map from voxel indices to places, of one vector per axis (as columns) and the place of the first voxel."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = directions, origin
    return matrix
