"""Where the samples of a sound file end by its own header, which tells whether the file was cut short."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

UNKNOWN_BYTES = 0x7F000000 - 2**16  # a header that names as many or more was written before the length was known
UNKNOWN_LONG_BYTES = 2**62  # the same of sizes in 64 bits; -1 is one of them
SAMPLES = (b"data", b"SSND", b"BODY")  # names of the chunk that holds them
MAX_CHUNKS = 100_000  # that are passed over; zeros would be chunks of no size
NIST_BYTES = 2**16  # of a header in which fields are looked for
SAMPLE_BYTES = {"PCM_S8": 1, "ALAW": 1, "ULAW": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4}
EXTENSIBLE, PCM = b"\xfe\xff", b"\x01\0"  # formats of a wav or w64
IRCAM_HEADER_BYTES, PAF_HEADER_BYTES = 1024, 2048
PAF_BLOCK_BYTES = 32  # ten samples of 24 bits
SDS_HEADER_BYTES, SDS_BLOCK_BYTES, SDS_BLOCK_VALUES = 21, 127, 120
ADX_BLOCK_BYTES, ADX_BLOCK_SAMPLES = 18, 32


class Chunk(NamedTuple):
    """A part of a file: its name, and where what it holds begins and ends."""

    name: bytes
    start: int
    end: int
    known: bool  # whether its size was


class Layout(NamedTuple):
    """How the chunks of a file are written: where the first one is, and the sizes of their fields in bytes."""

    first: int
    name: int
    size: int
    order: Literal["little", "big"]
    step: int  # chunks begin at its multiples
    inclusive: bool = False  # whether sizes count name and size too


LAYOUTS = {  # by the first four bytes of the file
    b"RIFF": Layout(12, 4, 4, "little", 2),
    b"RF64": Layout(12, 4, 4, "little", 2),
    b"RIFX": Layout(12, 4, 4, "big", 2),
    b"FORM": Layout(12, 4, 4, "big", 2),
    b"caff": Layout(8, 4, 8, "big", 1),
    b"riff": Layout(40, 16, 8, "little", 8, inclusive=True),
}


def stated_end(path: Path) -> int | None:
    """Where the samples end by the header, in bytes from the file's beginning; None where it does not say."""
    with path.open("rb") as file:
        head = file.read(64)
        if head[:4] in LAYOUTS:
            return _end_of_chunk(file, head)
        read = next((read for mark, read in HEADERS.items() if head.startswith(mark)), None)
        try:
            return None if read is None else read(head, file)
        except (struct.error, ValueError, IndexError, ArithmeticError, OSError):  # a header that ends early or is odd
            return None


def ends_inside_a_sample(path: Path, kind: str, subtype: str, channels: int) -> bool:
    """Whether a file whose header states no length ends within a sample; `kind` and `subtype` are libsndfile's."""
    size, width = path.stat().st_size, channels * SAMPLE_BYTES.get(subtype, 1)
    if kind == "PAF":
        width = channels * PAF_BLOCK_BYTES if subtype == "PCM_24" else width
        return (size - PAF_HEADER_BYTES) % width > 0
    if kind == "IRCAM":
        return (size - IRCAM_HEADER_BYTES) % width > 0
    if kind == "PVF":
        with path.open("rb") as file:
            return (size - len(file.readline(100)) - len(file.readline(100))) % width > 0
    return False


