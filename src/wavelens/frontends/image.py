"""Photos as signals: picture files become `(1, 3, height, width)` in [0, 1], as deep as the file is."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from wavelens.frontends.dicom import is_dicom, read_dicom_image
from wavelens.frontends.pictures import FORMATS, Picture, UnsupportedPicture, decoder
from wavelens.frontends.pictures.others import is_accepted, unread_format
from wavelens.frontends.raster import read_ground_spacing
from wavelens.untrusted import check_file

SUFFIXES = (
    ".avif",
    ".bmp",
    ".gif",
    ".jfif",
    ".jp2",
    ".jpe",
    ".jpeg",
    ".jpg",
    ".pam",
    ".pgm",
    ".png",
    ".pnm",
    ".ppm",
    ".tif",
    ".tiff",
    ".webp",
)
HEAD_BYTES = 64  # by which formats are told
ANIMATED = ("AVIF", "GIF", "PNG", "WEBP")
TRUNCATED = (EOFError, struct.error, zlib.error)


@dataclass(frozen=True, eq=False)
class ImageFile:
    """A photo on a disk, of which nothing is decoded yet: `height` and `width` are those of the upright picture."""

    path: Path
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """That of `data`."""
        return (1, 3, self.height, self.width)

    @property
    def data(self) -> Tensor:
        """All of it, read anew each time."""
        return read_image(self.path)

    @property
    def ground_spacing(self) -> tuple[float, float] | None:
        """Metres between rows and between columns, of a georeferenced picture; None where the file does not say it."""
        return read_ground_spacing(self.path)

    def decoded(self, at_least: tuple[int, int] | None = None) -> Picture:
        """The picture; if a JPEG of 2²⁴ pixels or more, at a half, a quarter or an eighth of its sides.

        It is the smallest of these that is `at_least` (height, width). Errors as `read_image`.
        """
        with _errors(self.path):
            return decoder(self.path).decode(self.path, at_least)


def open_image(path: str | PathLike[str]) -> ImageFile:
    """The photo at `path`, of which nothing is decoded yet; errors of its header as `read_image`.

    >>> from PIL import Image
    >>> Image.new("RGB", (6, 4)).save("black.png")
    >>> file = wl.frontends.open_image("black.png")
    >>> file.height, file.width
    (4, 6)
    """
    path = Path(path)
    check_file(path, "photo")
    with _errors(path):
        return ImageFile(path, *decoder(path).size(path))


def read_image(path: str | PathLike[str]) -> Tensor:
    """The photo at `path` as it is meant to be seen: upright, opaque, RGB, `(1, 3, height, width)` in [0, 1].

    EXIF rotation is applied, transparency is composited over white, palettes and CMYK become RGB, grey is repeated for
    the three channels. Every sample keeps its precision: an integer is divided by the maximum of its format, floats lie
    in [0, 1]. A further band is transparency only where the file says so. Of an animation, the first frame is read.
    Colour profiles and gamma are not applied.
    A DICOM slice or X-ray is seen through the window that it names (`read_dicom_image`).

    A path without a file is a `FileNotFoundError`; a folder, and anything that is no intact picture with defined
    colours, a `ValueError`; a picture that is larger than free memory a `MemoryError`; a missing imagecodecs, for some
    of the formats of more than 8 bits, an `ImportError`. Only the formats in `pictures.FORMATS` are opened.

    >>> from PIL import Image
    >>> Image.new("RGB", (6, 4), "red").save("red.png")
    >>> photo = wl.frontends.read_image("red.png")
    >>> photo.shape, photo[0, :, 0, 0].tolist()
    (torch.Size([1, 3, 4, 6]), [1.0, 0.0, 0.0])
    """
    path = Path(path)
    check_file(path, "photo")
    if is_dicom(path):
        return read_dicom_image(path)
    with _errors(path):
        picture = decoder(path).decode(path, None)
        photo = np.empty((3, *picture.size), np.float32)
        for rows, colours in picture.strips():
            photo[:, rows] = colours
        return torch.from_numpy(photo)[None]


def frames_of(path: str | PathLike[str]) -> int:
    """The frames of an animation, of which `read_image` takes the first; 1 for other pictures and for what is none."""
    try:
        with Image.open(path, formats=[name for name in ANIMATED if name in Image.OPEN]) as image:
            return int(getattr(image, "n_frames", 1))
    except Exception:  # decoders raise anything; the reader says what is wrong
        return 1


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    """What decoders raise, as errors that name the file and the cause."""
    try:
        yield
    except (PermissionError, ImportError, UnsupportedPicture):
        raise
    except UnidentifiedImageError as error:
        raise ValueError(_unidentified(path)) from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path} is larger than Pillow opens: {error} Make it smaller first.") from error
    except MemoryError as error:
        raise MemoryError(f"{path} is larger than free memory. Make it smaller first.") from error
    except Exception as error:  # decoders raise anything on broken bytes
        raise ValueError(f"{path} could not be decoded: {_reason(error)}. {_remedy(error)}") from error


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return f"{type(error).__name__} {text}".rstrip() if not text.strip("-0123456789") else text


def _remedy(error: Exception) -> str:
    if isinstance(error, TRUNCATED) or "truncated" in str(error).lower():
        return "The file is damaged; get a fresh copy."
    if isinstance(error, OSError) and error.errno is not None:
        return "The disk could not be read."
    return "The file is damaged, or of a variant that is not supported: save it as PNG or JPEG."


def _unidentified(path: Path) -> str:
    """Why no decoder takes the file: its first bytes are those of none, or what follows them is refused."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        for name in FORMATS:
            factory, accepts = Image.OPEN.get(name, (None, None))
            if factory is not None and accepts is not None and is_accepted(accepts, head[:16]):
                file.seek(0)
                try:
                    factory(file, str(path))
                except Exception as error:
                    return f"{path} could not be decoded as {name}: {_reason(error)}. {_remedy(error)}"
    other = unread_format(head)
    what = f"{path} is not an image file" if other is None else f"{path} has the format {other}, which is not supported"
    return f"{what}. Supported: {', '.join(FORMATS)}. If it is an image, save it as PNG or JPEG."
