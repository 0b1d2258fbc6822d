"""What a detector says of a picture, in the forms that libraries give it: candidates, and the objects among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from wavelens.boxes import suppressed

Box = tuple[tuple[float, float], tuple[float, float]]  # (top, bottom), (left, right), in samples
MAX_OBJECTS = 100  # of one picture, as torchvision and COCO's evaluation have it


class Candidates(NamedTuple):
    """All that a detector considers in one item: `boxes` `(n, 1 or classes, 2, 2)` in samples, rows first.

    `probabilities` is `(n, classes)`.
    """

    boxes: Tensor
    probabilities: Tensor

    def of_class(self, label: int) -> tuple[Tensor, Tensor]:
        """The boxes `(n, 2, 2)` and the probabilities `(n,)` of one class."""
        return self.boxes[:, label if self.boxes.shape[1] > 1 else 0], self.probabilities[:, label]


class Detection(NamedTuple):
    """An object: its class, how probable the detector finds it, and its box in samples, rows first."""

    label: int
    probability: float
    box: Box


def detections(
    output: Any,
    *,
    threshold: float = 0.5,
    overlap: float | None = 0.5,
    shape: Sequence[int] | None = None,
    independent: bool = False,
) -> list[list[Detection]]:
    """The objects in each item of a detector's output, the most probable first, at most 100.

    Those with a probability of `threshold` or more count. Of two objects of a class whose IoU is above `overlap` the
    less probable one is left out; None leaves out none, as for DETR. `output`, `shape` and `independent` are those of
    `targets.detection`. A candidate that has several probable classes counts once for each.

    >>> boxes = torch.tensor([[0.0, 0, 4, 4], [0, 0, 4, 5], [5, 5, 8, 8]])
    >>> output = [{"boxes": boxes, "labels": torch.tensor([1, 1, 1]), "scores": torch.tensor([0.9, 0.8, 0.7])}]
    >>> [(one.label, round(one.probability, 2), one.box) for one in wl.targets.detections(output)[0]]
    [(1, 0.9, ((0.0, 4.0), (0.0, 4.0))), (1, 0.7, ((5.0, 8.0), (5.0, 8.0)))]
    """
    return [_chosen(one, threshold, overlap) for one in candidates(output, shape, independent)]


def _chosen(one: Candidates, threshold: float, overlap: float | None) -> list[Detection]:
    probabilities = one.probabilities.detach()
    places, labels = ((probabilities >= threshold) & (probabilities > 0)).nonzero(as_tuple=True)
    boxes = one.boxes.detach()[places, labels if one.boxes.shape[1] > 1 else torch.zeros_like(labels)]
    has_area = (boxes[..., 0] < boxes[..., 1]).all(-1)
    boxes, labels, scores = boxes[has_area], labels[has_area], probabilities[places, labels][has_area]
    if overlap is None:
        kept = scores.argsort(descending=True, stable=True)
    else:
        kept = suppressed(boxes, scores, labels, overlap)
    return [_detection(int(labels[k]), float(scores[k]), boxes[k]) for k in kept[:MAX_OBJECTS].tolist()]


def _detection(label: int, probability: float, box: Tensor) -> Detection:
    top, bottom, left, right = box.flatten().tolist()
    return Detection(label, probability, ((top, bottom), (left, right)))


def candidates(output: Any, shape: Sequence[int] | None, independent: bool) -> list[Candidates]:
    """What a detector considers in each item; `TypeError` for an output of another form."""
    if isinstance(output, list | tuple) and all(isinstance(one, dict) for one in output):
        return [_with_probabilities(one) if "probabilities" in one else _listed(one) for one in output]
    logits, centred = getattr(output, "logits", None), getattr(output, "pred_boxes", None)
    if logits is None or centred is None:
        raise TypeError(
            "a detector must give a list of dictionaries with boxes, labels and scores, or boxes and probabilities, "
            f"or an object with logits and pred_boxes; got {type(output).__name__}. Read others with targets.ByItem."
        )
    if shape is None:
        raise ValueError("shape, (height, width) of the input, is needed where boxes are fractions of it; got None.")
    centre, extent = centred[..., [1, 0]], centred[..., [3, 2]]  # (x, y, width, height), and here rows come first
    size = centred.new_tensor(tuple(shape))
    boxes = torch.stack([(centre - extent / 2) * size, (centre + extent / 2) * size], -1)
    probabilities = logits.sigmoid() if independent else logits.softmax(-1)[..., :-1]
    return [Candidates(one[:, None], chances) for one, chances in zip(boxes, probabilities, strict=True)]


def _with_probabilities(one: dict[str, Tensor]) -> Candidates:
    boxes = one["boxes"] if one["boxes"].ndim == 3 else one["boxes"][:, None]
    return Candidates(_rows_first(boxes), one["probabilities"])


def _listed(one: dict[str, Tensor]) -> Candidates:
    """Of torchvision's lists, in which each box has one class."""
    classes = int(one["labels"].max()) + 1 if len(one["labels"]) else 0
    own = one["labels"][:, None] == torch.arange(classes, device=one["boxes"].device)
    return Candidates(_rows_first(one["boxes"])[:, None], one["scores"][:, None] * own)


def _rows_first(boxes: Tensor) -> Tensor:
    """`(…, 4)` of left, top, right, bottom as `(…, 2, 2)` of (top, bottom) and (left, right)."""
    corners: Tensor = boxes[..., [1, 3, 0, 2]].unflatten(-1, (2, 2))
    return corners
