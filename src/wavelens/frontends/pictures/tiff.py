"""TIFFs that Pillow cuts, guesses at or does not know: deep colours, floats, undeclared bands. tifffile reads them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tifffile
from PIL import Image

from wavelens.frontends.pictures.samples import (
    Array,
    Picture,
    Samples,
    UnsupportedPicture,
    banded,
    check_bytes,
    check_range,
    check_size,
    is_turned,
)

MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
COMPRESSION, BITS, PHOTOMETRIC, ORIENTATION, SAMPLE_FORMAT, EXTRA_SAMPLES = 259, 258, 262, 274, 339, 338  # tags
PLANAR = 284  # a tag, too
WHITE_IS_ZERO, YCBCR = 0, 6  # photometric interpretations
IN_PLANES = 2  # a planar configuration
JPEGS, WEBP = (6, 7), 50001  # compressions
COLOURS = {0: 1, 1: 1, 2: 3, 5: 4}  # bands, by the photometric interpretation
ALPHA = {1: "premultiplied", 2: "straight"}  # by the kind of an extra sample
UNSIGNED = (1, 4)  # sample formats: unsigned, undefined
PLAIN, OLD_JPEG = 1, 6  # compressions: none, and one whose data lie apart from strips
MAX_RATIOS = {PLAIN: 1, 5: 4096, 8: 1032, 32773: 64, 32946: 1032}  # bytes made of one: LZW, deflate, PackBits, deflate


def is_stored_by_pillow(image: Image.Image) -> bool:
    """Whether Pillow keeps the samples of a TIFF as they are: 8 bits at most, or grey of 16 bits or of floats."""
    tags: Any = image.tag_v2  # type: ignore[attr-defined]
    compression = tags.get(COMPRESSION)
    if compression == WEBP or (tags.get(PHOTOMETRIC) == YCBCR and compression not in JPEGS):
        return False  # Pillow calls these damaged
    if image.mode == "F" or image.mode.startswith("I;16"):
        return True
    extras = tags.get(EXTRA_SAMPLES, ())
    if first_alpha(extras) > 0 or (len(extras) > 1 and tags.get(PLANAR) == IN_PLANES):
        return False  # Pillow looks at the first band behind the colours alone, and has no planes for a second
    small = max(tags.get(BITS, (1,))) <= 8
    return small and image.mode != "LAB" and all(kind in UNSIGNED for kind in tags.get(SAMPLE_FORMAT, (1,)))


class Layout(NamedTuple):
    """What a header says of the pixels: their bytes decoded, and at least stored; `(offset, bytes)` of each part."""

    width: int
    height: int
    decoded: int
    stored: int
    parts: list[tuple[int, int]]
    missing: int


def layout(path: Path, by_offset: bool = False) -> Layout | None:
    """How the pixels of a TIFF lie in it, by its header; None where tifffile cannot tell.

    With `by_offset`, parts that are not compressed need no length.
    """
    try:
        with tifffile.TiffFile(path) as file:
            page: Any = file.pages[0]
            plain, samples = page.compression == PLAIN, math.prod(page.shaped)
            decoded = samples * (page.dtype.itemsize if page.dtype else math.ceil(page.bitspersample / 8))
            ratio = 0 if page.photometric == YCBCR else 1 / MAX_RATIOS.get(page.compression, math.inf)
            count = math.prod(page.chunked) if page.compression != OLD_JPEG else 0
            lengths = page.databytecounts if not (plain and by_offset) else [1] * len(page.dataoffsets)
            parts = list(zip(page.dataoffsets, lengths, strict=False))[:count]
            stored = int(samples * page.bitspersample // 8 * ratio)
            return Layout(page.imagewidth, page.imagelength, decoded, stored, parts, count - len(parts))
    except Exception:  # tifffile raises anything on broken bytes; who decodes it says what is wrong
        return None


def check_stored(path: Path, by_offset: bool) -> None:
    """That the file holds the pixels that its header tells of; nothing of them is decoded.

    `EOFError` for strips or tiles that are missing, and for more pixels than all bytes of the file could hold;
    `Image.DecompressionBombError` for more than a photo may have. Errors of the header are left to the decoder.
    """
    told = layout(path, by_offset)
    if told is None:
        return
    check_size(told.width, told.height)
    check_bytes(told.decoded)
    size = path.stat().st_size
    lost = told.missing + sum(not (offset and length) or offset + length > size for offset, length in told.parts)
    if lost:
        count = told.missing + len(told.parts)
        raise EOFError(f"{lost} of its {count} strips or tiles are missing or end beyond the file")
    if told.stored > size:
        raise EOFError(f"its pixels take {told.stored} bytes or more, and the file has {size}")


def grey(path: Path, image: Image.Image) -> Samples | None:
    """The samples that Pillow keeps, where they are deeper than 8 bits."""
    if image.mode not in ("F", "I;16", "I;16B", "I;16L", "I;16N"):
        return None
    tags: Any = image.tag_v2  # type: ignore[attr-defined]
    white = 1 if image.mode == "F" else 2 ** tags[BITS][0] - 1
    return Samples(banded(np.asarray(image)), white, 1, inverted=tags.get(PHOTOMETRIC) == WHITE_IS_ZERO)


def first_alpha(extras: Sequence[int]) -> int:
    """Which of the bands behind the colours is the first that is declared to be transparency; -1 where none is."""
    return next((k for k, kind in enumerate(extras) if kind in ALPHA), -1)


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
        _check_colours(path, page)
        colours, extra = COLOURS[page.photometric], first_alpha(page.extrasamples)
        shown = slice(0, colours) if extra < 0 else [*range(colours), colours + extra]
        samples = Samples(
            _values(path, page)[..., shown],
            1 if page.dtype.kind == "f" else 2**page.bitspersample - 1,
            colours,
            None if extra < 0 else ALPHA[page.extrasamples[extra]],
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
