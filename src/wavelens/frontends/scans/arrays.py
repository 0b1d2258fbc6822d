"""NumPy's .npy and .npz files, whose headers are read without unpickling anything."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from wavelens.frontends.scans.sources import FileSource, MemberSource, Source
from wavelens.frontends.scans.stored import Stored, damaged, decoding_errors, size

ARRAYS = (".npy", ".npz")
HEADERS: dict[tuple[int, int], Callable[[IO[bytes]], Any]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
LENGTH_BYTES = {(1, 0): 2, (2, 0): 4}  # the length of the header stands before it
MAX_HEADER_BYTES = 10_000  # as in NumPy, which reads longer ones before it refuses them


def stored_array(path: Path, key: str | None, noun: str = "voxels") -> Stored:
    """The array at `path`, its axes as they are; `key` names one of several in an .npz file, `noun` its values."""
    if is_archive(path):
        return _stored(path, MemberSource(path, _member(path, key)), noun)
    with decoding_errors(path):
        return _stored(path, FileSource.sniffed(path), noun)


def array_keys(path: Path) -> tuple[str, ...]:
    """What the arrays in an .npz file are called; none of an .npy file."""
    return tuple(member.filename.removesuffix(".npy") for member in _members(path)) if is_archive(path) else ()


def stored_texts(path: Path, key: str, max_bytes: int) -> tuple[str, ...]:
    """The texts of an array in an .npz file; `ValueError` for other elements, and for more bytes than that."""
    member = _member(path, key)
    if member.file_size > max_bytes:
        raise ValueError(f"{key} of {path} is a list of names; it takes {size(member.file_size)}. Shorten it.")
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as file:
            texts = np.lib.format.read_array(io.BytesIO(file.read(max_bytes)), allow_pickle=False)
    except Exception as error:  # a header is parsed as Python
        raise damaged(path, f"{key}: {error}") from error
    if texts.dtype.kind != "U" or texts.ndim != 1:
        raise ValueError(f"{key} of {path} must be a list of names; got {texts.shape} of {texts.dtype}. Save texts.")
    return tuple(map(str, texts.tolist()))


def check_axes(stored: Stored, item: int | None) -> None:
    """`ValueError` for an array whose axes, or those of one of its items, are none of a volume."""
    axes = stored.shape if item is None else stored.shape[1:]
    if len(axes) not in (3, 4):
        hint = "item takes one volume of a stack." if len(axes) == 5 else "A 2-D image goes to a model of images."
        raise ValueError(
            f"an array must be a volume (*axes) or (channel, *axes) with three axes; got {axes} in {stored.path}. "
            f"{hint}"
        )


def _member(path: Path, key: str | None) -> zipfile.ZipInfo:
    members = _members(path)
    keys = [member.filename.removesuffix(".npy") for member in members]
    if key is None and len(keys) == 1:
        return members[0]
    if key not in keys:
        remedy = f"got {key!r}" if key else "name one of them, read_volume(path, key=…), or save it alone"
        raise ValueError(f"key must be one of {', '.join(keys) or 'none'} in {path}; {remedy}.")
    if keys.count(key) > 1:
        raise ValueError(f"{path} holds {keys.count(key)} arrays called {key!r}. Save it anew with one name for each.")
    return members[keys.index(key)]


def is_archive(path: Path) -> bool:
    return path.suffix.lower() == ".npz"


def _members(path: Path) -> list[zipfile.ZipInfo]:
    with decoding_errors(path), zipfile.ZipFile(path) as archive:
        return archive.infolist()


def _stored(path: Path, source: Source, noun: str) -> Stored:
    with decoding_errors(path), source.open() as file:
        magic = file.read(np.lib.format.MAGIC_LEN)
        prefix, version = magic[:-2], tuple(magic[-2:])
        if prefix != np.lib.format.MAGIC_PREFIX:
            raise ValueError(f"an array begins with {np.lib.format.MAGIC_PREFIX!r}; {path} holds {magic!r} there.")
        if version not in HEADERS:
            raise ValueError(f"an array of numbers has version 1 or 2 of NumPy's format; {path} has version {version}.")
        length = file.read(LENGTH_BYTES[version])
        count = int.from_bytes(length, "little")
        if count > MAX_HEADER_BYTES:
            raise damaged(path, f"its header says that it has {size(count)}")
        text = file.read(count)
    try:
        axes, fortran, dtype = HEADERS[version](io.BytesIO(length + text))
    except Exception as error:  # a header is parsed as Python
        raise damaged(path, f"its header is none of NumPy's ({error})") from error
    if not all(type(n) is int for n in axes):
        raise damaged(path, f"its header says that its shape is {axes}")
    sizes = tuple(axes[::-1] if fortran else axes)
    order = tuple(range(len(sizes)))
    offset = len(magic + length + text)
    return Stored(path, source, dtype, sizes, order[::-1] if fortran else order, offset, noun=noun)
