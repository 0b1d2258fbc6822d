"""PLY: points, and meshes of triangles, as text or as bytes; read and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from wavelens.frontends.clouds.cloud import Array, Cloud, CloudError, cloud_of, fans, reading_errors

PLY = (".ply",)
MAX_HEADER_LINES = 1000
MAX_LINE_BYTES = 4096
UNIT = "unit "  # of a comment: what `write_cloud` notes
WRITER = "written by wavelens"  # a comment, by which files of earlier runs are known
ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4",
    "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4",
    "float32": "f4", "float64": "f8",
}  # fmt: skip


@dataclass
class Element:
    """What a header says of one kind of element: how many, and their properties by name; `lists` are of a length."""

    name: str
    count: int
    properties: dict[str, str] = field(default_factory=dict)
    lists: dict[str, tuple[str, str]] = field(default_factory=dict)

    def dtype(self, order: str) -> np.dtype[Any]:
        return np.dtype([(name, order + kind) for name, kind in self.properties.items()])


@dataclass
class Header:
    order: str  # of bytes; empty for text
    elements: list[Element]
    unit: str
    offset: int

    @property
    def vertices(self) -> Element:
        element = next((one for one in self.elements if one.name == "vertex"), None)
        if element is None or {"x", "y", "z"} - element.properties.keys():
            had = ", ".join(element.properties) if element else "no vertices"
            raise ValueError(f"its vertices have no x, y and z, but {had}; give a plane a z of 0")
        return element


def read_ply(path: Path) -> Cloud:
    """The vertices of a PLY file, and its faces where they are triangles or polygons."""
    with reading_errors(path, "PLY"), path.open("rb") as file:
        header = read_header(file)
        read = _binary if header.order else _text
        points, faces = read(header, file)
    return cloud_of(path, points, header.unit, faces)


def ply_points(path: Path) -> int:
    """How many points the header says that there are, no more than the file has bytes for."""
    with reading_errors(path, "PLY"), path.open("rb") as file:
        return min(read_header(file).vertices.count, path.stat().st_size)


def is_written_here(path: Path) -> bool:
    """Whether `write_ply` wrote a file."""
    with path.open("rb") as file:
        lines = [file.readline(MAX_LINE_BYTES) for _ in range(3)]
    return lines[-1].strip() == f"comment {WRITER}".encode()


def read_header(file: IO[bytes]) -> Header:
    if file.readline(MAX_LINE_BYTES).strip() != b"ply":
        raise ValueError("it does not begin with the line ply")
    order, elements, unit = None, list[Element](), ""
    for _ in range(MAX_HEADER_LINES):
        line = file.readline(MAX_LINE_BYTES).decode("utf-8", "replace").strip()
        words = line.split()
        if words[:1] == ["end_header"]:
            break
        if words[:1] == ["format"] and len(words) > 1 and words[1] in ORDERS:
            order = ORDERS[words[1]]
        elif words[:1] == ["comment"]:
            unit = line.partition(" ")[2].removeprefix(UNIT) if line.startswith(f"comment {UNIT}") else unit
        elif words[:1] == ["element"] and len(words) == 3 and words[2].isdecimal():
            elements.append(Element(words[1], int(words[2])))
        elif words[:1] == ["property"] and elements:
            _add_property(elements[-1], words)
        elif words[:1] != ["obj_info"]:
            raise ValueError(f"its header has the line {line[:60]!r}")
    else:
        raise ValueError("its header has no end")
    if order is None:
        raise ValueError("its header says no format")
    return Header(order, elements, unit[:20], file.tell())


def _add_property(element: Element, words: list[str]) -> None:
    if words[1:2] == ["list"] and len(words) == 5 and {words[2], words[3]} <= TYPES.keys():
        element.lists[words[4]] = (TYPES[words[2]], TYPES[words[3]])
    elif len(words) == 3 and words[1] in TYPES:
        element.properties[words[2]] = TYPES[words[1]]
    else:
        raise ValueError(f"its header has the line {' '.join(words)[:60]!r}")


def _binary(header: Header, file: IO[bytes]) -> tuple[Array, Array | None]:
    points, faces = None, None
    for element in header.elements:
        if element.name == "vertex":
            points = _xyz(_rows(file, header.vertices, header.order))
        elif element.name == "face" and not element.properties and len(element.lists) == 1:
            faces = _triangles(file, element, header.order)
            if faces is None:
                break  # polygons of several lengths: the vertices are all that is needed
        elif element.lists:
            break
        else:
            _rows(file, element, header.order)
    if points is None:
        raise CloudError("a PLY file has its vertices before other lists; this one does not. Save it anew.")
    return points, faces


def _rows(file: IO[bytes], element: Element, order: str) -> Array:
    if element.lists:
        raise ValueError("its vertices have lists")
    dtype = element.dtype(order)
    if element.count * dtype.itemsize > _left(file):
        raise ValueError(f"it ends before its {element.count} elements of {element.name} do")
    return np.frombuffer(file.read(element.count * dtype.itemsize), dtype)


def _triangles(file: IO[bytes], element: Element, order: str) -> Array | None:
    """The faces, where all of them are triangles."""
    ((length, kind),) = element.lists.values()
    dtype = np.dtype([("length", order + length), ("corners", order + kind, (3,))])
    if element.count * dtype.itemsize > _left(file):
        return None
    rows = np.frombuffer(file.read(element.count * dtype.itemsize), dtype)
    return rows["corners"].astype(np.int64) if (rows["length"] == 3).all() else None


def _xyz(rows: Array) -> Array:
    return np.stack([rows[name].astype(np.float64) for name in "xyz"], 1)


def _text(header: Header, file: IO[bytes]) -> tuple[Array, Array | None]:
    if header.vertices.lists:
        raise ValueError("its vertices have lists")
    points, polygons = None, list[list[int]]()
    for element in header.elements:
        lines = [
            line for line in (file.readline(MAX_LINE_BYTES) for _ in range(min(element.count, _left(file)))) if line
        ]
        if len(lines) < element.count:
            raise ValueError(f"it ends before its {element.count} elements of {element.name} do")
        if element.name == "vertex":
            columns = [list(header.vertices.properties).index(name) for name in "xyz"]
            points = np.loadtxt(lines, usecols=columns, ndmin=2) if lines else np.zeros((0, 3))
        elif element.name == "face" and not element.properties and len(element.lists) == 1:
            polygons = [[int(word) for word in line.split()[1:]] for line in lines]
    if points is None:
        raise ValueError("it has no vertices")
    return points, fans(polygons)


def _kind(values: Tensor) -> str:
    """The smallest of the written types that holds the values."""
    if values.is_floating_point():
        return "f4"
    return "u1" if not len(values) or (values.min() >= 0 and values.max() < 2**8) else "i4"


def _left(file: IO[bytes]) -> int:
    """How many bytes are left; a header may promise more than any file has."""
    here = file.tell()
    end = file.seek(0, 2)
    file.seek(here)
    return end - here


def write_ply(path: str | PathLike[str], cloud: Cloud, values: Mapping[str, Tensor] | None = None) -> None:
    """Write a cloud, its faces, and `values` per point, `(points,)` each by name.

    Whole numbers are written as bytes where all of them are from 0 to 255, as integers of four bytes otherwise.
    `red`, `green` and `blue` from 0 to 255 are the colours that viewers show.
    """
    columns = dict(values or {})
    kinds = {name: _kind(one) for name, one in columns.items()}
    place = "f8" if any(cloud.origin) else "f4"  # far from 0 single precision would round
    dtype = np.dtype([(name, f"<{place}") for name in "xyz"] + [(name, f"<{kind}") for name, kind in kinds.items()])
    rows = np.zeros(cloud.points, dtype)
    for axis, name in enumerate("xyz"):
        rows[name] = cloud.data[0, axis].detach().cpu().double().numpy() + cloud.origin[axis]
    for name, one in columns.items():
        rows[name] = one.detach().cpu().numpy()
    named = {"f8": "double", "f4": "float", "u1": "uchar", "i4": "int"}
    lines = ["ply", "format binary_little_endian 1.0", f"comment {WRITER}"]
    lines += [f"comment {UNIT}{cloud.unit}"] if cloud.unit else []
    lines += [f"element vertex {cloud.points}", *(f"property {named[place]} {name}" for name in "xyz")]
    lines += [f"property {named[kind]} {name}" for name, kind in kinds.items()]
    faces = torch.zeros(0, 3) if cloud.faces is None else cloud.faces
    lines += [f"element face {len(faces)}", "property list uchar int vertex_indices"] if len(faces) else []
    triangles = np.zeros(len(faces), np.dtype([("length", "u1"), ("corners", "<i4", (3,))]))
    triangles["length"], triangles["corners"] = 3, faces.cpu().numpy()
    header = "\n".join([*lines, "end_header", ""]).encode("utf-8")
    Path(path).write_bytes(header + rows.tobytes() + triangles.tobytes())
