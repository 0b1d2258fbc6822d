"""The lines that are drawn over a picture: around the objects of a detector, and around a region."""

from __future__ import annotations

from torch import Tensor

from wavelens.explaining.question import ExplainedTarget
from wavelens.outlines import Outline, box_outline, mask_outline
from wavelens.targets import detection_boxes, region_masks

MAX_TEXTS = 12  # objects that are named in the picture: the most probable


def outlines_of(target: ExplainedTarget, x: Tensor) -> tuple[Outline, ...]:
    """Of an input `(1, channel, height, width)`: what the target is of, above what was detected beside it."""
    if x.ndim != 4:
        return ()
    if target.objects:
        named = [
            (one, f"{one.name} {one.probability:.2f}" if k < MAX_TEXTS or one.explained else "")
            for k, one in enumerate(target.objects)
        ]
        above = sorted(named, key=lambda pair: (pair[0].explained, pair[0].probability))  # drawn one over the other
        return tuple(box_outline(one.box, text, one.explained) for one, text in above)
    shape = (x.shape[2], x.shape[3])
    if (masks := region_masks(target.target)) is not None and masks.ndim == 3:
        return (mask_outline(masks[0], shape),)
    if (boxes := detection_boxes(target.target)) is not None:
        (top, bottom), (left, right) = boxes[0].tolist()
        return (box_outline(((top, bottom), (left, right)), explained=True),)
    return ()
