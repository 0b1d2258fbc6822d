"""Small detectors of torchvision with random weights and fixed seeds, and what stands in for its compiled operators."""

import sys

import torch
from torch import nn

CLASSES, SIZE = 4, (96, 128)


class Pyramid(nn.Module):
    """Two maps of 32 channels, at an eighth and a sixteenth."""

    out_channels = 32

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 32, 8, 8)
        self.second = nn.Conv2d(32, 32, 2, 2)

    def forward(self, x):
        fine = self.first(x).tanh()
        return {"0": fine, "1": self.second(fine).tanh()}


def two_stage():
    from torchvision.models.detection import FasterRCNN
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
    from torchvision.ops import MultiScaleRoIAlign

    return FasterRCNN(
        Pyramid(),
        rpn_anchor_generator=AnchorGenerator(((24,), (48,)), ((0.5, 1.0),) * 2),
        box_roi_pool=MultiScaleRoIAlign(["0", "1"], 3, 2, canonical_scale=40, canonical_level=3),
        box_head=TwoMLPHead(32 * 9, 16),
        box_predictor=FastRCNNPredictor(16, CLASSES),
        rpn_pre_nms_top_n_test=60,
        rpn_post_nms_top_n_test=30,
        box_score_thresh=0.25,
        min_size=SIZE[0],
        max_size=SIZE[1],
    )


def one_stage(kind):
    from torchvision.models import detection
    from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator

    sizes = {"min_size": SIZE[0], "max_size": SIZE[1]}
    if kind == "ssd":
        boxes = DefaultBoxGenerator([[2], [2]], scales=[0.2, 0.4, 0.6])
        head = detection.ssd.SSDHead([32, 32], boxes.num_anchors_per_location(), CLASSES)
        return detection.ssd.SSD(Pyramid(), boxes, SIZE[::-1], CLASSES, head=head, score_thresh=0.4)
    ratios = ((1.0,), (1.0,)) if kind == "fcos" else ((0.5, 1.0),) * 2
    make = {"fcos": detection.FCOS, "retinanet": detection.RetinaNet}[kind]
    anchors = AnchorGenerator(((8,), (16,)) if kind == "fcos" else ((24,), (48,)), ratios)
    return make(Pyramid(), CLASSES, anchor_generator=anchors, score_thresh=0.5, **sizes)


DETECTORS = {
    "faster r-cnn": two_stage,
    "retinanet": lambda: one_stage("retinanet"),
    "fcos": lambda: one_stage("fcos"),
    "ssd": lambda: one_stage("ssd"),
}


def detector(kind):
    """In evaluation mode and float64, with weights that make some objects likely."""
    torch.manual_seed(0)
    net = DETECTORS[kind]()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.12)
    return net.double().eval()


def nms(boxes, scores, iou_threshold):
    """Non-maximum suppression by its definition: each box in turn, unless a kept one overlaps it."""
    kept = []
    for k in scores.argsort(descending=True, stable=True).tolist():
        if all(_overlap(boxes[k].tolist(), boxes[j].tolist()) <= iou_threshold for j in kept):
            kept.append(k)
    return torch.tensor(kept, dtype=torch.long)


def _overlap(one, other):
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    both = max(wide, 0) * max(high, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return both / (sum(areas) - both)


def roi_align(input, boxes, output_size, spatial_scale, sampling_ratio):
    """RoIAlign of torchvision in Python, which it compiles where its own operator is missing."""
    plain = sys.modules["torchvision.ops.roi_align"]._roi_align.__wrapped__
    return plain(input, boxes, spatial_scale, *output_size, sampling_ratio, False)


def replace_operators(monkeypatch):
    """Let torchvision's own detectors run without its compiled operators."""
    from torchvision.ops import boxes, poolers

    monkeypatch.setattr(boxes, "nms", nms)
    monkeypatch.setattr(poolers, "roi_align", roi_align)
