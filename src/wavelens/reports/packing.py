"""Numbers and pictures as text in a page: arrays as base64, those of maps deflated first, pictures as data URIs."""

from __future__ import annotations

import base64
import io
import math
import zlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

Array = NDArray[Any]

POOLS = {1: torch.nn.AdaptiveAvgPool1d, 2: torch.nn.AdaptiveAvgPool2d, 3: torch.nn.AdaptiveAvgPool3d}
LARGEST = 100_000  # bytes of a lossless picture
QUALITY = 88


def magnitudes(values: Array) -> dict[str, Any]:
    """Values from 0 in 12 bits under a square root: v = (q / 4095)² · top, to 2⁻¹² of √top in √v."""
    top = float(values.max(initial=0)) or 1.0
    return {"top": top, "u12": _deflated(np.sqrt(values.clip(0) / top) * 4095)}


def signs(values: Array) -> dict[str, Any]:
    """Values with a sign, alike: |v| = (q / 2047)² · top."""
    top = float(np.abs(values).max(initial=0)) or 1.0
    return {"top": top, "i12": _deflated(np.sign(values) * np.sqrt(np.abs(values) / top) * 2047)}


def bytes_of(values: Array) -> str:
    """Values in [0, 1] as bytes."""
    return _text(_raw(values.clip(0, 1) * 255, "u1"))


def words_of(values: Array) -> str:
    """Values in [0, 1] as two bytes each, the low one first."""
    return _text(_raw(values.clip(0, 1) * 65535, "<u2"))


def reduced(values: Tensor, points: int, step: tuple[float, ...]) -> Tensor:
    """`(…, *axes)` with at most `points` places, means over blocks whose sides are alike; as it is where it fits.

    `step` says for each axis how far neighbours lie apart: axes with wide steps are the last to be reduced.
    """
    shape = tuple(values.shape[-len(step) :])
    if math.prod(shape) <= points:
        return values
    blocks = _blocks(shape, points, step)
    pooled: Tensor = POOLS[len(step)](blocks)(values.reshape(1, -1, *shape))
    return pooled.reshape(*values.shape[: -len(step)], *blocks)


def _blocks(shape: tuple[int, ...], points: int, step: tuple[float, ...]) -> tuple[int, ...]:
    """How many blocks along each axis: the shortest side for which they are few enough, found by halving."""
    low, high = 0.0, max(n * s for n, s in zip(shape, step, strict=True))

    def blocks(side: float) -> tuple[int, ...]:
        return tuple(max(1, math.floor(n * s / max(side, s))) for n, s in zip(shape, step, strict=True))

    for _ in range(60):
        side = (low + high) / 2
        low, high = (side, high) if math.prod(blocks(side)) > points else (low, side)
    return blocks(high)


def picture(x: Array, longest: int) -> str:
    """`(1 or 3, height, width)` in [0, 1] as a data URI: lossless where small, else a JPEG; sides up to `longest`."""
    pixels = np.moveaxis((x.clip(0, 1) * 255).round().astype(np.uint8), 0, -1)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    encoded = _encoded(image, "PNG", optimize=True)
    if len(encoded) <= LARGEST:
        return uri("image/png", encoded)
    return uri("image/jpeg", _encoded(image, "JPEG", quality=QUALITY, subsampling=0))


def uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{_text(content)}"


def _encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def _deflated(values: Array) -> str:
    """Each number's step from the one before, low bytes then high bytes: of smooth maps little is left."""
    steps = np.diff(values.round().astype("<i2").ravel(), prepend=np.int16(0))
    return _text(zlib.compress(np.ascontiguousarray(steps.view("u1").reshape(-1, 2).T).tobytes(), 9))


def _raw(values: Array, dtype: str) -> bytes:
    return np.ascontiguousarray(values.round().astype(dtype)).tobytes()


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def colours() -> str:
    """The 256 colours of the maps, red, green and blue bytes."""
    from wavelens.plots.parts import MAGNITUDE  # matplotlib: only once there is something to draw

    return bytes_of(MAGNITUDE(np.arange(256))[:, :3])
