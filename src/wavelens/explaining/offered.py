"""What may be explained of an input, to be chosen from: the top classes, detected objects, or predicted regions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from wavelens.detected import class_name, detected_objects
from wavelens.explaining.kinds import Input
from wavelens.explaining.summary import top_classes
from wavelens.models import LoadedModel, Objects
from wavelens.targets.regions import logits_of


def offered_targets(loaded: LoadedModel, one: Input, count: int) -> list[dict[str, Any]]:
    """At most `count` rows, most probable first, with `label`, `probability` and the `index` that names it as a target.

    The probability of a region is its share of the input. `ValueError` for a detector that detects nothing.
    """
    if loaded.answer is None:
        return top_classes(loaded, one.logits, count)
    with torch.no_grad():
        output = loaded.module(one.x)
    if not isinstance(loaded.answer, Objects):
        return _regions(loaded, logits_of(output))[:count]
    objects = detected_objects(loaded, output)[:count]
    if not objects:
        raise ValueError(f"{loaded.name} detects nothing with a probability of {loaded.answer.threshold:g} or more.")
    return [{"index": one.name, "label": one.name, "probability": one.probability} for one in objects]


def _regions(loaded: LoadedModel, logits: Tensor) -> list[dict[str, Any]]:
    shares = torch.bincount(logits.argmax(1).flatten(), minlength=logits.shape[1]) / logits[:, 0].numel()
    classes = [k for k in shares.argsort(descending=True, stable=True).tolist() if shares[k] > 0]
    return [{"index": str(k), "label": class_name(loaded, k), "probability": float(shares[k])} for k in classes]
