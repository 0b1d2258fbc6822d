"""Targets of models that answer place by place: a class in a region of a segmenter, an object of a detector.

`region` and `detection` read what the models of torchvision and transformers give, and are differentiable. Any other
output is a function of one's own: `targets.ByItem`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from wavelens.boxes import iou
from wavelens.targets.objects import Candidates, candidates
from wavelens.targets.values import ByItem

DetectionBox = Sequence[Sequence[float]]  # (start, stop) along each axis, in samples
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}  # interpolation by the number of axes


def region(
    label: int | Sequence[int],
    mask: Tensor,
    *,
    against: int | Sequence[int] | None = None,
    probability: bool = False,
    independent: bool = False,
) -> ByItem:
    """The sum of a class's logits over a region: why does the segmenter see this class there?

    `label` is a class or one for each item; `mask` is true in the region, `(*axes)` of the input or `(batch, *axes)`.
    The model gives logits `(batch, classes, *axes)`, torchvision's dictionary with `out`, or an object with `logits`.
    Logits of another resolution than the mask's are first brought to it by linear interpolation, as SegFormer's are.
    `probability` sums the class's softmax in place of its logits, the number of places that are expected to be of it;
    with `independent` classes, which do not exclude each other, its sigmoid. `against` is another class, whose sum is
    taken off: why this class there rather than that one?

    Take the region from an annotation or from a prediction (`predicted_region`), and hold it: one that followed the
    output would change with each noisy sample and along a path.

    >>> segments = torch.zeros(1, 3, 8, 8)
    >>> mask = torch.ones(1, 8, 8, dtype=torch.bool)
    >>> wl.targets.scores(wl.targets.region(2, mask), segments, torch.tensor([0]))[0].shape
    torch.Size([1])
    """
    if mask.dtype != torch.bool or not mask.any():
        raise ValueError(
            f"mask must be boolean and true in the region; got {tuple(mask.shape)} of {mask.dtype} with "
            f"{int((mask != 0).sum())} places. Compare a prediction: logits.argmax(1) == label."
        )
    other = None if against is None else _labels(against)
    return ByItem(_Region(_labels(label), mask, other, probability, independent))


def detection(
    label: int | Sequence[int],
    box: DetectionBox | Sequence[DetectionBox],
    *,
    shape: Sequence[int] | None = None,
    independent: bool = False,
) -> ByItem:
    """How surely a detector sees an object of a class at a box: the largest probability × IoU of all it detects.

    (Petsiuk et al., 2021.) `label` is a class, `box` `((top, bottom), (left, right))` in samples of the input, as in
    `metrics.boxes`; or one for each item. The model gives torchvision's lists of `boxes`, `labels` and `scores`, or
    transformers' `logits` and `pred_boxes` (DETR, YOLOS), which are fractions of the input's `shape`, (height, width).
    `independent` says that classes do not exclude each other (deformable DETR, RT-DETR): sigmoids, no last class for
    nothing.

    It is a continuous function of boxes and probabilities, and its gradient says what holds the object there as well
    as what makes it one. Where nothing of the class overlaps the box it is 0, and so is its gradient. What torchvision
    drops from its lists it drops at a jump: `score_thresh` and `nms_thresh` of 0 and 1 keep all.

    >>> found = [{"boxes": torch.tensor([[0.0, 0, 4, 4]]), "labels": torch.tensor([1]), "scores": torch.tensor([0.8])}]
    >>> target = wl.targets.detection(1, ((0, 4), (0, 4)))
    >>> [round(score.item(), 3) for score in wl.targets.scores(target, found, torch.tensor([0]))]
    [0.8]
    """
    boxes = torch.as_tensor(box, dtype=torch.float64)
    boxes = boxes if boxes.ndim == 3 else boxes[None]
    if boxes.shape[1:] != (2, 2) or not (boxes[..., 0] < boxes[..., 1]).all():
        raise ValueError(f"a box must be ((top, bottom), (left, right)) in samples, or one for each item; got {box}.")
    return ByItem(_Detection(_labels(label), boxes, _shape(shape), independent))


class Strongest(NamedTuple):
    """What a detector is surest of, in each item: `detection(found.labels, found.boxes)` explains it."""

    labels: list[int]
    boxes: list[tuple[tuple[float, float], tuple[float, float]]]
    probabilities: list[float]


def strongest(output: Any, *, shape: Sequence[int] | None = None, independent: bool = False) -> Strongest:
    """The most probable object in each item of a detector's output; options as of `detection`.

    `ValueError` where an item has none.

    >>> found = [{"boxes": torch.tensor([[0.0, 0, 4, 4]]), "labels": torch.tensor([1]), "scores": torch.tensor([0.8])}]
    >>> wl.targets.strongest(found).labels
    [1]
    """
    best = Strongest([], [], [])
    for item, one in enumerate(candidates(output, _shape(shape), independent)):
        probabilities = one.probabilities.detach()
        if not probabilities.numel():
            raise ValueError(f"a detector saw nothing in item {item}. Lower its score_thresh, or name a box yourself.")
        place, label = divmod(int(probabilities.argmax()), probabilities.shape[1])
        top, bottom, left, right = one.of_class(label)[0][place].flatten().tolist()
        best.labels.append(label)
        best.boxes.append(((top, bottom), (left, right)))
        best.probabilities.append(float(probabilities[place, label]))
    return best


@dataclass(frozen=True, eq=False)
class _Region:
    labels: Tensor
    mask: Tensor = field(repr=False)
    against: Tensor | None = None
    probability: bool = False
    independent: bool = False

    def __call__(self, output: Any, items: Tensor) -> Tensor:
        logits = logits_of(output)
        if self.probability:
            logits = logits.sigmoid() if self.independent or logits.shape[1] == 1 else logits.softmax(1)
        axes = logits.ndim - 2
        masks = self.mask if self.mask.ndim == axes + 1 else self.mask[None]
        if masks.ndim != axes + 1 or logits.ndim < 3:
            raise ValueError(
                f"mask must be ({'axis, ' * (axes - 1)}axis) or (batch, …) of the logits (batch, classes, *axes); got "
                f"{tuple(self.mask.shape)} for logits {tuple(logits.shape)}."
            )
        chosen = _chosen(logits, self.labels, items)
        if self.against is not None:
            chosen = chosen - _chosen(logits, self.against, items)
        if chosen.shape[1:] != masks.shape[1:]:
            resized = torch.nn.functional.interpolate(chosen[:, None], masks.shape[1:], mode=LINEAR[axes])
            chosen = resized[:, 0]
        total: Tensor = (chosen * _of(masks, items, logits.device)).flatten(1).sum(1)
        return total

    def __repr__(self) -> str:
        other = "" if self.against is None else f", against={self.against.tolist()}"
        of = ", probability=True" if self.probability else ""
        return f"region({self.labels.tolist()}, {int(self.mask.sum())} of {self.mask.numel()} places{other}{of})"


@dataclass(frozen=True, eq=False)
class _Detection:
    labels: Tensor
    boxes: Tensor
    shape: tuple[int, int] | None
    independent: bool

    def __call__(self, output: Any, items: Tensor) -> Tensor:
        objects = candidates(output, self.shape, self.independent)
        labels = _of(self.labels, items, items.device).tolist()
        boxes = _of(self.boxes, items, items.device)
        return torch.stack([self._best(*each) for each in zip(objects, labels, boxes, strict=True)])

    def _best(self, objects: Candidates, label: int, box: Tensor) -> Tensor:
        if label >= objects.probabilities.shape[1] or not len(objects.boxes):
            return objects.boxes.sum() * 0 + objects.probabilities.sum() * 0  # nothing of the class, but in the graph
        boxes, probabilities = objects.of_class(label)
        return (probabilities * iou(boxes, box.to(boxes))).amax()

    def __repr__(self) -> str:
        return f"detection({self.labels.tolist()}, {self.boxes.tolist()})"


def region_masks(target: Any) -> Tensor | None:
    """The masks of a `region`, `(items, *axes)`, or None for another target.

    >>> mask = torch.ones(4, 4, dtype=torch.bool)
    >>> wl.targets.region_masks(wl.targets.region(2, mask)).shape
    torch.Size([1, 4, 4])
    """
    function = target.function if isinstance(target, ByItem) else None
    if not isinstance(function, _Region):
        return None
    return function.mask if len(function.labels) > 1 or function.mask.ndim > 2 else function.mask[None]


def detection_boxes(target: Any) -> Tensor | None:
    """The boxes of a `detection`, `(items, 2, 2)`, rows first, or None for another target.

    >>> wl.targets.detection_boxes(wl.targets.detection(1, ((0, 4), (0, 6)))).tolist()
    [[[0.0, 4.0], [0.0, 6.0]]]
    """
    function = target.function if isinstance(target, ByItem) else None
    return function.boxes if isinstance(function, _Detection) else None


def logits_of(output: Any) -> Tensor:
    """The logits of an output: itself, its 'out', or its `logits`."""
    logits = output.get("out") if isinstance(output, dict) else None
    logits = getattr(output, "logits", output) if logits is None else logits
    if not isinstance(logits, Tensor):
        raise TypeError(
            "a segmenter must give logits (batch, classes, *axes), a dictionary with 'out', or an object with logits; "
            f"got {type(output).__name__}. Read others with targets.ByItem."
        )
    return logits


def _chosen(logits: Tensor, labels: Tensor, items: Tensor) -> Tensor:
    """The values of each row's own class, `(rows, *axes)`."""
    return logits[torch.arange(len(logits), device=logits.device), _of(labels, items, logits.device)]


def _labels(label: int | Sequence[int]) -> Tensor:
    labels = torch.as_tensor(label).reshape(-1)
    if labels.is_floating_point() or labels.dtype == torch.bool or not labels.numel() or (labels < 0).any():
        raise ValueError(f"label must be a class from 0, or one for each item; got {label!r}.")
    return labels


def _shape(shape: Sequence[int] | None) -> tuple[int, int] | None:
    if shape is None:
        return None
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"shape must be (height, width) of the input; got {tuple(shape)}. Give x.shape[2:].")
    return shape[0], shape[1]


def _of(each: Tensor, items: Tensor, device: torch.device) -> Tensor:
    """What belongs to each row: one for all, or that of its item."""
    here = each.to(device)
    if len(here) == 1:
        return here.expand(len(items), *here.shape[1:])
    if int(items.max()) >= len(here):
        raise ValueError(f"labels, boxes and masks must be given once, or for each item of the batch; got {len(here)}.")
    return here[items.to(device)]
