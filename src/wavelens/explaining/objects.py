"""Targets that are written as an object of a detector, 'car' or 'car#2'; and what it detects in an input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from wavelens.explaining.places import Placed
from wavelens.grid import Grid
from wavelens.models import LoadedModel, Objects
from wavelens.targets import ObjectText, detection, detections
from wavelens.targets.objects import Box, Candidates, candidates

MAX_NAMED = 5  # objects in a sentence


@dataclass(frozen=True)
class NumberedObject:
    """A detected object of class `index`; `number` counts those of its class, 1 the most probable.

    `box` is ((top, bottom), (left, right)) in samples of the model's input.
    """

    index: int
    label: str
    number: int
    probability: float
    box: Box
    explained: bool = False

    @property
    def name(self) -> str:
        """As a target names it: 'car#2'."""
        return f"{self.label}#{self.number}"


@dataclass(frozen=True)
class DetectedObject:
    """The object that a text names, among those that the model detects in the untouched input."""

    text: str
    said: ObjectText

    def __call__(self, loaded: LoadedModel, x: Tensor, grid: Grid) -> Placed:
        """The target for the input `x` `(1, channel, *axes)`; `ValueError` where no such object is detected."""
        with torch.no_grad():
            output = loaded.module(x)
        objects = detected_objects(loaded, output)
        index = self._class(loaded)
        own = [one for one in objects if index in (None, one.index)]
        if not objects:
            raise ValueError(_nothing(loaded, output))
        if len(own) < self.said.number:
            raise ValueError(self._missing(loaded, index, own, objects))
        chosen = own[self.said.number - 1]
        marked = tuple(replace(one, explained=True) if one is chosen else one for one in objects)
        target = detection(chosen.index, chosen.box)
        return Placed(target, chosen.name, (), "probability × IoU", chosen.name, marked)

    def _class(self, loaded: LoadedModel) -> int | None:
        """The class, or None for any; `ValueError` for none of the model's."""
        label = self.said.label
        if not label:
            return None
        return int(label) if not loaded.labels and label.isdecimal() else loaded.index(label)

    def _missing(
        self, loaded: LoadedModel, index: int | None, own: Sequence[NumberedObject], objects: Sequence[NumberedObject]
    ) -> str:
        """Why there is no such object, and what there is."""
        if own:
            name = own[0].label if index is not None else "object"
            return (
                f"--target {self.text} is number {self.said.number} of the detections of {name}; there "
                f"{'is' if len(own) == 1 else 'are'} {len(own)}: {_listed(own)}. Give a number from 1 to {len(own)}."
            )
        name = class_name(loaded, index or 0)
        several = "the one detection" if len(objects) == 1 else f"the {len(objects)} detections"
        return f"no {name} among {several}: {_listed(objects)}. Name one of them, or {_lower(loaded)}."


def detected_objects(loaded: LoadedModel, output: Any) -> tuple[NumberedObject, ...]:
    """What a detector's output for one input has, the most probable first; none of another model."""
    if not isinstance(loaded.answer, Objects):
        return ()
    counts: dict[int, int] = {}
    objects = []
    for one in detections(output, threshold=loaded.answer.threshold, overlap=loaded.answer.overlap)[0]:
        counts[one.label] = number = counts.get(one.label, 0) + 1
        objects.append(NumberedObject(one.label, class_name(loaded, one.label), number, one.probability, one.box))
    return tuple(objects)


def class_name(loaded: LoadedModel, index: int) -> str:
    """The first name of a class."""
    return loaded.labels[index].split(", ")[0] if index < len(loaded.labels) else f"class {index}"


def _nothing(loaded: LoadedModel, output: Any) -> str:
    """That no candidate reaches the threshold, and which is nearest to it."""
    assert isinstance(loaded.answer, Objects)
    one: Candidates = candidates(output, None, False)[0]
    start = f"{loaded.name} detects nothing in this input with a probability of {loaded.answer.threshold:g} or more"
    if not one.probabilities.numel() or not one.probabilities.any():
        return f"{start}: it has no candidates. Take another input."
    best = float(one.probabilities.max())
    label = int(one.probabilities.argmax()) % one.probabilities.shape[1]
    return f"{start}; the most probable is {class_name(loaded, label)} {best:.3g}. Take another input, or {_lower(loaded)}."


def _lower(loaded: LoadedModel) -> str:
    """How the threshold is lowered."""
    assert isinstance(loaded.answer, Objects)
    lower, (prefix, _, rest) = f"{loaded.answer.threshold / 2:.2g}", loaded.name.partition(":")
    if prefix in ("torchvision", "hf", "ultralytics"):
        return f"lower the threshold: --model '{prefix}:{rest.partition('(')[0]}(threshold={lower})'"
    return f"lower the threshold: answer=Objects(threshold={lower}) in its LoadedModel"


def _listed(objects: Sequence[NumberedObject]) -> str:
    """'person 0.98, dog#2 0.91 and 3 more'."""
    names = [f"{one.name if one.number > 1 else one.label} {one.probability:.2f}" for one in objects[:MAX_NAMED]]
    more = f" and {len(objects) - MAX_NAMED} more" if len(objects) > MAX_NAMED else ""
    return f"{', '.join(names)}{more}"
