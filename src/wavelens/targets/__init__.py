"""What is explained: one number for each item, read off the model's output.

A target is a class index, a class for each item, a `Contrast` of two of them, the contrast `Against` the runner-up, any
function of the output, or `Several` of these at once. `None` stands for an output that already is one number per item.
"""

from wavelens.targets.numbered import ObjectText, object_text
from wavelens.targets.objects import Detection, detections
from wavelens.targets.per_sample import horizon, window
from wavelens.targets.predicted import RegionText, is_region, predicted_mask, predicted_region, region_text
from wavelens.targets.regions import Strongest, detection, detection_boxes, region, region_masks, strongest
from wavelens.targets.runner_up import settled
from wavelens.targets.scoring import check_target, scores
from wavelens.targets.text import describe, joined, parsed, texts
from wavelens.targets.values import Against, ByItem, Contrast, Several, Target

__all__ = [
    "Against",
    "ByItem",
    "Contrast",
    "Detection",
    "ObjectText",
    "RegionText",
    "Several",
    "Strongest",
    "Target",
    "check_target",
    "describe",
    "detection",
    "detection_boxes",
    "detections",
    "horizon",
    "is_region",
    "joined",
    "object_text",
    "parsed",
    "predicted_mask",
    "predicted_region",
    "region",
    "region_masks",
    "region_text",
    "scores",
    "settled",
    "strongest",
    "texts",
    "window",
]
