"""Whether libsndfile reads a compressed sound to its end: it goes by the first header, which may not speak of all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

MAX_TAG_BYTES = 4096  # of titles behind the samples of an mp3
FIRST_PAGE = 2  # a flag of an ogg page


def states_mp3_length(path: Path) -> bool:
    """Whether an mp3's first frame holds the number of its frames (Xing's header), and the file has no more."""
    with path.open("rb") as file:
        start = _behind_tags(file)
        file.seek(start)
        header = re.search(rb"(?:Xing|Info)\0\0\0(.).{4}(.{4})", file.read(2000), re.DOTALL)
    if header is None or not header[1][0] & 1:
        return False
    size = int.from_bytes(header[2], "big") if header[1][0] & 2 else path.stat().st_size
    return path.stat().st_size - start <= size + MAX_TAG_BYTES


def _behind_tags(file: BinaryIO) -> int:
    """Where the first frame begins: behind ID3 tags, whose size has 7 bits in each byte."""
    start = 0
    while (tag := file.read(10))[:3] == b"ID3" and len(tag) == 10:
        start += 10 + sum(byte << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True))
        file.seek(start)
    return start


def is_ogg_chain(path: Path) -> bool:
    """Whether an ogg file is several streams, one after the other: one begins behind pages of another."""
    begun = False
    with path.open("rb") as file:
        while (page := file.read(27))[:4] == b"OggS" and len(page) == 27:
            if begun and page[5] & FIRST_PAGE:
                return True
            begun = begun or not page[5] & FIRST_PAGE
            file.seek(sum(file.read(page[26])), 1)
    return False
