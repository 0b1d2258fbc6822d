"""Small detectors of torchvision with random weights and fixed seeds, and what stands in for its compiled operators."""

import itertools

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
    return both and both / (sum(areas) - both)


def roi_align(input, boxes, output_size, spatial_scale, sampling_ratio):
    """RoIAlign by its definition, as torchvision's kernels have it: a mean of bilinear samples, 0 beyond the map."""
    out = input.new_zeros(len(boxes), input.shape[1], *output_size)
    for k, (item, *box) in enumerate(boxes.tolist()):
        left, top, right, bottom = (side * spatial_scale for side in box)
        sides = [max(bottom - top, 1.0) / output_size[0], max(right - left, 1.0) / output_size[1]]
        for row, column in itertools.product(*map(range, output_size)):
            steps = itertools.product(range(sampling_ratio), repeat=2)
            places = [
                (
                    top + (row + (i + 0.5) / sampling_ratio) * sides[0],
                    left + (column + (j + 0.5) / sampling_ratio) * sides[1],
                )
                for i, j in steps
            ]
            out[k, :, row, column] = sum(_sample(input[int(item)], *place) for place in places) / sampling_ratio**2
    return out


def _sample(level, y, x):
    height, width = level.shape[1:]
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0 * level[:, 0, 0]
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    y0, x0 = min(int(y), max(height - 2, 0)), min(int(x), max(width - 2, 0))
    near, far = (level[:, min(y0 + k, height - 1)] for k in (0, 1))
    upper, lower = (row[:, x0] * (1 - (x - x0)) + row[:, min(x0 + 1, width - 1)] * (x - x0) for row in (near, far))
    return upper * (1 - (y - y0)) + lower * (y - y0)


def replace_operators(monkeypatch):
    """Let torchvision's own detectors run without its compiled operators."""
    from torchvision.ops import boxes, poolers

    monkeypatch.setattr(boxes, "nms", nms)
    monkeypatch.setattr(poolers, "roi_align", roi_align)
