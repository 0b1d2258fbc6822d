"""PGM, PPM, PAM and PFM: Pillow cuts their samples to 8 bits, or scales them by rounding, and lacks colour PFM."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from wavelens.frontends.pictures.samples import (
    Array,
    Picture,
    Samples,
    UnsupportedPicture,
    check_range,
    check_size,
)

MAGICS = (b"P2", b"P3", b"P5", b"P6", b"P7", b"PF", b"Pf")
HEADER_BYTES = 2**16  # comments included
COMMENT = re.compile(rb"#[^\r\n]*")
BLANK = rb"(?:\s|#[^\r\n]*[\r\n])+"
HEADER = re.compile(rb"P([2356])" + 3 * (BLANK + rb"(\d{1,10})") + rb"\s")
PFM_HEADER = re.compile(rb"P([Ff])" + 2 * (BLANK + rb"(\d{1,10})") + BLANK + rb"([-+.\deE]{1,40})\s")
PAM_HEADER = re.compile(rb"P7\s(.*?)^ENDHDR\r?\n", re.DOTALL | re.MULTILINE)
PAM_COLOURS = {"BLACKANDWHITE": 1, "GRAYSCALE": 1, "RGB": 3}


class Header(NamedTuple):
    """What is known before the samples, which begin at the byte `start`.

    Floats have a `scale`, by which they are multiplied; it is negative where their least byte comes first.
    """

    width: int
    height: int
    bands: int
    colours: int
    alpha: str | None
    white: int
    plain: bool
    start: int
    scale: float = 0.0


def size(path: Path) -> tuple[int, int]:
    """Height and width."""
    header = _header(path)
    return header.height, header.width


def decode(path: Path, at_least: tuple[int, int] | None = None) -> Picture:
    return Picture.whole(_samples(path))


def samples(path: Path, image: Image.Image) -> Samples | None:
    """The samples of the file that Pillow opened as `image`, where they are more than the bits of a PBM."""
    return None if image.mode == "1" else _samples(path)


def _samples(path: Path) -> Samples:
    header = _header(path)
    check_size(header.width, header.height)
    values = _values(path, header).reshape(header.height, header.width, header.bands)
    stored = Samples(values[::-1] if header.scale else values, header.white, header.colours, header.alpha)
    check_range(path, stored)
    return stored


def _header(path: Path) -> Header:
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
    if head.startswith(b"P7"):
        header = _pam(path, head)
    elif head.startswith((b"PF", b"Pf")):
        header = _pfm(path, head)
    elif match := HEADER.match(head):
        magic, width, height, white = (int(text) for text in match.groups())
        bands = 3 if magic in (3, 6) else 1
        header = Header(width, height, bands, bands, None, white, magic < 4, match.end())
    else:
        raise EOFError("its header has no width, height and maximum")
    if not (header.width and header.height and 0 < header.white < 2**16):
        raise UnsupportedPicture(
            f"a PNM picture has pixels, and a maximum from 1 to 65535; {path} is {header.width} × {header.height} with "
            f"the maximum {header.white}."
        )
    return header


def _pfm(path: Path, head: bytes) -> Header:
    match = PFM_HEADER.match(head)
    if match is None:
        raise EOFError("its header has no width, height and scale")
    scale, bands = _number(match[4]), 3 if match[1] == b"F" else 1
    if not (math.isfinite(scale) and scale):
        raise UnsupportedPicture(f"the scale of a PFM is a number other than 0; {path} has {match[4].decode()!r}.")
    return Header(int(match[2]), int(match[3]), bands, bands, None, 1, False, match.end(), scale)


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _pam(path: Path, head: bytes) -> Header:
    """Bands beyond the colours are transparency where the tuple type says so."""
    match = PAM_HEADER.match(head)
    if match is None:
        raise EOFError("its header does not end")
    lines = (line.split(None, 1) for line in match[1].decode("latin-1").splitlines() if not line.startswith("#"))
    fields = {line[0]: line[1].strip() for line in lines if len(line) == 2}
    width, height, bands, white = (int(fields[key]) for key in ("WIDTH", "HEIGHT", "DEPTH", "MAXVAL"))
    kind = fields.get("TUPLTYPE", "")
    colours = PAM_COLOURS.get(kind.removesuffix("_ALPHA"), bands if not kind else 0)
    alpha = "straight" if kind.endswith("_ALPHA") else None
    if colours not in (1, 3) or bands < colours + (alpha is not None):
        raise UnsupportedPicture(
            f"a PAM picture is GRAYSCALE or RGB, with or without _ALPHA; {path} has {bands} bands of type {kind!r}."
        )
    return Header(width, height, bands, colours, alpha, white, False, match.end())


def _values(path: Path, header: Header) -> Array:
    count = header.width * header.height * header.bands
    if header.scale:  # https://www.pauldebevec.com/Research/HDR/PFM: rows from the last to the first
        values = np.fromfile(path, "<f4" if header.scale < 0 else ">f4", count, offset=header.start)
        values = values.astype(np.float32) * np.float32(abs(header.scale))
    elif header.plain:
        values = np.fromstring(COMMENT.sub(b"", path.read_bytes()[header.start :]), np.uint32, sep=" ")[:count]
    else:
        values = np.fromfile(path, np.uint8 if header.white < 256 else ">u2", count, offset=header.start)
    if len(values) < count:
        raise EOFError(f"it ends after {len(values)} of {count} samples")
    return values
