"""Formats that are known by their first bytes and not read, so that a refusal can name them."""

from __future__ import annotations

import struct
from collections.abc import Callable

from PIL import Image

from wavelens.frontends.pictures.pillow import FORMATS

RAW = "raw photo"
MARKS = (  # of formats that Pillow has not: offset, bytes, name
    *((4, b"ftyp" + brand, "HEIC") for brand in (b"heic", b"heix", b"heim", b"hevc", b"mif1", b"msf1")),
    *((4, b"ftyp" + brand, "AVIF") for brand in (b"avif", b"avis")),  # where this Pillow lacks it
    (4, b"ftypcrx", RAW),
    (0, b"FUJIFILMCCD-RAW", RAW),
    *((0, magic, RAW) for magic in (b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"\0MRM", b"FOVb")),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL"),
    (0, b"v/1\x01", "OpenEXR"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"#?RGBE", "Radiance HDR"),
    (0, b"gimp xcf", "GIMP"),
    (0, b"<svg", "SVG"),
    (0, b"%PDF", "PDF"),
    (0, b"AT&TFORM", "DjVu"),
    (40, b" EMF", "EMF"),
)


def unread_format(head: bytes) -> str | None:
    """The format of a file that begins so, if it is known and not read; nothing of the file is decoded."""
    for offset, magic, name in MARKS:
        if head[offset:].startswith(magic):
            return name
    Image.init()
    for name, (_, accepts) in Image.OPEN.items():
        if name not in FORMATS and accepts is not None and is_accepted(accepts, head):
            return name
    return None


def is_accepted(accepts: Callable[[bytes], bool | str], head: bytes) -> bool:
    """Whether a decoder of Pillow takes a file that begins so."""
    try:
        return accepts(head) is True
    except (struct.error, IndexError):  # of files of a few bytes
        return False
