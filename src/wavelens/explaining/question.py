"""What is explained of each input: what a target, and a class against it, mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from wavelens.detected import NumberedObject
from wavelens.explaining.answers import Answer, answer_of, is_answer
from wavelens.explaining.objects import DetectedObject
from wavelens.explaining.places import FORM, Place, is_place, place_of
from wavelens.explaining.predicted_regions import LargestRegion, PredictedRegion, region_of
from wavelens.explaining.prompting import is_prompt
from wavelens.grid import Grid
from wavelens.models import LoadedModel, Objects
from wavelens.models.loaded import PROMPT_MARK
from wavelens.models.named_functions import imported, is_function
from wavelens.models.trust import importable_working_folder
from wavelens.targets import Against, Contrast, ObjectText, Several, Target, describe, is_region, object_text
from wavelens.targets.numbered import NUMBERED
from wavelens.targets.predicted import PREFIX as REGION_PREFIX
from wavelens.targets.predicted import REGION_FORM
from wavelens.targets.runner_up import runner_up
from wavelens.targets.values import NEXT

PlaceOfInput = Place | PredictedRegion | LargestRegion | DetectedObject


@dataclass(frozen=True, eq=False)
class ExplainedTarget:
    """What is explained of one input: `target` as `attribute` takes it, `label` as a reader does.

    `heading` is the label with indices, `number` what the target's number is called, `classes` those that it is of.
    `summary` and `options` are for JSON and for a command; `marks` are spans of the input's samples that it is of.
    `objects` are all that a detector detects in the input; `region` is true where the target is, `(*axes)`.
    """

    target: Target
    label: str
    heading: str
    number: str
    classes: tuple[int, ...]
    summary: dict[str, Any]
    options: tuple[str, ...]
    marks: tuple[tuple[float, float], ...] = ()
    objects: tuple[NumberedObject, ...] = ()
    region: Tensor | None = None


@dataclass(frozen=True)
class Question:
    """A class, the input's top class where it is None, and the class `against` which it is set; or something else.

    `against` is "next" for the class that the input has the highest logit for, other than the target.

    That is a `function(module, x)` that gives the target of an input, whatever the model returns, or a `fixed` target
    as `attribute` takes it, the same for every input; both have a `name`. Or it is a class at a `place` of the input,
    a time, a region or a detected object; or an `answer` that a model may write, whose output the target is then.
    """

    target: int | None = None
    against: int | str | None = None
    function: Callable[[nn.Module, Tensor], Target] | None = None
    name: str = ""
    fixed: Target = None
    place: PlaceOfInput | None = None
    answer: Answer | None = None

    def __call__(self, loaded: LoadedModel, x: Tensor, logits: Tensor | None, grid: Grid) -> ExplainedTarget:
        """What is explained of the input `x` to which the model gives `logits` `(classes,)`, if it is a classifier.

        `grid` says where the samples of `x` lie.
        """
        if self.place is not None:
            return _at_place(self.place, loaded, x, grid)
        if loaded.answer is not None and self.function is None and self.fixed is None:
            return _at_place(place_in_answer(self.target, loaded), loaded, x, grid)
        if self.function is not None:
            return _target_by(self.function, self.name, loaded.module, x)
        if self.fixed is not None:
            return ExplainedTarget(self.fixed, self.name, self.name, "score", (), {"target": {"is": self.name}}, ())
        if logits is None:
            raise ValueError(_no_logits(loaded, x))
        target = int(logits.argmax()) if self.target is None else self.target
        label = loaded.labels[target]
        options = ("--target", self.answer.option if self.answer else class_text(loaded, target))
        summary: dict[str, Any] = {"target": {"index": target, "label": label}}
        if self.against is None:
            return ExplainedTarget(target, label, f"{target} {label}", loaded.number, (target,), summary, options)
        against = self._against(loaded, logits, target)
        other = loaded.labels[against]
        pair = tuple(map(loaded.short, (label, other)))
        next_class = " (the next class)" if self.against == NEXT else ""
        return ExplainedTarget(
            Contrast(target, against),
            " rather than ".join(pair),
            f"{target} {pair[0]} rather than {against} {pair[1]}{next_class}",
            "difference of logits",
            (target, against),
            summary | {"against": {"index": against, "label": other} | ({"is": NEXT} if next_class else {})},
            (*options, "--against", NEXT if next_class else class_text(loaded, against)),
        )

    def _against(self, loaded: LoadedModel, logits: Tensor, target: int) -> int:
        """The class against which the target is set; `ValueError` if that is the target, or there is none."""
        if self.against == NEXT:
            if len(logits) < 2:
                raise ValueError(f"--against next takes a model of two classes or more; {loaded.name} has one logit.")
            return int(runner_up(logits[None], torch.tensor([target], device=logits.device)))
        assert isinstance(self.against, int)
        if self.against == target:
            raise ValueError(
                f"--against names the top class itself, {target} ({loaded.labels[target]}). Name another class, or a "
                "--target."
            )
        return self.against


@torch.no_grad()
def _no_logits(loaded: LoadedModel, x: Tensor) -> str:
    """Why the output for the input `x` has no logit for each of the model's classes."""
    output = loaded.module(x)
    if loaded.labels and isinstance(output, Tensor) and output.ndim == 2 and len(output) == 1:
        return (
            f"{loaded.name} has {output.shape[1]} outputs and {len(loaded.labels)} class names. "
            "Give one name per output in its labels, in their order."
        )
    return (
        f"a class is asked of a classifier; {loaded.name} returns no logits. "
        f"Give --target package.module:function; {FORM}; {REGION_FORM}."
    )


