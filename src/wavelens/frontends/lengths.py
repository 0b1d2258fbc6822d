"""Whether libsndfile reads a compressed sound to its end: it goes by the first header, which may not speak of all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

MAX_TAG_BYTES = 4096  # of titles behind the samples of an mp3
MAX_JUNK_BYTES = 2**16  # that libsndfile passes over before the first frame of an mp3, and libogg between pages
SEARCHED_BYTES = 2**16  # at a time
HEADER_BYTES = 2000  # within which the first frame of an mp3 states the length
MP3_SYNC = re.compile(rb"\xff[\xe2-\xe5\xf2-\xf5\xfa-\xfd]")  # layers III and II
MP3_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # Hz, by version
MP3_KBITS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # per second; version 1, layer III
MP2_KBITS = (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384)  # version 1, layer II
LOW_KBITS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)  # versions 2 and 2.5
MAX_FRAME_BYTES = 2**11
SAME_MASK = b"\xff\xfe\x0c"  # of a frame's header: what all frames of an mp3 share
FIRST_PAGE, LAST_PAGE = 2, 4  # flags of an ogg page
OGG_SOUNDS = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"fLaC", b"Speex   ")  # how their first pages begin


def states_mp3_length(path: Path) -> bool:
    """Whether an mp3's first frame holds the number of its frames (Xing's header), and the file has no more."""
    with path.open("rb") as file:
        start = _first_frame(file)
        file.seek(start)
        header = re.search(rb"(?:Xing|Info)\0\0\0(.).{4}(.{4})", file.read(HEADER_BYTES), re.DOTALL)
        if header is None or not header[1][0] & 1:
            return False
        if not header[1][0] & 2:  # no size
            return True
        return _next_frames(file, start + int.from_bytes(header[2], "big") + MAX_TAG_BYTES) is None


def _first_frame(file: BinaryIO) -> int:
    """Where the first frame begins: behind ID3 tags and, as libsndfile finds it, behind what is neither."""
    start = _behind_tags(file)
    file.seek(start)
    place = _frame_in(file.read(MAX_JUNK_BYTES + 2 * MAX_FRAME_BYTES))
    return start if place is None else start + place


def frames_of_mp3(file: BinaryIO) -> tuple[int, int]:
    """Where the first frame of an mp3 begins, and the last one ends; what stands around them is no sound."""
    start = _first_frame(file)
    place, kind, size = start, b"", file.seek(0, 2)
    while place < size:
        file.seek(place)
        header = file.read(4)
        if (step := _frame_bytes(header)) and (not kind or _masked(header) == kind):
            place, kind = place + step, _masked(header)
        elif (following := _next_frames(file, place + 1)) is not None:
            place, kind = following, b""
        else:
            return (start, place) if place > start else (0, size)
    return start, size


def _next_frames(file: BinaryIO, start: int) -> int | None:
    """Where frames of an mp3 go on, one upon the other: no titles or zeros."""
    file.seek(start)
    rest = b""
    while block := file.read(SEARCHED_BYTES):
        if (place := _frame_in(rest + block)) is not None:
            return start - len(rest) + place
        start, rest = start + len(block), block[-2 * MAX_FRAME_BYTES :]
    return None


def _frame_in(content: bytes) -> int | None:
    """The place of the first frame that another one follows."""
    for sync in MP3_SYNC.finditer(content):
        header = content[sync.start() : sync.start() + 4]
        size = _frame_bytes(header)
        following = content[sync.start() + size : sync.start() + size + 3]
        if size and len(following) == 3 and _masked(following) == _masked(header):
            return sync.start()
    return None


def _masked(header: bytes) -> bytes:
    return bytes(byte & mask for byte, mask in zip(header, SAME_MASK, strict=False))


def _frame_bytes(header: bytes) -> int:
    """The size of a frame of layer II or III, 0 where `header` is none or does not say."""
    if len(header) < 4 or not MP3_SYNC.match(header):
        return 0
    version, bits, rate = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version not in MP3_RATES or bits in (0, 15) or rate == 3:
        return 0
    layer_three = header[1] >> 1 & 3 == 1
    kbits = LOW_KBITS if version != 3 else MP3_KBITS if layer_three else MP2_KBITS
    unit = 72_000 if version != 3 and layer_three else 144_000
    return unit * kbits[bits - 1] // MP3_RATES[version][rate] + (header[2] >> 1 & 1)


def _behind_tags(file: BinaryIO) -> int:
    """Where ID3 tags end, whose size has 7 bits in each byte."""
    start = 0
    while (tag := file.read(10))[:3] == b"ID3" and len(tag) == 10:
        start += 10 + sum(byte << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True))
        file.seek(start)
    return start


class Page(NamedTuple):
    """A page of an ogg file: its flags, its stream, how what it holds begins, and where it ends."""

    flags: int
    stream: bytes
    content: bytes
    end: int


def is_ogg_chain(path: Path) -> bool:
    """Whether an ogg file is several streams, one after the other: one begins behind pages of another."""
    begun = False
    for page in _pages(path):
        if begun and page.flags & FIRST_PAGE:
            return True
        begun = begun or not page.flags & FIRST_PAGE
    return False


def lacks_ogg_end(path: Path) -> bool:
    """Whether the sound of an ogg file lacks the page that is marked as its last one, or a part of that page."""
    sound, ended, size = None, True, path.stat().st_size
    for page in _pages(path):
        if sound is None and page.flags & FIRST_PAGE and page.content.startswith(OGG_SOUNDS):
            sound = page.stream
        if page.stream == sound:
            ended = bool(page.flags & LAST_PAGE) and page.end <= size
    return not ended


def _pages(path: Path) -> Iterator[Page]:
    with path.open("rb") as file:
        while len(header := file.read(27)) == 27:
            if header[:4] != b"OggS":
                rest = header + file.read(MAX_JUNK_BYTES)
                if (place := rest.find(b"OggS", 1)) < 0:
                    return
                file.seek(place - len(rest), 1)
                continue
            size = sum(file.read(header[26]))
            start = file.tell()
            yield Page(header[5], header[14:18], file.read(min(size, 8)), start + size)
            file.seek(start + size)
