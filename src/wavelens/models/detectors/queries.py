"""Detectors of transformers in DETR's form: a box and the probabilities of the classes for each query."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from wavelens.models.weights import Around, innermost


class Queries(Around):
    """A detector of transformers (DETR and its kin, YOLOS, RT-DETR) with its boxes in pixels of the picture.

    Gives a list with a dictionary for each picture: `boxes` `(queries, 4)`, left, top, right, bottom, and
    `probabilities` `(queries, classes)`. A model with a logit more than classes has a last one for nothing, and a
    softmax; one with as many has a sigmoid for each (deformable and conditional DETR, RT-DETR).
    """

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        config: Any = innermost(self.module).config
        output = self.module(x)
        logits, (centre, extent) = output.logits, output.pred_boxes.split(2, -1)
        size = centre.new_tensor([x.shape[3], x.shape[2]])
        boxes = torch.cat([(centre - extent / 2) * size, (centre + extent / 2) * size], -1)
        has_nothing = logits.shape[-1] > config.num_labels
        probabilities = logits.softmax(-1)[..., :-1] if has_nothing else logits.sigmoid()
        each = zip(boxes, probabilities, strict=True)
        return [{"boxes": own, "probabilities": chances} for own, chances in each]
