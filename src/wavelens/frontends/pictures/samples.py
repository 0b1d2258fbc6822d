"""Samples as picture files store them, and the opaque, upright RGB that they show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[Any]

STRIP_PIXELS = 2**18  # converted at a time, so that a large picture is never in memory as floats
MAX_PIXEL_BYTES = 16  # of a picture of the largest size: four bands of 32 bits
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

    def over_white(self, rows: slice) -> NDArray[np.float32]:
        """RGB or grey in [0, 1], `(height, width, 3 or 1)`."""
        values = self.values[rows]
        bands = values.astype(np.float32)
        bands /= np.float32(self.white)
        colour = _intensity(bands[..., : self.colours], self.inverted)
        if self.key is not None:
            colour = np.where((values == np.array(self.key)).all(-1, keepdims=True), np.float32(1), colour)
        if self.alpha is None:
            return colour
        opacity = bands[..., self.colours : self.colours + 1]
        visible = colour if self.alpha == "premultiplied" else colour * opacity
        blended: NDArray[np.float32] = visible + (1 - opacity)
        return blended


@dataclass(frozen=True, eq=False)
class Picture:
    """What is decoded of a photo, which fills `box` of it: one decoded at a fraction may end within the last pixel."""

    samples: Samples
    box: Box

    @classmethod
    def whole(cls, samples: Samples) -> Picture:
        height, width = samples.values.shape[:2]
        return cls(samples, Box(0, 0, width, height))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.samples.values.shape[:2]
        return height, width

    def upright(self, orientation: int) -> Picture:
        """As it is seen when its EXIF orientation, 1 to 8, is applied; any other number says nothing."""
        if not 1 <= orientation <= 8:
            return self
        values, box = self.samples.values, self.box
        if is_turned(orientation):
            values, box = values.swapaxes(0, 1), Box(box.upper, box.left, box.lower, box.right)
        rows, columns = STEPS[(orientation - 1) % 4]
        height, width = values.shape[:2]
        if columns < 0:
            box = box._replace(left=width - box.right, right=width - box.left)
        if rows < 0:
            box = box._replace(upper=height - box.lower, lower=height - box.upper)
        return Picture(replace(self.samples, values=values[::rows, ::columns]), box)

    def place(self, part: Box, size: tuple[int, int]) -> Box:
        """Where a part of the photo of that (height, width) lies in the picture."""
        box, (height, width) = self.box, size
        x, y = (box.right - box.left) / width, (box.lower - box.upper) / height
        return Box(
            box.left + part.left * x, box.upper + part.upper * y, box.left + part.right * x, box.upper + part.lower * y
        )

    def strips(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Consecutive rows, and what they show: RGB in [0, 1], `(3, rows, width)`."""
        for rows in strips(*self.size):
            colour = self.samples.over_white(rows)
            yield rows, np.broadcast_to(colour, (*colour.shape[:2], 3)).transpose(2, 0, 1)


def _intensity(bands: Array, inverted: bool) -> Array:
    """Grey or RGB of grey, RGB or inks."""
    if bands.shape[-1] == 4:
        paper: Array = 1 - bands
        return paper[..., :3] * paper[..., 3:]
    return 1 - bands if inverted else bands


def is_turned(orientation: int) -> bool:
    """Whether an EXIF orientation has rows in the place of columns; numbers beyond 8 say nothing."""
    return 5 <= orientation <= 8


def strips(height: int, width: int) -> Iterator[slice]:
    """Consecutive rows of about `STRIP_PIXELS` pixels."""
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def banded(values: Array) -> Array:
    """With an axis for its bands, of which grey may have none."""
    return values.reshape(*values.shape[:2], -1)


def check_range(path: Path, samples: Samples) -> None:
    """`UnsupportedPicture` for numbers below 0 or above white, and for NaN."""
    if samples.white == np.iinfo(np.uint8).max and samples.values.dtype == np.uint8:
        return
    low, high = samples.values.min(), samples.values.max()
    if not (low >= 0 and high <= samples.white):
        raise UnsupportedPicture(
            f"the samples of a photo lie from 0 to the maximum of its format, or to 1 in floats; {path} has {low:g} to "
            f"{high:g}. Scale it first."
        )


def check_size(width: int, height: int) -> None:
    """Pillow's limit, for pictures that it does not decode; `Image.DecompressionBombError` beyond it."""
    limit = 2 * (Image.MAX_IMAGE_PIXELS or width * height)
    if width * height > limit:
        raise Image.DecompressionBombError(f"Image size ({width * height} pixels) exceeds limit of {limit} pixels.")


def check_bytes(count: int) -> None:
    """As `check_size`, for the bytes of all bands: at most those of RGBA in 32 bits, of as many pixels as may be."""
    limit = 2 * MAX_PIXEL_BYTES * (Image.MAX_IMAGE_PIXELS or count)
    if count > limit:
        raise Image.DecompressionBombError(f"Image data ({count} bytes) exceeds limit of {limit} bytes.")
