"""What a detector detects in an input, numbered by class, and the one that a text such as 'car#2' names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wavelens.models import LoadedModel, Objects
from wavelens.targets import ObjectText, detections
from wavelens.targets.objects import Box, candidates

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


def chosen_object(
    loaded: LoadedModel, output: Any, said: ObjectText
) -> tuple[NumberedObject, tuple[NumberedObject, ...]]:
    """The object that a text names among those of a detector's output for one input, and all of them.

    `ValueError` where no such object is detected, which says what is.
    """
    index, objects = _class(loaded, said.label), detected_objects(loaded, output)
    own = [one for one in objects if index in (None, one.index)]
    if not objects:
        raise ValueError(_nothing(loaded, output))
    if not own:
        several = "the one detection" if len(objects) == 1 else f"the {len(objects)} detections"
        raise ValueError(
            f"no {class_name(loaded, index or 0)} among {several}: {_listed(objects)}. Name one of them, or "
            f"{_lower(loaded)}."
        )
    if len(own) < said.number:
        what = "objects" if index is None else own[0].label
        raise ValueError(
            f"{said.label}#{said.number} is one of {len(own)} detections of {what}: {_listed(own)}. Give a number up "
            f"to {len(own)}, or {_lower(loaded)}."
        )
    return own[said.number - 1], objects


def _class(loaded: LoadedModel, label: str) -> int | None:
    """The class, or None for any; `ValueError` for none of the model's."""
    if not label:
        return None
    return int(label) if not loaded.labels and label.isdecimal() else loaded.index(label)


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
    one = candidates(output, None, False)[0]
    start = f"{loaded.name} detects nothing in this input with a probability of {loaded.answer.threshold:g} or more"
    if not one.probabilities.numel() or not one.probabilities.any():
        return f"{start}: it has no candidates. Take another input."
    best = float(one.probabilities.max())
    label = int(one.probabilities.argmax()) % one.probabilities.shape[1]
    name = class_name(loaded, label)
    return f"{start}; the most probable is {name} {best:.3g}. Take another input, or {_lower(loaded, best)}."


def _lower(loaded: LoadedModel, best: float = 1.0) -> str:
    """How the threshold is lowered, below a probability that is to count."""
    assert isinstance(loaded.answer, Objects)
    lower, name = f"threshold={min(loaded.answer.threshold / 2, 0.9 * best):.1g}", loaded.name
    if name.partition(":")[0] not in ("torchvision", "hf", "ultralytics"):
        return f"lower the threshold: answer=Objects({lower}) in its LoadedModel"
    if "threshold=" in name:
        named = re.sub(r"threshold=[^,)]*", lower, name)
    else:
        named = f"{name[:-1]}, {lower})" if name.endswith(")") else f"{name}({lower})"
    return f"lower the threshold: --model '{named}'"


def _listed(objects: Sequence[NumberedObject]) -> str:
    """'person 0.98, dog#2 0.91 and 3 more'."""
    names = [f"{one.name if one.number > 1 else one.label} {one.probability:.2f}" for one in objects[:MAX_NAMED]]
    more = f" and {len(objects) - MAX_NAMED} more" if len(objects) > MAX_NAMED else ""
    return f"{', '.join(names)}{more}"
