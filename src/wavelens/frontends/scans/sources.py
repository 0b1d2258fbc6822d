"""Bytes of a file, decompressed where they are compressed, and the most that they can be."""

from __future__ import annotations

import bz2
import gzip
import io
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

MAX_DEFLATE_RATIO = 1032  # bytes that one deflated byte can give (zlib's technical notes)
CHUNK_BYTES = 2**16


class Source(ABC):
    """A stream of bytes with a known upper bound of its length."""

    @property
    @abstractmethod
    def max_bytes(self) -> int | None:
        """The most bytes that the stream can give, by the size of the file; None where nothing bounds them."""

    @abstractmethod
    def open(self) -> AbstractContextManager[IO[bytes]]:
        """The stream from its start."""


@dataclass(frozen=True)
class FileSource(Source):
    """The bytes of a file from `start` on: `coding` is 'raw', 'gzip', 'zlib' or 'bzip2'."""

    path: Path
    coding: str = "raw"
    start: int = 0

    @classmethod
    def sniffed(cls, path: Path) -> FileSource:
        """The bytes of a file that may be gzipped, which its first two bytes say, whatever its name."""
        with path.open("rb") as file:
            return cls(path, "gzip" if file.read(2) == b"\x1f\x8b" else "raw")

    @property
    def max_bytes(self) -> int | None:
        ratios = {"raw": 1, "gzip": MAX_DEFLATE_RATIO, "zlib": MAX_DEFLATE_RATIO}
        return (self.path.stat().st_size - self.start) * ratios[self.coding] if self.coding in ratios else None

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        with self.path.open("rb") as file:
            file.seek(self.start)
            yield CODINGS[self.coding](file)

    def head(self, count: int) -> bytes:
        """The first bytes, fewer where there are no more."""
        with self.open() as file:
            return file.read(count)


@dataclass(frozen=True, eq=False)
class MemberSource(Source):
    """The bytes of one member of a zip archive."""

    path: Path
    member: zipfile.ZipInfo

    @property
    def max_bytes(self) -> int | None:
        ratios = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: MAX_DEFLATE_RATIO}
        size = min(self.member.compress_size, self.path.stat().st_size)
        kind = self.member.compress_type
        return min(self.member.file_size, size * ratios[kind]) if kind in ratios else self.member.file_size

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
            yield file


class _Inflated(io.RawIOBase):
    """A zlib or gzip stream, read forwards; its checksum is checked at its end."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decoder = zlib.decompressobj(32 + zlib.MAX_WBITS)  # either header

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = b""
        while not (data or self._decoder.eof):
            pending = self._decoder.unconsumed_tail or self._file.read(CHUNK_BYTES)
            if not pending:
                raise EOFError("its compressed stream ends early")
            data = self._decoder.decompress(pending, len(buffer))
        buffer[: len(data)] = data
        return len(data)


CODINGS: dict[str, Callable[[IO[bytes]], Any]] = {
    "raw": lambda file: file,
    "gzip": lambda file: gzip.GzipFile(fileobj=file),
    "zlib": lambda file: io.BufferedReader(_Inflated(file), CHUNK_BYTES),
    "bzip2": bz2.BZ2File,
}
