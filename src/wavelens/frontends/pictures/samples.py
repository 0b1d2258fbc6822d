"""Samples as picture files store them, and the opaque, upright RGB that they show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[Any]

STRIP_PIXELS = 2**20  # converted at a time, so that a large picture is in memory once
STEPS = ((1, 1), (1, -1), (-1, -1), (-1, 1))  # along rows and columns, for the EXIF orientations 1 to 4


class UnsupportedPicture(ValueError):
    """A picture that may be intact and cannot be read as colours."""


class Box(NamedTuple):
    """A part of a picture, in pixels from its upper left corner."""

    left: float
    upper: float
    right: float
    lower: float


@dataclass(frozen=True, eq=False)
class Picture:
    """RGB `pixels` `(height, width, 3)`: bytes, or floats in [0, 1]. The photo fills `box` of them.

    A photo that was decoded at a fraction of its size may end within the last pixel.
    """

    pixels: Array
    box: Box

    @classmethod
    def whole(cls, pixels: Array) -> Picture:
        return cls(pixels, Box(0, 0, pixels.shape[1], pixels.shape[0]))

    def upright(self, orientation: int) -> Picture:
        """As it is seen when its EXIF orientation, 1 to 8, is applied; any other number says nothing."""
        if not 1 <= orientation <= 8:
            return self
        pixels, box = self.pixels, self.box
        if orientation > 4:
            pixels, box = pixels.transpose(1, 0, 2), Box(box.upper, box.left, box.lower, box.right)
        rows, columns = STEPS[(orientation - 1) % 4]
        height, width = pixels.shape[:2]
        if columns < 0:
            box = box._replace(left=width - box.right, right=width - box.left)
        if rows < 0:
            box = box._replace(upper=height - box.lower, lower=height - box.upper)
        return Picture(pixels[::rows, ::columns], box)

    def place(self, part: Box, size: tuple[int, int]) -> Box:
        """Where a part of the photo of that (height, width) lies in `pixels`."""
        box, (height, width) = self.box, size
        x, y = (box.right - box.left) / width, (box.lower - box.upper) / height
        return Box(
            box.left + part.left * x, box.upper + part.upper * y, box.left + part.right * x, box.upper + part.lower * y
        )

    def channel(self, number: int, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """One of red, green and blue in [0, 1], `(height, width)`."""
        white = np.float32(255 if self.pixels.dtype == np.uint8 else 1)
        values: NDArray[np.float32] = np.divide(self.pixels[..., number], white, out=out, dtype=np.float32)
        return values


@dataclass(frozen=True, eq=False)
class Samples:
    """Numbers `(height, width, bands)` as a file stores them, of which `white` is full intensity, or full ink.

    The first `colours` bands are grey (1), RGB (3) or CMYK (4). The band after them is transparency where `alpha` says
    so: "straight", or "premultiplied" into the colours. Bands beyond are not shown. `inverted` grey is 0 where it is
    white. Pixels of the colour `key` are transparent.
    """

    values: Array
    white: float
    colours: int
    alpha: str | None = None
    inverted: bool = False
    key: tuple[int, ...] | None = None

    def over_white(self) -> NDArray[np.float32]:
        """RGB `(height, width, 3)` in [0, 1]."""
        height, width = self.values.shape[:2]
        rgb = np.empty((height, width, 3), np.float32)
        for rows in strips(height, width):
            rgb[rows] = self._opaque(self.values[rows])
        return rgb

    def _opaque(self, values: Array) -> Array:
        bands = values.astype(np.float32) / np.float32(self.white)
        colour = _intensity(bands[..., : self.colours], self.inverted)
        if self.key is not None:
            colour = np.where((values == np.array(self.key)).all(-1, keepdims=True), np.float32(1), colour)
        if self.alpha is None:
            return colour
        opacity = bands[..., self.colours : self.colours + 1]
        rest: Array = 1 - opacity
        return rest + (colour if self.alpha == "premultiplied" else colour * opacity)


def _intensity(bands: Array, inverted: bool) -> Array:
    """Grey or RGB of grey, RGB or inks."""
    if bands.shape[-1] == 4:
        paper: Array = 1 - bands
        return paper[..., :3] * paper[..., 3:]
    return 1 - bands if inverted else bands


def strips(height: int, width: int) -> Iterator[slice]:
    """Consecutive rows of about `STRIP_PIXELS` pixels."""
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def banded(values: Array) -> Array:
    """With an axis for its bands, of which grey may have none."""
    return values.reshape(*values.shape[:2], -1)


def check_range(path: Path, values: Array, white: float) -> None:
    """`UnsupportedPicture` for samples below 0 or above white, and for NaN."""
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= white):
        raise UnsupportedPicture(
            f"the samples of a photo lie from 0 to the maximum of its format, or to 1 in floats; {path} has {low:g} to "
            f"{high:g}. Scale it first."
        )


def check_size(width: int, height: int) -> None:
    """Pillow's limit, for pictures that it does not decode; `Image.DecompressionBombError` beyond it."""
    limit = 2 * (Image.MAX_IMAGE_PIXELS or width * height)
    if width * height > limit:
        raise Image.DecompressionBombError(f"Image size ({width * height} pixels) exceeds limit of {limit} pixels.")
