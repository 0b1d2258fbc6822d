"""Boxes: how far they overlap, and which of many overlapping ones are kept."""

from __future__ import annotations

import torch
from torch import Tensor

MAX_COMPARED = 5000  # boxes of one group: the overlaps of all pairs are 100 MB


def iou(boxes: Tensor, box: Tensor) -> Tensor:
    """The intersection over the union of boxes `(…, axes, 2)` with `(…, axes, 2)`, which broadcast: from 0 to 1."""
    common = torch.minimum(boxes[..., 1], box[..., 1]) - torch.maximum(boxes[..., 0], box[..., 0])
    both = common.clamp_min(0).prod(-1)
    one, other = ((b[..., 1] - b[..., 0]).clamp_min(0).prod(-1) for b in (boxes, box))
    return both / (one + other - both)


def suppressed(boxes: Tensor, scores: Tensor, groups: Tensor, overlap: float) -> Tensor:
    """Which boxes are left by non-maximum suppression within each group: their indices, the highest score first.

    `boxes` is `(n, axes, 2)`, `scores` and `groups` are `(n,)`. Where two boxes of a group have an IoU above `overlap`,
    the one with the lower score is dropped. In a group of more than 5,000 boxes, only the 5,000 with the highest scores
    are compared. No compiled operator is needed.
    """
    boxes, scores = boxes.detach(), scores.detach()
    kept = [_left(boxes, scores, (groups == group).nonzero()[:, 0], overlap) for group in groups.unique().tolist()]
    if not kept:
        return torch.zeros(0, dtype=torch.long, device=boxes.device)
    indices = torch.cat(kept)
    return indices[scores[indices].argsort(descending=True, stable=True)]


def _left(boxes: Tensor, scores: Tensor, own: Tensor, overlap: float) -> Tensor:
    """Those of one group, whose indices are `own`."""
    order = own[scores[own].argsort(descending=True, stable=True)][:MAX_COMPARED]
    ranked = boxes[order]
    above = (iou(ranked[:, None], ranked[None]) > overlap).cpu().numpy()
    alive = torch.ones(len(order), dtype=torch.bool).numpy()
    for k in range(len(order)):
        if alive[k]:
            alive[k + 1 :] &= ~above[k, k + 1 :]
    return order[torch.from_numpy(alive).to(order.device)]
