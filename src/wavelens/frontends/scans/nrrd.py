"""NRRD files: .nrrd, or an .nhdr header beside the file with the voxels.

Read here and not by ITK, which gives wrong voxels without an error where a compressed file is damaged. The format:
https://teem.sourceforge.net/nrrd/format.html.
"""

from __future__ import annotations

import math
import re
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np

from wavelens.frontends.scans.sources import FileSource
from wavelens.frontends.scans.stored import Array, Stored, layout
from wavelens.frontends.scans.text_headers import affine, check_field, data_file, lengths, lines, numbers

NRRD = (".nrrd", ".nhdr")
TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
PARSED = frozenset(
    "type sizes endian encoding datafile lineskip byteskip space spacedirections spaceorigin spaceunits spacings units "
    "kinds".split()
)
CODINGS = {"raw": "raw", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}
SPACES = {  # the axes of the world that grow against right, front and head
    "right-anterior-superior": (1, 1, 1),
    "ras": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1),
    "las": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1),
    "lps": (-1, -1, 1),
}
UNITS = {"mm": "mm", "millimeter": "mm", "um": "micron", "micron": "micron", "m": "meter", "meter": "meter"}


def stored_nrrd(path: Path) -> Stored:
    """The voxels of a NRRD file `(channel, i, j, k)`; a first or last axis that is none of space is the channels."""
    fields, end = _header(path)
    axes = lengths(path, "sizes", fields.get("sizes", ""))
    spatial = _spatial(path, fields, len(axes))
    components = 1 if spatial[0] else axes[0]
    if not all(spatial[:3] if spatial[0] else spatial[1:]):
        raise ValueError(f"channels are the first or the last axis of a volume; {path} has others. Permute its axes.")
    sizes, order = layout(path, axes if spatial[0] else axes[1:], components)
    dtype = _dtype(path, fields)
    source, offset = _source(path, fields, end)
    if offset < 0:
        offset = max(0, source.path.stat().st_size - math.prod(sizes) * dtype.itemsize)
    matrix, unit = _places(path, fields, spatial)
    return Stored(path, source, dtype, sizes, order, offset, 1.0, 0.0, matrix, unit, source.path != path)


def _header(path: Path) -> tuple[dict[str, str], int]:
    """The fields by their names without spaces, and the byte after the empty line that ends them."""
    header = lines(path)
    magic, end = next(header)
    if not re.fullmatch(rb"NRRD000\d\r?\n?", magic):
        raise ValueError(
            f"a NRRD file begins with NRRD and its version; {path} begins with {magic[:8]!r}. Is it another format?"
        )
    fields: dict[str, str] = {}
    for line, end in header:  # noqa: B007 - where the last line ends
        if not line.strip():
            break
        name, separator, value = line.decode("utf-8", "replace").partition(": ")
        if separator and not line.startswith(b"#"):
            name, value = re.sub(r"\s", "", name).lower(), value.strip()
            if name in PARSED:
                check_field(path, name, value)
                fields[name] = value
    return fields, end


def _spatial(path: Path, fields: dict[str, str], ndim: int) -> list[bool]:
    """Which axes are axes of space."""
    if "spacedirections" in fields:
        spatial = [word != "none" for word in _vectors(fields["spacedirections"])]
    elif "kinds" in fields:
        spatial = [kind.lower() in ("domain", "space", "???", "none") for kind in fields["kinds"].split()]
    else:
        spatial = [True] * min(ndim, 3) + [False] * (ndim - 3)
    if len(spatial) != ndim:
        raise ValueError(f"a NRRD header describes each of its {ndim} axes; {path} describes {len(spatial)}.")
    return spatial


def _vectors(text: str) -> list[str]:
    """The words 'none' and the vectors '(x,y,z)' of a field, without spaces."""
    return re.findall(r"none|\([^)]*\)", re.sub(r"\s+(?=[^()]*\))", "", text))


def _vector(path: Path, name: str, text: str) -> Array:
    """The first three numbers of a vector: a fourth, where there is one, is time."""
    words = text.strip("()").replace(",", " ").split()
    return numbers(path, name, " ".join(words[:3]), 3)


def _dtype(path: Path, fields: dict[str, str]) -> np.dtype[Any]:
    name = fields.get("type", "")
    code = next((code for code, names in TYPES.items() if name in names), None)
    if code is None:
        raise ValueError(f"type is that of numbers in a header, such as float; {path} has {name!r}. Save floats.")
    endian = fields.get("endian", "").lower()
    if endian not in ("little", "big") and code[1] != "1":
        raise ValueError(f"endian is little or big in a header; {path} has {endian!r}. Add it.")
    return np.dtype(code).newbyteorder(">" if endian == "big" else "<")


def _source(path: Path, fields: dict[str, str], end: int) -> tuple[FileSource, int]:
    """Where the voxels are; an offset of -1 means the end of the file."""
    name, coding = fields.get("datafile"), fields.get("encoding", "").lower()
    if coding not in CODINGS:
        raise ValueError(f"encoding is one of {', '.join(CODINGS)}; {path} has {coding!r}. Save it as gzip or raw.")
    if name is not None and (name.split(" ")[0] == "LIST" or "%" in name):
        raise ValueError(f"a NRRD volume's voxels are in one file; {path} names {name!r}. Save it as one .nrrd file.")
    data, start = (path, end) if name is None else (data_file(path, "data file", name), 0)
    skipped_lines, skipped = (
        int(numbers(path, field, fields.get(field, "0"), 1)[0]) for field in ("lineskip", "byteskip")
    )
    start = _behind_lines(data, start, skipped_lines)
    if CODINGS[coding] == "raw":
        return FileSource(data), skipped if skipped < 0 else start + skipped
    return FileSource(data, CODINGS[coding], start), max(0, skipped)


def _behind_lines(path: Path, start: int, count: int) -> int:
    """The byte after `count` lines from `start` on."""
    if count < 1:
        return start
    return next((end for number, (_, end) in enumerate(lines(path, start), 1) if number == count), path.stat().st_size)


def _places(path: Path, fields: dict[str, str], spatial: list[bool]) -> tuple[Array, str]:
    """The affine, and its unit, 'voxel' where the header says no spacing."""
    space = fields.get("space", "").lower().removesuffix("-time")
    to_ras = np.diag([*SPACES.get(space, (-1, -1, 1)), 1.0])  # other spaces are taken as DICOM's, as ITK does
    if "spacedirections" in fields:
        vectors = [_vector(path, "space directions", v) for v in _vectors(fields["spacedirections"]) if v != "none"]
        origin = _vector(path, "space origin", fields.get("spaceorigin", "(0,0,0)"))
        units = re.findall(r'"([^"]*)"', fields.get("spaceunits", ""))
        return to_ras @ affine(np.stack(vectors[:3], 1), origin), _unit(path, units)
    if "spacings" not in fields:
        return np.eye(4), "voxel"
    steps = numbers(path, "spacings", " ".join(compress(fields["spacings"].split(), spatial)), 3)
    units = list(compress(re.findall(r'"([^"]*)"', fields.get("units", "")), spatial))
    return to_ras @ affine(np.diag(steps), np.zeros(3)), _unit(path, units)


def _unit(path: Path, names: list[str]) -> str:
    """The unit of the spacings, mm where none is named."""
    units = {name.lower().rstrip("s") for name in names if name not in ("", "???")} or {"mm"}
    if len(units) > 1 or not units <= set(UNITS):
        raise ValueError(f"the axes of a volume share one unit of {', '.join(UNITS)}; {path} has {', '.join(names)}.")
    return UNITS[units.pop()]
