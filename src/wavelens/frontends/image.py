"""Photos as signals: any picture that Pillow decodes becomes `(1, 3, height, width)` in [0, 1]."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from wavelens.frontends.dicom import is_dicom, read_dicom_image
from wavelens.untrusted import check_file

SUFFIXES = (".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")


def read_image(path: str | PathLike[str]) -> Tensor:
    """The photo at `path` as it is meant to be seen: upright, opaque, RGB, `(1, 3, height, width)` in [0, 1].

    EXIF rotation is applied, transparency is composited over white, palettes and CMYK become RGB, grey is repeated
    for the three channels; 16-bit grey keeps its precision (65535 is 1). Of an animation, the first frame is read.
    A DICOM slice or X-ray is seen through the window that it names (`read_dicom_image`).

    A path without a file is a `FileNotFoundError`; a folder, and anything that is no intact picture, a `ValueError`.
    """
    path = Path(path)
    check_file(path, "photo")
    if is_dicom(path):
        return read_dicom_image(path)
    try:
        with Image.open(path) as image:
            pixels = _pixels(ImageOps.exif_transpose(image))
    except PermissionError:
        raise
    except UnidentifiedImageError as error:
        raise ValueError(
            f"a photo is a file that Pillow can decode; got {path}, which is not an image, or of a format that it "
            "lacks (HEIC, raw). If it is one, save it as JPEG or PNG."
        ) from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path} is larger than Pillow opens: {error} Make it smaller first.") from error
    except Exception as error:  # decoders raise anything on broken bytes
        raise ValueError(f"{path} could not be decoded: {error}. The file is damaged; get a fresh copy.") from error
    if not (pixels.min() >= 0 and pixels.max() <= 1):
        low, high = pixels.min(), pixels.max()
        raise ValueError(
            f"deep grey lies from 0 to 65535, or to 1 in floats; {path} has {low:g} to {high:g} of it. Scale it first."
        )
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].contiguous()


def _pixels(image: Image.Image) -> NDArray[np.float32]:
    """RGB values `(height, width, 3)` in [0, 1]."""
    if image.mode.startswith(("I", "F")):
        return _deep_grey(image)
    if image.has_transparency_data:
        image = _over_white(image.convert("RGBA"))
    return np.asarray(image.convert("RGB"), dtype=np.float32) / np.float32(255)


def _deep_grey(image: Image.Image) -> NDArray[np.float32]:
    """Grey of more than 8 bits: integers are out of 65535, floats out of 1; Pillow's own conversion would clip."""
    grey = np.asarray(image, dtype=np.float32) / np.float32(1 if image.mode == "F" else 65535)
    return np.repeat(grey[..., None], 3, axis=2)


def _over_white(image: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
