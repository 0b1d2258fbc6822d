"""RetinaNet, FCOS and SSD of torchvision: a box and the probability of each class at every anchor."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from wavelens.models.detectors.pictures import clipped, feature_maps, image_list
from wavelens.models.weights import Around


class OneStage(Around):
    """A detector of torchvision that answers at fixed anchors, as a differentiable function of the normalised picture.

    Gives a list with a dictionary for each picture: `boxes` `(anchors, 4)`, left, top, right, bottom in pixels, and
    `probabilities` `(anchors, classes)`. Nothing is left out, so that no operator of torchvision's is needed and
    nothing jumps: suppression and thresholds are for a list that people read.
    """

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        net: Any = self.module
        pictures = image_list(net.transform, x)
        features = list(feature_maps(net.backbone, pictures.tensors).values())
        heads = net.head(features)
        anchors = net.anchor_generator(pictures, features)
        regression, probabilities = heads["bbox_regression"], _probabilities(net, heads)
        each = zip(regression, anchors, probabilities, strict=True)
        return [
            {"boxes": clipped(_decoded(net.box_coder, codes, own), *x.shape[2:]), "probabilities": chances}
            for codes, own, chances in each
        ]


def _decoded(coder: Any, codes: Tensor, anchors: Tensor) -> Tensor:
    """The boxes at the anchors; FCOS' coder has one function, that of the others a second for one picture."""
    decode = coder.decode_single if hasattr(coder, "decode_single") else coder.decode
    boxes: Tensor = decode(codes, anchors)
    return boxes


def _probabilities(net: Any, heads: dict[str, Tensor]) -> Tensor:
    """`(batch, anchors, classes)`: FCOS weighs by how central an anchor is; SSD has a class 0 for nothing."""
    logits = heads["cls_logits"]
    if "bbox_ctrness" in heads:  # the root of a product, by logarithms: the slope of a root is infinite at 0
        pair = torch.nn.functional.logsigmoid(logits), torch.nn.functional.logsigmoid(heads["bbox_ctrness"])
        return (0.5 * (pair[0] + pair[1])).exp()
    return without_background(logits) if type(net).__name__ == "SSD" else logits.sigmoid()


def without_background(logits: Tensor) -> Tensor:
    """The softmax over classes of which the first is for nothing, with 0 in its place: indices stay torchvision's."""
    chances = logits.softmax(-1)
    return torch.cat([torch.zeros_like(chances[..., :1]), chances[..., 1:]], -1)
