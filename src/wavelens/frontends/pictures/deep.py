"""Colours of more than 8 bits that Pillow decodes and cuts to 8: 16-bit PNG, JPEG 2000, AVIF, 12-bit JPEG."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wavelens.frontends.pictures.samples import Array, Picture, Samples, UnsupportedPicture, banded, is_turned
from wavelens.optional import optional

CODESTREAM = b"\xff\x4f\xff\x51"  # start and size of a JPEG 2000
COMPONENTS_AT = 42  # bytes from there to the precision of the first component
FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers of a JPEG that hold its precision
AV1_HIGH, AV1_TWELVE = 0x40, 0x20  # bits of an AV1 configuration


def png(path: Path, image: Image.Image) -> Samples | None:
    """The samples of a PNG of 16 bits, by two decodes: Pillow keeps one byte of each sample, and may be told which."""
    key = image.info.get("transparency")
    rawmode = _rawmode(image)
    if not rawmode.endswith(";16B"):
        return None
    if rawmode.startswith("I"):
        return Samples(banded(np.asarray(image)), 65535, 1, key=None if key is None else (key,))
    if rawmode == "LA;16B":  # two samples of two bytes are decoded as four of one
        return Samples(_bytes(path, "RGBA").view(">u2"), 65535, 1, "straight")
    values = _bytes(path, rawmode).astype(np.uint16)
    values <<= 8
    values |= _bytes(path, rawmode[:-1] + "L")
    return Samples(values, 65535, 3, "straight" if rawmode == "RGBA;16B" else None, key=key)


def _rawmode(image: Image.Image) -> str:
    """How the bytes of a PNG are arranged."""
    return str(image.tile[0][3])  # type: ignore[attr-defined]


def _bytes(path: Path, rawmode: str) -> Array:
    """A PNG decoded as if its bytes were arranged so, `(height, width, bands)`."""
    with Image.open(path, formats=["PNG"]) as image:
        image.tile = [(*tile[:3], rawmode) for tile in image.tile]  # type: ignore[misc]
        return np.asarray(image)


def jpeg2000(path: Path, image: Image.Image) -> Samples | None:
    """The samples of a JPEG 2000 of another precision than 8 bits, which Pillow shifts to 8 bits, or grey to 16."""
    data = path.read_bytes()
    at = data.index(CODESTREAM) + COMPONENTS_AT
    precision = max((value & 0x7F) + 1 for value in data[at : at + 3 * len(image.getbands()) : 3])
    if precision == 8 or image.mode in ("P", "PA"):
        return None
    if data[at] & 0x80:
        raise UnsupportedPicture(f"a photo holds unsigned integers; {path} holds signed ones. Scale it first.")
    colours = {"RGB": 3, "RGBA": 3, "CMYK": 4}.get(image.mode, 1)
    alpha = "straight" if has_channel_definition(path, image) else None
    if precision > 8 and image.mode != "I;16":
        values = codec(path, "JPEG 2000", precision).jpeg2k_decode(data)
    else:
        values = np.asarray(image) >> ((16 if precision > 8 else 8) - precision)
    return Samples(banded(values), 2**precision - 1, colours, alpha)


def has_channel_definition(path: Path, image: Image.Image) -> bool:
    """Whether a JPEG 2000 says what its bands are, as it does where one is transparency."""
    data = path.read_bytes()
    return b"cdef" in data[: data.index(CODESTREAM)]


def avif(path: Path, image: Image.Image) -> Samples | None:
    """The samples of an AVIF of 10 or 12 bits, of which Pillow keeps 8."""
    data = path.read_bytes()
    at = data.find(b"av1C")
    flags = data[at + 6] if 0 <= at < len(data) - 6 else 0
    if not flags & AV1_HIGH:
        return None
    precision = 12 if flags & AV1_TWELVE else 10
    values = banded(codec(path, "AVIF", precision).avif_decode(data, index=0))
    colours = 3 if values.shape[-1] >= 3 else 1
    return Samples(values, 2**precision - 1, colours, "straight" if values.shape[-1] > colours else None)


def jpeg_precision(path: Path) -> int:
    """Bits of a sample of a JPEG, by its frame header; 8 where there is none."""
    with path.open("rb") as file:
        file.seek(2)
        while len(head := file.read(5)) == 5 and head[0] == 0xFF:
            if head[1] in FRAMES:
                return head[4]
            file.seek(int.from_bytes(head[2:4], "big") - 3, 1)
    return 8


def jpeg_size(path: Path) -> tuple[int, int]:
    """Height and width of a JPEG of 12 bits, upright."""
    with _as_8_bits(path) as image:
        return image.size if is_turned(_orientation(image)) else image.size[::-1]


def decode_jpeg(path: Path, at_least: tuple[int, int] | None = None) -> Picture:
    """A JPEG of 12 bits, which Pillow refuses."""
    with _as_8_bits(path) as image:
        orientation = _orientation(image)
    precision = jpeg_precision(path)
    values = banded(codec(path, "JPEG", precision).jpeg_decode(path.read_bytes()))
    if values.shape[-1] not in (1, 3):
        raise UnsupportedPicture(f"a JPEG of {precision} bits is grey or RGB; {path} has {values.shape[-1]} bands.")
    return Picture.whole(Samples(values, 2**precision - 1, values.shape[-1])).upright(orientation)


def _as_8_bits(path: Path) -> Image.Image:
    """The JPEG with a header that Pillow accepts, for its size and its orientation."""
    data = bytearray(path.read_bytes())
    at = 2
    while data[at + 1] not in FRAMES:
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    data[at + 4] = 8
    return Image.open(BytesIO(data), formats=["JPEG"])


def _orientation(image: Image.Image) -> int:
    return int(image.getexif().get(0x0112, 1))


def codec(path: Path, kind: str, precision: int) -> Any:
    """imagecodecs, with a reason where it is missing."""
    try:
        return optional("imagecodecs", "codecs")
    except ImportError as error:
        raise ImportError(f"{path} is a {kind} of {precision} bits, of which Pillow keeps 8. {error}") from error
