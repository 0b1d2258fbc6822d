"""COCO photos at hand, and where the instances of a category lie in them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from harness.data import at

Shape = tuple[int, int]  # (height, width)


@cache
def annotations() -> dict[str, Any]:
    """`images` with `file`, `captions`, boxes and masks; `categories` by number."""
    found: dict[str, Any] = json.loads(at("more/coco/coco_mini.json").read_text(encoding="utf-8"))
    return found


def image_of(file: str) -> dict[str, Any]:
    return next(one for one in annotations()["images"] if one["file"] == file)


def photo_path(file: str) -> Path:
    return at(f"more/coco/images/{file}")


def categories(file: str) -> list[str]:
    """The names of the categories that a photo shows, in the order of the alphabet."""
    names = annotations()["categories"]
    return sorted({names[str(one["category_id"])] for one in image_of(file)["instances"]})


def mask(file: str, category: str, size: Shape | None = None) -> Tensor:
    """Where the category's instances are in the photo squeezed to `size`, or in the photo as it is: `size`, boolean."""
    image, names = image_of(file), annotations()["categories"]
    shape = image["height"], image["width"]
    found = np.zeros(size or shape, dtype=bool)
    for one in image["instances"]:
        if names[str(one["category_id"])] == category:
            found |= instance(one["segmentation"], shape, size or shape)
    return torch.from_numpy(found)


def instance(segmentation: Any, shape: Shape, size: Shape) -> Any:
    """Polygons, or runs along columns, of a photo of this shape, drawn at another size."""
    (height, width), (rows, columns) = shape, size
    if isinstance(segmentation, dict):
        counts = segmentation["counts"]
        values = np.repeat(np.arange(len(counts)) % 2, counts).astype(np.uint8)
        whole = Image.fromarray(255 * values.reshape(width, height).T)
        return np.asarray(whole.resize((columns, rows), Image.Resampling.BILINEAR)) > 127
    picture = Image.new("1", (columns, rows))
    for polygon in segmentation:
        corners = [(x * columns / width, y * rows / height) for x, y in zip(polygon[::2], polygon[1::2], strict=True)]
        ImageDraw.Draw(picture).polygon(corners, fill=1)
    return np.asarray(picture)
