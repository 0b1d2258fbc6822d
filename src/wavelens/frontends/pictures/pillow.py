"""Pictures that Pillow decodes, by an allow-list of its formats: others start programs (EPS) or open those (IPTC)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.ExifTags import Base

from wavelens.frontends.pictures import deep, pnm, tiff
from wavelens.frontends.pictures.samples import Array, Box, Picture, Samples, banded, check_range, is_turned, strips

FORMATS = tuple("AVIF BMP DIB GIF ICNS ICO JPEG JPEG2000 PCX PNG PPM PSD QOI TGA TIFF WEBP".split())
DEEP: dict[str, Callable[[Path, Image.Image], Samples | None]] = {
    "PNG": deep.png,
    "JPEG2000": deep.jpeg2000,
    "AVIF": deep.avif,
    "TIFF": tiff.grey,
    "PPM": pnm.samples,
}
DECLARES_ALPHA: dict[str, Callable[[Path, Image.Image], bool]] = {  # where Pillow takes any fourth band for alpha
    "TIFF": tiff.has_alpha,
    "JPEG2000": deep.has_channel_definition,
    "TGA": lambda path, image: bool(path.read_bytes()[17] & 15),
    "PSD": lambda path, image: False,  # its pixels are over white already
}
COLOR_MAP = 320  # a tag of TIFF
DRAFTED_FROM = 2**24  # pixels of a JPEG from which it may be decoded at a fraction of its size


@cache
def formats() -> list[str]:
    """Those of `FORMATS` that this Pillow knows."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """The picture, of which nothing is decoded yet.

    Given a path and not a file, Pillow 12 maps TIFFs that are turned into memory with height and width confused.
    """
    with path.open("rb") as file, Image.open(file, formats=formats()) as image:
        yield image


def size(path: Path) -> tuple[int, int]:
    """Height and width, upright."""
    with opened(path) as image:
        width, height = image.size
        return (width, height) if is_turned(_header_orientation(path, image)) else (height, width)


def decode(path: Path, at_least: tuple[int, int] | None = None) -> Picture:
    """The first picture of the file; a large JPEG at the smallest fraction that is `at_least` (height, width)."""
    with opened(path) as image:
        box = _draft(image, at_least)
        samples = _deep(path, image) or _palette(image) or _bytes(path, image)
        check_range(path, samples)
        return Picture(samples, box).upright(int(image.getexif().get(Base.Orientation, 1)))


def stored(path: Path) -> Array:
    """The numbers of a picture as they are stored, upright, `(height, width, bands)`: those of its colours or its grey.

    A palette gives its indices.
    """
    with opened(path) as image:
        samples = _deep(path, image) or _plain(image if len(image.getbands()) == 1 else image.convert("RGB"))
        upright = Picture.whole(samples).upright(int(image.getexif().get(Base.Orientation, 1))).samples
        return upright.values[..., : upright.colours]


def _plain(image: Image.Image) -> Samples:
    return Samples(banded(np.asarray(image)), 255, len(image.getbands()))


def _deep(path: Path, image: Image.Image) -> Samples | None:
    """The samples of a picture of another depth than 8 bits."""
    read = DEEP.get(image.format or "")
    return None if read is None else read(path, image)


def _draft(image: Image.Image, at_least: tuple[int, int] | None) -> Box:
    """Asks the decoder for a fraction of the size, and says where in it the picture lies."""
    width, height = image.size
    if at_least is None or image.format not in ("JPEG", "MPO") or width * height < DRAFTED_FROM:
        return Box(0, 0, width, height)
    sides = at_least[::-1] if is_turned(image.getexif().get(Base.Orientation, 1)) else at_least
    drafted = image.draft(None, (sides[1], sides[0]))
    return Box(0, 0, width, height) if drafted is None else Box(*drafted[1])


def _header_orientation(path: Path, image: Image.Image) -> int:
    """EXIF orientation without decoding; Pillow applies that of a TIFF itself."""
    if image.format == "TIFF":
        return 1
    early = image.format == "PNG" and not _has_late_text(path)
    exif = Image.Image.getexif(image) if early else image.getexif()  # a PNG's own decodes it to look for more
    return int(exif.get(Base.Orientation, 1))


def _has_late_text(path: Path) -> bool:
    """Whether a PNG has EXIF or a text behind its pixels."""
    pixels = False
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            pixels = pixels or head[4:] == b"IDAT"
            if pixels and head[4:] in (b"eXIf", b"tEXt", b"zTXt", b"iTXt"):
                return True
            file.seek(int.from_bytes(head[:4], "big") + 4, 1)
    return False


def _palette(image: Image.Image) -> Samples | None:
    """The colours of a TIFF with a palette, which have 16 bits; Pillow keeps 8.

    As in libtiff, a palette without an entry above 255 was written with 8 bits.
    """
    if image.format != "TIFF" or image.mode != "P" or COLOR_MAP not in image.tag_v2:  # type: ignore[attr-defined]
        return None
    colours = np.asarray(image.tag_v2[COLOR_MAP], np.uint16).reshape(3, -1).T  # type: ignore[attr-defined]
    return Samples(colours[np.asarray(image)], 2**16 - 1 if colours.max() > 255 else 255, 3)


def _scale_key(image: Image.Image) -> None:
    """The grey that a PNG says is transparent, in 8 bits: Pillow brings pixels of 2 or 4 bits to them, and not it."""
    tiles: Any = getattr(image, "tile", None)
    key, white = image.info.get("transparency"), {"L;2": 3, "L;4": 15}.get(tiles[0][3] if tiles else "")
    if image.format == "PNG" and white and isinstance(key, int):
        image.info["transparency"] = key * 255 // white


def _bytes(path: Path, image: Image.Image) -> Samples:
    """RGB of 8 bits, transparency over white."""
    _scale_key(image)
    image.load()
    declares_alpha = DECLARES_ALPHA.get(image.format or "")
    if image.mode in ("LA", "RGBA") and declares_alpha and not declares_alpha(path, image):
        image = image.convert(image.mode[:-1])
    width, height = image.size
    rgb = np.empty((height, width, 3), np.uint8)
    for rows in strips(height, width):
        rgb[rows] = np.asarray(_opaque(image.crop((0, rows.start, width, rows.stop))).convert("RGB"))
    return Samples(rgb, 255, 3)


def _opaque(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
