"""Meshes by their vertices: OBJ, OFF and STL. Materials, and files that a mesh names, are not opened."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from wavelens.frontends.clouds.cloud import Array, Cloud, cloud_of, fans, reading_errors

OBJ, OFF, STL = (".obj",), (".off",), (".stl",)
STL_HEADER, STL_TRIANGLE = 84, np.dtype([("numbers", "<f4", (12,)), ("attribute", "<u2")])


def read_obj(path: Path) -> Cloud:
    """The vertices of an OBJ file, `v x y z`, and its faces."""
    with reading_errors(path, "OBJ"), path.open("rb") as file:
        lines = [line for line in file if line[:2] in (b"v ", b"v\t", b"f ", b"f\t")]
        vertices = [line for line in lines if line[:1] == b"v"]
        if not vertices:
            raise ValueError("it has no line that begins with v")
        points = _numbers(vertices, first=1)
        so_far = itertools.accumulate(line[:1] == b"v" for line in lines)
        polygons = [
            [_corner(word, count) for word in line.split()[1:]]
            for line, count in zip(lines, so_far, strict=True)
            if line[:1] == b"f"
        ]
    return cloud_of(path, points, faces=fans(polygons))


def _corner(word: bytes, count: int) -> int:
    """The number from 0 of a corner 'v/vt/vn'; numbers below 0 count from the last of `count` vertices before it."""
    number = int(word.partition(b"/")[0])
    return number - 1 if number > 0 else count + number


def read_off(path: Path) -> Cloud:
    """The vertices of an OFF file, and its faces."""
    with reading_errors(path, "OFF"):
        text = path.read_bytes()
        lines = [line for raw in text.splitlines() if (line := raw.partition(b"#")[0].strip())]
        if not lines or not lines[0].upper().partition(b"OFF")[1]:
            raise ValueError("its first line is not OFF")
        rest = lines[0].upper().partition(b"OFF")[2].split()  # some write the counts behind it
        counts, body = (rest, lines[1:]) if rest else (lines[1].split() if lines[1:] else [], lines[2:])
        vertices, faces = (int(word) for word in counts[:2])
        if len(body) < vertices + faces:
            raise ValueError(f"it promises {vertices} vertices and {faces} faces and has {len(body)} lines")
        points = _numbers(body[:vertices]) if vertices else np.zeros((0, 3))
        rows = [[int(word) for word in line.split()] for line in body[vertices : vertices + faces]]
    return cloud_of(path, points, faces=fans([row[1 : 1 + row[0]] for row in rows]))


def read_stl(path: Path) -> Cloud:
    """The vertices of an STL file, as text or as bytes; those that triangles share are one."""
    with reading_errors(path, "STL"):
        data = path.read_bytes()
        corners = _stl_bytes(data) if _is_binary_stl(data) else _stl_text(data)
        points, numbers = np.unique(corners, axis=0, return_inverse=True)
    return cloud_of(path, points, faces=numbers.reshape(-1, 3))


def _is_binary_stl(data: bytes) -> bool:
    """By the length that its count promises: some files of bytes begin with 'solid', as text does."""
    if len(data) < STL_HEADER:
        return False
    count = int.from_bytes(data[STL_HEADER - 4 : STL_HEADER], "little")
    return len(data) == STL_HEADER + count * STL_TRIANGLE.itemsize


def _stl_bytes(data: bytes) -> Array:
    rows = np.frombuffer(data, STL_TRIANGLE, offset=STL_HEADER)
    corners: Array = rows["numbers"][:, 3:].reshape(-1, 3).astype(np.float64)
    return corners


def _stl_text(data: bytes) -> Array:
    lines = [line for raw in data.splitlines() if (line := raw.strip()).startswith(b"vertex ")]
    if not data.lstrip().startswith(b"solid") or not lines or len(lines) % 3:
        raise ValueError("it has neither the length that its header promises nor the vertices of triangles as text")
    return _numbers(lines, first=1)


def _numbers(lines: Iterable[bytes], first: int = 0) -> Array:
    """The three numbers from word `first` on of each line."""
    numbers: Array = np.loadtxt(lines, usecols=range(first, first + 3), ndmin=2, comments=None)
    return numbers
