"""MetaImage files of ITK: .mha, or an .mhd header beside the file with the voxels.

Read here and not by ITK, which gives wrong voxels without an error where a compressed file is damaged, and writes to
the terminal. The format: https://itk.org/Wiki/MetaIO/Documentation.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from wavelens.frontends.scans.sources import FileSource
from wavelens.frontends.scans.stored import Array, Stored, layout
from wavelens.frontends.scans.text_headers import LPS_TO_RAS, affine, check_field, data_file, lengths, lines, numbers

METAIMAGE = (".mha", ".mhd")
TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",  # MetaIO stores a long in 4 bytes
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
PARSED = frozenset(
    "DimSize ElementNumberOfChannels ElementType ElementDataFile HeaderSize BinaryData CompressedData ElementSpacing "
    "ElementSize TransformMatrix Rotation Orientation Offset Origin Position ElementToIntensityFunctionSlope "
    "ElementToIntensityFunctionOffset BinaryDataByteOrderMSB ElementByteOrderMSB".split()
)
INTENSITY = {"ElementToIntensityFunctionSlope": "1", "ElementToIntensityFunctionOffset": "0"}  # and their defaults


def stored_metaimage(path: Path) -> Stored:
    """The voxels of a MetaImage `(channel, i, j, k)`; a fourth axis, or the numbers of a voxel, are the channels."""
    fields, end = _header(path)
    axes = lengths(path, "DimSize", fields.get("DimSize", ""))
    components = lengths(path, "ElementNumberOfChannels", fields.get("ElementNumberOfChannels", "1"), 1)[0]
    sizes, order = layout(path, axes, components)
    source, offset = _source(path, fields, end)
    dtype = _dtype(path, fields)
    if offset < 0:
        offset = max(0, source.path.stat().st_size - math.prod(sizes) * dtype.itemsize)
    slope, intercept = (float(numbers(path, name, fields.get(name, usual), 1)[0]) for name, usual in INTENSITY.items())
    matrix, unit = _places(path, fields, len(axes))
    return Stored(path, source, dtype, sizes, order, offset, slope, intercept, matrix, unit, source.path != path)


def _header(path: Path) -> tuple[dict[str, str], int]:
    """The fields up to the last, ElementDataFile, and the byte at which they end."""
    fields: dict[str, str] = {}
    for line, end in lines(path):  # noqa: B007 - where the last line ends
        name, equals, value = line.decode("latin-1").partition("=")
        if not (line.endswith(b"\n") and equals):
            raise ValueError(
                f"a MetaImage header is lines of NAME = VALUE up to ElementDataFile; {path} has {bytes(line[:40])!r} "
                "after " + (f"{next(reversed(fields))}." if fields else "its start.") + " Is it another format?"
            )
        name, value = name.strip(), value.strip()
        if name in PARSED:
            check_field(path, name, value)
        fields[name] = value
        if name == "ElementDataFile":
            break
    return fields, end


def _source(path: Path, fields: dict[str, str], end: int) -> tuple[FileSource, int]:
    """Where the voxels are; an offset of -1 means the end of the file."""
    name, skipped = fields["ElementDataFile"], fields.get("HeaderSize", "0")
    if name.split(" ")[0] == "LIST" or "%" in name:
        raise ValueError(f"a MetaImage's voxels are in one file; {path} names {name!r}. Save it as one .mha file.")
    if not _is_true(fields.get("BinaryData", "True")):
        raise ValueError(f"a MetaImage's voxels are binary; those of {path} are text. Save it as binary data.")
    source = FileSource(path if name.upper() == "LOCAL" else data_file(path, "ElementDataFile", name))
    if _is_true(fields.get("CompressedData", "False")):
        source = replace(source, coding="zlib", start=end if source.path == path else 0)
        return source, 0
    offset = int(numbers(path, "HeaderSize", skipped, 1)[0])
    return source, offset or (end if source.path == path else 0)


def _dtype(path: Path, fields: dict[str, str]) -> np.dtype[Any]:
    name = fields.get("ElementType", "").removesuffix("_ARRAY")
    if name not in TYPES:
        raise ValueError(
            f"ElementType is one of {', '.join(TYPES)}; {path} has {name!r}. Save numbers such as MET_FLOAT."
        )
    most_first = fields.get("BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", "False"))
    return np.dtype(TYPES[name]).newbyteorder(">" if _is_true(most_first) else "<")


def _places(path: Path, fields: dict[str, str], ndim: int) -> tuple[Array, str]:
    """The affine, and 'mm', or 'voxel' where the header says no spacing."""
    spacing, turning, origin = (
        next(((name, fields[name]) for name in names if name in fields), (names[0], usual))
        for names, usual in (
            (("ElementSpacing", "ElementSize"), " ".join(["1"] * ndim)),
            (("TransformMatrix", "Rotation", "Orientation"), " ".join(str(n) for n in np.eye(ndim).ravel())),
            (("Offset", "Origin", "Position"), " ".join(["0"] * ndim)),
        )
    )
    steps = numbers(path, *spacing, ndim)[:3]
    along = numbers(path, *turning, ndim**2).reshape(ndim, ndim)[:3, :3]  # a row for each axis
    known = any(name in fields for name in ("ElementSpacing", "ElementSize"))
    return LPS_TO_RAS @ affine(along.T * steps, numbers(path, *origin, ndim)[:3]), "mm" if known else "voxel"


def _is_true(text: str) -> bool:
    return text.startswith(("T", "t", "1"))
