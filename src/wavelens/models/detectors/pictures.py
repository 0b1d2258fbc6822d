"""What a detector of torchvision makes of a picture before its backbone, and the boxes that it gives back."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from wavelens.optional import optional


def image_list(transform: Any, x: Tensor) -> Any:
    """Normalised pictures `(batch, 3, height, width)` as torchvision's detectors take them, at the size that they have.

    They get a border of zeros on the right and below up to the next multiple of the network's stride. Size and
    normalisation are matters of the preparation and of `Normalized`, so that of `transform` nothing else is used.
    """
    height, width = x.shape[2:]
    stride = int(transform.size_divisible)
    padded = nn.functional.pad(x, (0, -width % stride, 0, -height % stride))
    make = optional("torchvision.models.detection.image_list", "vision").ImageList
    return make(padded, [(height, width)] * len(x))


def feature_maps(backbone: nn.Module, pictures: Tensor) -> dict[str, Tensor]:
    """The maps of a backbone by their names; of one that gives a single tensor it is '0', as torchvision calls it."""
    features = backbone(pictures)
    return {"0": features} if isinstance(features, Tensor) else dict(features)


def clipped(boxes: Tensor, height: int, width: int) -> Tensor:
    """Boxes `(…, 4)` of left, top, right, bottom, cut at the edges of the picture."""
    x, y = boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)
    return torch.stack([x, y], -1).flatten(-2)
