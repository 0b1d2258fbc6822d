"""Decoders of picture files: each gives the size, and the upright RGB that the file shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from PIL import UnidentifiedImageError

from wavelens.frontends.pictures import deep, pillow, pnm, tiff
from wavelens.frontends.pictures.pillow import FORMATS, stored
from wavelens.frontends.pictures.samples import Box, Picture, UnsupportedPicture

__all__ = ["FORMATS", "Box", "Picture", "UnsupportedPicture", "decoder", "sample_bytes", "stored"]


class PictureDecoder(NamedTuple):
    """`size(path)` is (height, width); `decode(path, at_least)` may give a fraction of that, no smaller than asked."""

    size: Callable[[Path], tuple[int, int]]
    decode: Callable[[Path, tuple[int, int] | None], Picture]


PILLOW = PictureDecoder(pillow.size, pillow.decode)
PNM = PictureDecoder(pnm.size, pnm.decode)
TIFF = PictureDecoder(tiff.size, tiff.decode)
JPEG_12 = PictureDecoder(deep.jpeg_size, deep.decode_jpeg)


def decoder(path: Path) -> PictureDecoder:
    """What decodes the file, by its first bytes; `UnidentifiedImageError` where nothing does."""
    with path.open("rb") as file:
        head = file.read(26)
    if head.startswith(pnm.MAGICS):
        return PNM
    if head.startswith(tiff.MAGICS):
        suits_pillow = _suits_pillow(path)
        tiff.check_stored(path, by_offset=suits_pillow)
        return PILLOW if suits_pillow else TIFF
    if head.startswith(b"\xff\xd8") and deep.jpeg_precision(path) > 8:
        return JPEG_12
    if head.startswith(b"8BPS") and (bits := int.from_bytes(head[22:24], "big")) > 8:
        raise UnsupportedPicture(f"a PSD is read with 8 bits per channel; {path} has {bits}. Save it as PNG or TIFF.")
    return PILLOW


def sample_bytes(path: Path) -> int:
    """Bytes of all samples of a TIFF, which may have any number of bands; 0 for formats whose bands are few."""
    with path.open("rb") as file:
        told = tiff.layout(path) if file.read(4).startswith(tiff.MAGICS) else None
    return 0 if told is None else told.decoded


def _suits_pillow(path: Path) -> bool:
    try:
        with pillow.opened(path) as image:
            return tiff.is_stored_by_pillow(image)
    except UnidentifiedImageError:
        return False
