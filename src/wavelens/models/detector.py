"""`detector`: a detector of one's own, made with torchvision or transformers, ready to be explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from wavelens.models.answers import Objects
from wavelens.models.detectors.queries import Queries
from wavelens.models.loaded import LoadedModel, Parts, Preparation
from wavelens.models.preparations.fitted import Fitted
from wavelens.models.sources import torchvision_places
from wavelens.models.sources.hf_places import THRESHOLD
from wavelens.models.sources.ultralytics import yolo_parts
from wavelens.models.weights import innermost


def detector(
    module: nn.Module,
    labels: Sequence[str] = (),
    preprocess: Preparation | None = None,
    *,
    name: str = "detector",
    threshold: float | None = None,
) -> LoadedModel:
    """A detector as a `LoadedModel`, whose targets are the objects that it detects: 'car', 'car#2'.

    `module` is a detector of torchvision (Faster, Mask and Keypoint R-CNN, RetinaNet, FCOS, SSD), one of transformers
    in DETR's form, which may stand in a `Normalized`, a YOLO of ultralytics (`YOLO(…).model`), or any module of pixels
    in [0, 1] whose output `targets.detections` reads. The first two are read before any candidate is dropped, so that
    the score of an object is a smooth function of the picture; torchvision's compiled operators are not needed.
    `labels` names the classes, as many as the module has. `preprocess` makes the input, by default as torchvision's own
    transform says, else `Fitted()`. Objects count from the probability `threshold`, by default the module's own.

    >>> class Bright(torch.nn.Module):
    ...     def forward(self, x):
    ...         boxes = x.new_tensor([[0.0, 0, 8, 8]])
    ...         return [{"boxes": boxes, "probabilities": one.mean().view(1, 1)} for one in x]
    >>> loaded = wl.models.detector(Bright().eval(), ["bright"], wl.models.Geometry((8, 8), (8, 8)))
    >>> loaded.answer
    Objects(threshold=0.5, overlap=0.5)
    """
    parts = _parts(module, threshold)
    if parts.labels and labels and len(labels) != len(parts.labels):
        raise ValueError(f"labels must name each of the module's {len(parts.labels)} classes; got {len(labels)}.")
    chosen = preprocess or parts.preprocess
    return LoadedModel(parts.module, tuple(labels) or parts.labels, chosen, name, answer=parts.answer)


def _parts(module: nn.Module, threshold: float | None) -> Parts:
    inner: Any = innermost(module)
    if torchvision_places.is_detector(inner):
        return torchvision_places.detector_parts(inner, torchvision_places.unnamed(inner), threshold)
    if hasattr(inner, "yaml") and hasattr(inner, "save"):  # of ultralytics
        return yolo_parts(inner, threshold)
    config: Any = getattr(inner, "config", None)
    if hasattr(config, "num_labels"):
        names = tuple(config.id2label[k] for k in range(config.num_labels))
        answer = Objects(THRESHOLD if threshold is None else threshold, overlap=None)
        around = Queries(module)
        around.training = module.training
        return Parts(around, Fitted(), names, answer=answer)
    own = Objects() if threshold is None else replace(Objects(), threshold=threshold)
    return Parts(module, Fitted(), answer=own)
