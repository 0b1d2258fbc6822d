"""Animated pictures that FFmpeg does not read whole: WebP, and AVIF, whose transparency it leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wavelens.frontends.frames import over_white

USUAL_DURATION_MS = 100  # what browsers take where a frame states none


def is_webp_or_avif(path: Path) -> bool:
    """Whether the first bytes are those of a WebP or AVIF picture, moving or not."""
    with path.open("rb") as file:
        start = file.read(64)
    return start[8:12] == b"WEBP" or (start[4:8] == b"ftyp" and (b"avif" in start or b"avis" in start))


def start_times(path: Path) -> NDArray[np.float64]:
    """When each frame is shown first, in seconds; decodes them all."""
    durations = [image.info.get("duration") or USUAL_DURATION_MS for image in _frames(path)]
    return np.cumsum([0, *durations[:-1]]) / 1000


def pictures(path: Path) -> Iterator[NDArray[np.uint8]]:
    """The frames over white, RGB `(height, width, 3)`, one after another."""
    return (over_white(image.convert("RGBA")) for image in _frames(path))


def _frames(path: Path) -> Iterator[Image.Image]:
    """The picture, once at each of its frames."""
    try:
        animation = Image.open(path, formats=("WEBP", "AVIF"))
    except MemoryError:
        raise
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path} is larger than Pillow opens: {error} Make it smaller first.") from error
    except Exception as error:  # decoders raise anything on broken bytes
        raise ValueError(
            f"{path} could not be decoded: it is damaged, or this Pillow lacks its format. Get a fresh copy, or Pillow "
            "from PyPI."
        ) from error
    with animation:
        count = getattr(animation, "n_frames", 1)
        if count == 1:
            raise ValueError(f"a video has frames in time; {path} is a single picture, which read_image reads.")
        for number in range(count):
            _load(animation, number, path)
            yield animation


def _load(animation: Image.Image, number: int, path: Path) -> None:
    try:
        animation.seek(number)
        animation.load()
    except MemoryError:
        raise
    except Exception as error:  # decoders raise anything on broken bytes
        raise ValueError(f"{path} could not be decoded: {error}. The file is damaged; get a fresh copy.") from error
