"""Faster R-CNN, Mask R-CNN and Keypoint R-CNN of torchvision: proposals, and what the second stage says of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from wavelens.boxes import suppressed
from wavelens.models.detectors.one_stage import without_background
from wavelens.models.detectors.pictures import clipped, feature_maps, image_list
from wavelens.models.detectors.pooling import pooled
from wavelens.models.weights import Around


class TwoStage(Around):
    """A detector of torchvision with a second stage, as a function of the normalised picture.

    Gives a list with a dictionary for each picture: `boxes` `(proposals, classes, 4)`, left, top, right, bottom in
    pixels, and `probabilities` `(proposals, classes)`, 0 for the background. Which proposals reach the second stage is
    chosen as torchvision does, and changes at jumps; what is said of them is kept whole. Gradients pass through the
    proposals' boxes, which torchvision holds fixed, so that they are those of the function.
    """

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        net: Any = self.module
        heads, shape = net.roi_heads, (x.shape[2], x.shape[3])
        pictures = image_list(net.transform, x)
        features = feature_maps(net.backbone, pictures.tensors)
        proposals = _proposals(net.rpn, pictures, list(features.values()), shape)
        logits, codes = heads.box_predictor(heads.box_head(pooled(heads.box_roi_pool, features, proposals, shape)))
        boxes = clipped(heads.box_coder.decode(codes, proposals), *shape)
        counts = [len(own) for own in proposals]
        each = zip(boxes.split(counts), without_background(logits).split(counts), strict=True)
        return [{"boxes": own, "probabilities": chances} for own, chances in each]


def _proposals(rpn: Any, pictures: Any, features: list[Tensor], shape: tuple[int, int]) -> list[Tensor]:
    """The boxes that the first stage proposes for each picture, `(n, 4)`."""
    objectness, deltas = rpn.head(features)
    anchors = rpn.anchor_generator(pictures, features)
    scores = [_by_anchor(one, 1)[..., 0].detach() for one in objectness]
    codes = torch.cat([_by_anchor(one, 4) for one in deltas], 1)
    boxes = rpn.box_coder.decode(codes.flatten(0, 1), anchors)[:, 0].unflatten(0, codes.shape[:2])
    return [_selected(rpn, clipped(own, *shape), [one[k] for one in scores]) for k, own in enumerate(boxes)]


def _by_anchor(head: Tensor, length: int) -> Tensor:
    """`(batch, anchors · length, height, width)` as `(batch, height · width · anchors, length)`."""
    return head.movedim(1, -1).reshape(len(head), -1, length)


def _selected(rpn: Any, boxes: Tensor, scores: Sequence[Tensor]) -> Tensor:
    """Of the boxes of one picture, whose scores are given level by level, those that go on to the second stage."""
    starts = torch.tensor([0, *(len(one) for one in scores)]).cumsum(0).tolist()
    best = [one.topk(min(rpn.pre_nms_top_n(), len(one))).indices + k for one, k in zip(scores, starts, strict=False)]
    chosen, logits = torch.cat(best), torch.cat(list(scores))
    levels = torch.cat([torch.full_like(one, k) for k, one in enumerate(best)])
    sides = boxes.detach()[chosen, 2:] - boxes.detach()[chosen, :2]
    kept = (sides >= rpn.min_size).all(1) & (logits[chosen].sigmoid() >= rpn.score_thresh)
    chosen, levels = chosen[kept], levels[kept]
    corners = boxes.detach()[chosen].unflatten(-1, (2, 2)).movedim(-2, -1)
    left = suppressed(corners, logits[chosen], levels, rpn.nms_thresh)[: rpn.post_nms_top_n()]
    return boxes[chosen[left]]
