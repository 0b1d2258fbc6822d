"""TIFFs that Pillow cuts, guesses at or does not know: deep colours, floats, undeclared bands. tifffile reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from wavelens.frontends.pictures.samples import (
    Array,
    Picture,
    Samples,
    UnsupportedPicture,
    banded,
    check_range,
    check_size,
    is_turned,
)

MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
COMPRESSION, BITS, PHOTOMETRIC, ORIENTATION, SAMPLE_FORMAT, EXTRA_SAMPLES = 259, 258, 262, 274, 339, 338  # tags
WHITE_IS_ZERO, YCBCR = 0, 6  # photometric interpretations
JPEGS, WEBP = (6, 7), 50001  # compressions
COLOURS = {0: 1, 1: 1, 2: 3, 5: 4}  # bands, by the photometric interpretation
ALPHA = {1: "premultiplied", 2: "straight"}  # by the kind of an extra sample
UNSIGNED = (1, 4)  # sample formats: unsigned, undefined


def is_stored_by_pillow(image: Image.Image) -> bool:
    """Whether Pillow keeps the samples of a TIFF as they are: 8 bits at most, or grey of 16 bits or of floats."""
    tags: Any = image.tag_v2  # type: ignore[attr-defined]
    compression = tags.get(COMPRESSION)
    if compression == WEBP or (tags.get(PHOTOMETRIC) == YCBCR and compression not in JPEGS):
        return False  # Pillow calls these damaged
    if image.mode == "F" or image.mode.startswith("I;16"):
        return True
    small = max(tags.get(BITS, (1,))) <= 8
    return small and image.mode != "LAB" and all(kind in UNSIGNED for kind in tags.get(SAMPLE_FORMAT, (1,)))


def grey(path: Path, image: Image.Image) -> Samples | None:
    """The samples that Pillow keeps, where they are deeper than 8 bits."""
    if image.mode not in ("F", "I;16", "I;16B", "I;16L", "I;16N"):
        return None
    tags: Any = image.tag_v2  # type: ignore[attr-defined]
    white = 1 if image.mode == "F" else 2 ** tags[BITS][0] - 1
    return Samples(banded(np.asarray(image)), white, 1, inverted=tags.get(PHOTOMETRIC) == WHITE_IS_ZERO)


def has_alpha(path: Path, image: Image.Image) -> bool:
    """Whether the band after the colours is declared to be transparency."""
    tags: Any = image.tag_v2  # type: ignore[attr-defined]
    return tags.get(EXTRA_SAMPLES, (0,))[0] in ALPHA


def size(path: Path) -> tuple[int, int]:
    """Height and width, upright."""
    with tifffile.TiffFile(path) as file:
        page: Any = file.pages[0]
        shape = page.imagelength, page.imagewidth
        return shape[::-1] if is_turned(_orientation(page)) else shape


def decode(path: Path, at_least: tuple[int, int] | None = None) -> Picture:
    with tifffile.TiffFile(path) as file:
        page: Any = file.pages[0]
        check_size(page.imagewidth, page.imagelength)
        _check_colours(path, page)
        samples = Samples(
            _values(path, page),
            1 if page.dtype.kind == "f" else 2**page.bitspersample - 1,
            COLOURS[page.photometric],
            ALPHA.get(next(iter(page.extrasamples), 0)),
            page.photometric == WHITE_IS_ZERO,
        )
        check_range(path, samples)
        return Picture.whole(samples).upright(_orientation(page))


def _orientation(page: Any) -> int:
    tag = page.tags.get(ORIENTATION)
    return 1 if tag is None else int(tag.value)


def _check_colours(path: Path, page: Any) -> None:
    """`UnsupportedPicture` where it is not defined what is black, what is white and which bands are colours."""
    if page.photometric not in COLOURS:
        name = getattr(page.photometric, "name", page.photometric)
        raise UnsupportedPicture(f"a photo is grey, RGB or CMYK; {path} is {name}. Save it as RGB.")
    colours, bands = COLOURS[page.photometric], page.samplesperpixel
    declared = len(page.extrasamples) and page.extrasamples[0] in ALPHA
    if bands < colours or (colours == 1 and bands > 1 + bool(declared)) or page.imagedepth > 1:
        raise UnsupportedPicture(
            f"a photo is grey, RGB or CMYK, with or without transparency; {path} has {bands} bands, of which it does "
            "not say which are colours. Choose three of them, as red, green and blue."
        )
    kind = page.dtype
    if kind is None or kind.kind not in "uf" or (kind.kind == "u" and kind.itemsize > 2):
        raise UnsupportedPicture(
            f"a photo holds unsigned integers of at most 16 bits, or floats in [0, 1]; {path} holds {kind}, of which "
            "no value is known to be black or white. Scale it to one of these."
        )


def _values(path: Path, page: Any) -> Array:
    """The samples, `(height, width, bands)`."""
    try:
        stored = page.asarray()
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        raise ImportError(
            f"{path} is compressed in a way that needs imagecodecs ({error}): pip install 'wavelens[codecs]'"
        ) from error
    planes, _, height, width, together = page.shaped
    values: Array = stored.reshape(planes, height, width, together).transpose(1, 2, 0, 3)
    return values.reshape(height, width, -1)