def states_frames(path: Path) -> bool:
    """Whether the header of a wav, w64 or caf agrees with itself on the bytes of a frame, or has four bits a sample."""
    with path.open("rb") as file:
        head = file.read(4)
        for chunk in _chunks(file, head) if head in LAYOUTS else ():
            file.seek(chunk.start)
            fields = file.read(32)
            if chunk.name[:4] == b"desc" and len(fields) == 32:  # of a caf
                codec, width, frames, channels, bits = struct.unpack(">8x4s4x4I", fields)
                return bool(codec != b"lpcm" or width == frames * channels * -(-bits // 8))
            if chunk.name[:4] == b"fmt " and len(fields) >= 16:
                channels, width, bits = struct.unpack("<2xH8x2H", fields[:16])
                return bool(width == channels * -(-bits // 8)) or bits == 4 < width
    return False


def is_unclosed(path: Path) -> bool:
    """Whether a wav was written to its end, but neither its size nor that of its samples was: both are 0."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        chunks = _chunks(file, head) if head == b"RIFF" + bytes(4) else ()
        return any(chunk.name == b"data" and chunk.start == chunk.end < size for chunk in chunks)


def is_misread(path: Path) -> bool:
    """Whether libsndfile would take the samples for others: in an extensible w64 it goes by their width alone."""
    with path.open("rb") as file:
        head = file.read(16)
        for chunk in _chunks(file, head) if head.startswith(b"riff") else ():
            if chunk.name[:4] == b"fmt ":
                file.seek(chunk.start)
                fields = file.read(26)
                return len(fields) == 26 and fields[:2] == EXTENSIBLE and fields[24:] != PCM
    return False


def _chunks(file: BinaryIO, head: bytes) -> Iterator[Chunk]:
    layout = LAYOUTS[head[:4]]
    place, before, fields = layout.first, 0, layout.name + layout.size
    end = file.seek(0, 2)
    for _ in range(MAX_CHUNKS):
        if place > end:
            return
        file.seek(place)
        header = file.read(fields)
        if len(header) < fields:
            return
        if before % 2 and layout.step == 2 and not header[:1].isalnum():  # an odd chunk without its filling byte
            place, before = place - 1, 0
            continue
        size = int.from_bytes(header[layout.name :], layout.order)
        known = 0 < size < (UNKNOWN_BYTES if layout.size == 4 else UNKNOWN_LONG_BYTES)
        size -= fields if layout.inclusive else 0
        start = place + fields
        yield Chunk(header[: layout.name], start, start + size, known and size > 0)
        place, before = start + max(-(-size // layout.step) * layout.step, 0), size


def _end_of_chunk(file: BinaryIO, head: bytes) -> int | None:
    """The end of the chunk with the samples; an RF64 has sizes beyond 32 bits in a chunk of its own, ds64."""
    long = 0
    for chunk in _chunks(file, head):
        if chunk.name == b"ds64":
            file.seek(chunk.start + 8)
            long = int.from_bytes(file.read(8), "little")
        if chunk.name[:4] in SAMPLES:
            if chunk.known:
                return chunk.end
            return chunk.start + long if 0 < long < UNKNOWN_LONG_BYTES else None
    return None


def _au(head: bytes, file: BinaryIO) -> int | None:
    start, size = struct.unpack(">4x2I" if head[:1] == b"." else "<4x2I", head[:12])
    return start + size if 0 < size < UNKNOWN_BYTES else None


def _avr(head: bytes, file: BinaryIO) -> int:
    stereo, bits, frames = struct.unpack(">12x2H10xI", head[:30])
    return int(128 + frames * (2 if stereo else 1) * bits // 8)


def _mpc2k(head: bytes, file: BinaryIO) -> int:
    stereo, frames = struct.unpack("<21x?8xI", head[:34])
    return int(42 + 2 * frames * (2 if stereo else 1))


def _nist(head: bytes, file: BinaryIO) -> int | None:
    start = int(head[8:16])
    file.seek(0)
    lines = [line.split() for line in file.read(NIST_BYTES).split(b"end_head")[0].split(b"\n")]
    fields = {line[0]: line[2] for line in lines if len(line) == 3}
    if b"sample_count" not in fields:
        return None
    values = (int(fields.get(name, b"1")) for name in (b"sample_count", b"channel_count", b"sample_n_bytes"))
    count, channels, width = values
    return start + count * channels * width if count > 0 else None


def _wve(head: bytes, file: BinaryIO) -> int:
    return 32 + int.from_bytes(head[18:22], "big")


def _sds(head: bytes, file: BinaryIO) -> int:
    """A sample dump: blocks of 120 bytes of 7 bits, whose header gives numbers in such bytes, the lowest first."""
    samples = sum(byte << shift for byte, shift in zip(head[10:13], (0, 7, 14), strict=True))
    per_block = SDS_BLOCK_VALUES // -(-head[6] // 7)
    return SDS_HEADER_BYTES + SDS_BLOCK_BYTES * -(-samples // per_block)


def _adx(head: bytes, file: BinaryIO) -> int | None:
    start, block, bits, channels, samples = struct.unpack(">2xHx3B4xI", head[:16])
    file.seek(start - 2)
    if file.read(6) != b"(c)CRI" or (block, bits) != (ADX_BLOCK_BYTES, 4):
        return None
    return int(start + 4 + -(-samples // ADX_BLOCK_SAMPLES) * block * channels)


HEADERS: dict[bytes, Callable[[bytes, BinaryIO], int | None]] = {  # by how the file begins
    b".snd": _au,
    b"dns.": _au,
    b"2BIT": _avr,
    b"\x01\x04": _mpc2k,
    b"NIST_1A": _nist,
    b"\x80\0": _adx,
    b"ALawSoundFile": _wve,
    b"\xf0\x7e": _sds,
}