def class_text(loaded: LoadedModel, index: int) -> str:
    """How a command names a class: a prompt by itself, others by their index."""
    prompts = loaded.options.prompts or ()
    return f"{PROMPT_MARK}{loaded.labels[index]}" if loaded.labels[index] in prompts else str(index)


def is_target_function(target: Target) -> bool:
    """Whether the target is read off the output by a function, so that a model may return anything."""
    if isinstance(target, str):
        return not is_prompt(target) and (is_region(target) or is_function(target) or is_place(target))
    return not (target is None or isinstance(target, int | Against))


def question_of(target: Target, against: str | int | None, loaded: LoadedModel) -> Question:
    """The question that a target and a class against it ask; `ValueError` for what is no class, or twice the same.

    A text is the index or the name of a class, 'package.module:function', a class at a time such as 'QRS@3.2s', or one
    in the region where it is predicted, 'region:tumour'; what names a class is that class, even if it is written so.
    "next" against it is the runner-up, unless a class has that name. Anything else is a target as `attribute` takes it.
    """
    if isinstance(target, Against):
        if against is not None:
            raise ValueError(f"give against once; got it in the target, {target}, and as against={against!r}.")
        target, against = _sides(target)
    if isinstance(target, Contrast) and isinstance(target.target, int) and isinstance(target.against, int):
        target, against = target.target, target.against
    if not (target is None or isinstance(target, str | int)):
        return _fixed(target, against)
    if isinstance(target, str) and is_answer(target) and not loaded.named(target):
        if against is not None:
            raise ValueError(f"--against sets a class against a class; {target} is a text. Leave it out.")
        return Question(answer=answer_of(target))
    if isinstance(target, str) and is_region(target) and not loaded.named(target):
        return Question(place=region_of(target, against))
    if isinstance(target, str) and not is_prompt(target) and is_function(target) and not loaded.named(target):
        if against is not None:
            raise ValueError(
                f"--against sets a class against a class; {target} is a function. Let it return a Contrast."
            )
        function = imported(target)
        if not callable(function):
            raise ValueError(
                f"--target is a class or a function of (module, x); {target} is {type(function).__name__}."
            )
        return Question(function=function, name=target)
    if isinstance(target, str) and not is_prompt(target) and is_place(target) and not loaded.named(target):
        if against is not None:
            raise ValueError(f"--against sets a class against a class; {target} is a class at a time. Leave it out.")
        return Question(place=place_of(target))
    if loaded.answer is not None:
        if against is not None:
            raise ValueError(
                f"--against sets a class against a class; {loaded.name} gives {_parts(loaded)}. Leave it out."
            )
        return Question(place=place_in_answer(target, loaded))
    for text in (target, against):
        check_no_object(text, loaded)
    index, other = None if target is None else loaded.index(str(target)), against_of(against, loaded)
    if index is not None and index == other:
        raise ValueError(f"--against and --target name the same class, {index} ({loaded.labels[index]}). Name another.")
    return Question(index, other)


