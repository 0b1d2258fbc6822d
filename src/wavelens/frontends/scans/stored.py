"""Voxels as a file stores them: known by the header, and read block by block into float32."""

from __future__ import annotations

import errno
import math
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from wavelens.frontends.scans.sources import CHUNK_BYTES, Source

Array = NDArray[Any]

BLOCK_NUMBERS = 2**20  # read and scaled at a time
MAX_TRAILING_BYTES = 2**24  # read after the voxels, so that a checksum at the end of the stream is checked


@dataclass(frozen=True, eq=False)
class Stored:
    """What a header says of the voxels of `path`, in `source` from `offset` on; checked when it is made.

    `sizes` are the lengths of the stored axes, the slowest first; axis `n` of the result is stored axis `order[n]`.
    A voxel is `slope` × the stored number + `intercept`. `detached` where another file than `path` holds the voxels.
    `noun` is what errors call them.
    `ValueError` where the voxels are no real numbers, or more than the source can hold.
    """

    path: Path
    source: Source
    dtype: np.dtype[Any]
    sizes: tuple[int, ...]
    order: tuple[int, ...]
    offset: int = 0
    slope: float = 1.0
    intercept: float = 0.0
    affine: Array = field(default_factory=lambda: np.eye(4))
    unit: str = "voxel"
    detached: bool = False
    noun: str = "voxels"

    def __post_init__(self) -> None:
        if self.dtype.kind == "O":
            raise ValueError(
                f"{self.path} holds no array that can be read without pickle: its elements are Python objects. "
                "Save an array of numbers."
            )
        if self.dtype.kind not in "buif":
            raise ValueError(
                f"{self.noun} must be real numbers; got {self.dtype} in {self.path}. Save real numbers, such as "
                "the magnitude."
            )
        if min(self.sizes, default=1) < 0 or self.offset < 0:
            raise damaged(self.path, f"its header says axes of {self.shape} {self.noun} from byte {self.offset} on")
        if min(self.sizes, default=1) < 1:
            raise ValueError(f"{self.path} has no {self.noun}: its axes are {self.shape}. Save one that is not empty.")
        bound = self.source.max_bytes
        if bound is not None and self.stream_bytes > bound:
            raise damaged(
                self.path, f"its header promises {size(self.stream_bytes)} and the file holds at most {size(bound)}"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes of the result."""
        return tuple(self.sizes[axis] for axis in self.order)

    @property
    def stream_bytes(self) -> int:
        """What is decompressed: all that stands before the voxels, and the voxels."""
        return self.offset + math.prod(self.sizes) * self.dtype.itemsize

    @property
    def memory_bytes(self) -> int:
        """What is decompressed, or the voxels in float32 where these are more: reading holds no more at a time."""
        return max(self.stream_bytes, 4 * math.prod(self.sizes))

    def read(self, item: int | None = None) -> Array:
        """The voxels in float32, or those at `item` of the first axis of the result."""
        if item is None:
            return self._read()
        if not self.order or not -self.shape[0] <= item < self.shape[0]:
            count = self.shape[0] if self.order else 0
            raise ValueError(f"item must be one of {count} volumes in {self.path}; got {item}.")
        if self.order[0] != 0:  # its voxels lie scattered over the file
            one: Array = self._read()[item]
            return one
        return self._read(item % self.shape[0])

    def _read(self, item: int | None = None) -> Array:
        sizes = self.sizes if item is None else self.sizes[1:]
        order = self.order if item is None else tuple(axis - 1 for axis in self.order[1:])
        out = empty_voxels(self.path, tuple(sizes[axis] for axis in order), self.noun)
        start = self.offset + (item or 0) * math.prod(sizes) * self.dtype.itemsize
        with decoding_errors(self.path), self.source.open() as file:
            file.seek(start, os.SEEK_CUR) if file.seekable() else _skip(file, start)
            self._fill(out.transpose(np.argsort(order)) if order else out, file)
            if item is None:
                _skip(file, MAX_TRAILING_BYTES)
        return out

    def _fill(self, out: Array, file: IO[bytes]) -> None:
        """Reads `out`, whose axes are those of the stream, in blocks along the first axis that is short enough."""
        steps = [math.prod(out.shape[axis + 1 :]) for axis in range(out.ndim)]
        axis = next((axis for axis, step in enumerate(steps) if step <= BLOCK_NUMBERS), 0)
        rows = max(1, BLOCK_NUMBERS // steps[axis]) if steps else 1
        for index in np.ndindex(out.shape[:axis]):
            part = out[(*index, ...)]  # a view, of an array without axes too
            for first in range(0, len(part) if part.ndim else 1, rows):
                block = part[first : first + rows] if part.ndim else part
                block[...] = self._numbers(file, block.shape)

    def _numbers(self, file: IO[bytes], shape: tuple[int, ...]) -> Array:
        count = math.prod(shape) * self.dtype.itemsize
        data = file.read(count)
        if len(data) < count:
            raise EOFError(f"it ends before its {self.noun} do")
        numbers: Array = np.frombuffer(data, self.dtype).reshape(shape)
        with np.errstate(over="ignore", invalid="ignore"):  # a volume refuses what is not finite in float32
            if (self.slope, self.intercept) != (1, 0):
                numbers = numbers * np.float64(self.slope) + np.float64(self.intercept)
            return numbers.astype(np.float32)


def layout(path: Path, axes: tuple[int, ...], components: int = 1) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """`sizes` and `order` of voxels stored as `(i, j, k[, channel])`, the first axis fastest, for `(channel, i, j, k)`.

    Where a voxel has several `components`, which are stored beside each other, they are the channels.
    """
    if len(axes) not in ((3,) if components > 1 else (3, 4)):
        raise ValueError(
            f"a volume must have three axes, or four with the channels last; got {axes} in {path}. "
            "A 2-D image goes to a model of images."
        )
    i, j, k, *channels = axes
    if components > 1:
        return (k, j, i, components), (3, 2, 1, 0)
    return (*(channels or [1]), k, j, i), (0, 3, 2, 1)


def damaged(path: Path, reason: str) -> ValueError:
    """That a file is not what its format promises, and why."""
    return ValueError(f"{path} is damaged: {' '.join(reason.split())}. Get a fresh copy.")


@contextmanager
def decoding_errors(path: Path) -> Iterator[None]:
    """Turns what decoders raise on broken bytes into `ValueError`s that name the file; other errors pass."""
    try:
        yield
    except (zlib.error, EOFError, zipfile.BadZipFile) as error:
        raise damaged(path, str(error)) from error
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # the disk's; a place before the file is damage
            raise
        raise damaged(path, str(error)) from error
    except MemoryError as error:
        raise ValueError(f"{path} does not fit into memory. Crop it, or sample it more coarsely, first.") from error
    except RuntimeError as error:  # zipfile's, of encryption and of methods that it lacks
        raise ValueError(f"{path} cannot be decompressed: {error}. Save it anew.") from error


def size(count: int) -> str:
    """A number of bytes for a reader."""
    power = min(4, max(0, int(math.log10(max(count, 1)) // 3)))
    return f"{count / 1000**power:.3g} {('bytes', 'kB', 'MB', 'GB', 'TB')[power]}"


def empty_voxels(path: Path, shape: tuple[int, ...], noun: str = "voxels") -> Array:
    """Room for values in float32, which takes memory as it is written; `ValueError` where the machine has less."""
    needed, free = 4 * math.prod(shape), _free_bytes()
    if free is not None and needed > free:
        raise ValueError(
            f"{path} has {' × '.join(map(str, shape))} {noun}, which take {size(needed)} in float32; this machine has "
            f"{size(free)} free. Crop it, or sample it more coarsely, first."
        )
    with decoding_errors(path):
        return np.empty(shape, np.float32)


def _free_bytes() -> int | None:
    """Memory that can be taken without swapping; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        names = getattr(os, "sysconf_names", {})
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if "SC_PHYS_PAGES" in names else None


def _skip(file: IO[bytes], count: int) -> None:
    """Reads on by `count` bytes, or to the end."""
    while count > 0 and (data := file.read(min(count, CHUNK_BYTES))):
        count -= len(data)
