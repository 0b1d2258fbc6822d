"""YOLO of ultralytics: a box and the probabilities of the classes at every anchor point."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from wavelens.models.detectors.pictures import clipped
from wavelens.models.weights import Around

GREY = 114 / 255  # of ultralytics' letterbox


class Yolo(Around):
    """A detector of ultralytics as a differentiable function of pictures in [0, 1].

    Gives a list with a dictionary for each picture: `boxes` `(anchors, 4)`, left, top, right, bottom in pixels of the
    picture, and `probabilities` `(anchors, classes)`. A grey border brings the picture to a multiple of the stride.
    Heads that ultralytics trains end to end, and cuts off from the gradient, are read behind the same features.
    """

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        net: Any = self.module
        height, width = x.shape[2:]
        stride = int(net.stride.max())
        down, right = -height % stride, -width % stride
        border = (right // 2, right - right // 2, down // 2, down - down // 2)
        features = _features(net, nn.functional.pad(x, border, value=GREY))
        head = net.model[-1]
        heads = head.one2one if head.end2end else head.one2many
        answer = head._inference(head.forward_head(features, **heads)).transpose(1, 2)
        boxes, probabilities = answer.split([4, answer.shape[-1] - 4], -1)
        if not (head.end2end or head.xyxy):
            centre, extent = boxes.split(2, -1)
            boxes = torch.cat([centre - extent / 2, centre + extent / 2], -1)
        corner = boxes.new_tensor([border[0], border[2]] * 2)
        return [
            {"boxes": clipped(own - corner, height, width), "probabilities": chances}
            for own, chances in zip(boxes, probabilities, strict=True)
        ]


def _features(net: Any, x: Tensor) -> list[Tensor]:
    """What the head is given: each layer says by `f` which outputs it takes, `save` has those that are needed later."""
    outputs: list[Any] = []
    *layers, head = net.model
    for layer in layers:
        x = layer(_inputs(layer.f, x, outputs))
        outputs.append(x if layer.i in net.save else None)
    return list(_inputs(head.f, x, outputs))


def _inputs(places: int | list[int], x: Any, outputs: list[Any]) -> Any:
    if isinstance(places, int):
        return x if places == -1 else outputs[places]
    return [x if place == -1 else outputs[place] for place in places]