def check_no_object(target: str | int | None, loaded: LoadedModel) -> None:
    """`ValueError` for the name of a detected object, of a model that detects none."""
    if not isinstance(target, str) or is_prompt(target) or loaded.named(target):
        return
    if (match := NUMBERED.fullmatch(target.strip())) is not None:
        rest = f"Leave out #{match['number']}" if match["label"] else "Name a class"
        raise ValueError(
            f"{target} names a detected object, but {loaded.name} is not a detector. {rest}, or give a detector such "
            "as torchvision:fasterrcnn_resnet50_fpn."
        )


def place_in_answer(target: str | int | None, loaded: LoadedModel) -> PlaceOfInput:
    """The object or the region that a class means, by default the most probable or the largest one."""
    text = "" if target is None else str(target).strip()
    if isinstance(loaded.answer, Objects):
        object_named = ObjectText(text) if loaded.named(text) else object_text(text)
        if object_named.label and (loaded.labels or not object_named.label.isdecimal()):
            loaded.index(object_named.label)  # says now that there is no such class
        return DetectedObject(text, object_named)
    if not text:
        return LargestRegion()
    return region_of(f"{REGION_PREFIX}{text}")


def _parts(loaded: LoadedModel) -> str:
    return "objects" if isinstance(loaded.answer, Objects) else "regions"


def against_of(against: str | int | None, loaded: LoadedModel) -> str | int | None:
    """The index of a class; "next", unless a class has that name, and None stay as they are."""
    is_next = against == NEXT and not loaded.named(NEXT)
    return against if against is None or is_next else loaded.index(str(against))


def _sides(target: Against) -> tuple[int | str | None, int | str]:
    """The class and the class against it; `ValueError` for one class per item, since an explanation is of one input."""
    sides = target.target, target.against
    if not all(side is None or isinstance(side, int | str) for side in sides):
        raise ValueError(f"an explanation is of one input, so Against takes one class, not one per item; got {target}.")
    return sides  # type: ignore[return-value]


def _at_place(place: PlaceOfInput, loaded: LoadedModel, x: Tensor, grid: Grid) -> ExplainedTarget:
    placed = place(loaded, x, grid)
    text = placed.text or place.text
    summary = {"target": {"label": placed.label, "text": text, "is": describe(placed.target)}}
    other = getattr(place, "against", None)
    options = ("--target", text, *(() if other is None else ("--against", other)))
    return ExplainedTarget(
        placed.target,
        placed.label,
        placed.label,
        placed.number,
        (),
        summary,
        options,
        placed.marks,
        placed.objects,
        placed.region,
    )


def _fixed(target: Target, against: str | int | None) -> Question:
    name = describe(target)
    if against is not None:
        raise ValueError(f"against sets a class against a class; the target is {name}. Make it a targets.Contrast.")
    if isinstance(target, Several):
        raise ValueError(f"an explanation must have one target; got {name}. Explain the file once for each.")
    return Question(fixed=target, name=name)


def _target_by(
    function: Callable[[nn.Module, Tensor], Target], name: str, module: nn.Module, x: Tensor
) -> ExplainedTarget:
    try:
        with importable_working_folder():
            target = function(module, x)
    except Exception as error:  # the user's own: it may find nothing in this input, and something in the next
        raise ValueError(
            f"{name} gives the target of an input; for this one it raises {type(error).__name__}: {error}"
        ) from error
    if isinstance(target, Several):
        raise ValueError(f"{name} must give one target; got {describe(target)}. Give a function for each.")
    return ExplainedTarget(
        target, name, name, "score", (), {"target": {"function": name, "is": describe(target)}}, ("--target", name)
    )
