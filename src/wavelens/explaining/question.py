"""What is explained of each input: what a target, and a class against it, mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from wavelens.models import LoadedModel
from wavelens.models.loading import function_called, is_function
from wavelens.models.trust import importable_working_folder
from wavelens.targets import Contrast, Several, Target, describe


@dataclass(frozen=True, eq=False)
class ExplainedTarget:
    """What is explained of one input: `target` as `attribute` takes it, `label` as a reader does.

    `heading` is the label with indices, `number` what the target's number is called, `classes` those that it is of.
    `summary` and `options` are for JSON and for a command.
    """

    target: Target
    label: str
    heading: str
    number: str
    classes: tuple[int, ...]
    summary: dict[str, Any]
    options: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """A class, the input's top class where it is None, and the class `against` which it is set; or something else.

    That is a `function(module, x)` that gives the target of an input, whatever the model returns, or a `fixed` target
    as `attribute` takes it, the same for every input; both have a `name`.
    """

    target: int | None = None
    against: int | None = None
    function: Callable[[nn.Module, Tensor], Target] | None = None
    name: str = ""
    fixed: Target = None

    def __call__(self, loaded: LoadedModel, x: Tensor, logits: Tensor | None) -> ExplainedTarget:
        """What is explained of the input `x` to which the model gives `logits` `(classes,)`, if it is a classifier."""
        if self.function is not None:
            return _target_by(self.function, self.name, loaded.module, x)
        if self.fixed is not None:
            return ExplainedTarget(self.fixed, self.name, self.name, "score", (), {"target": {"is": self.name}}, ())
        if logits is None:
            raise ValueError(
                f"a class is asked of a classifier; {loaded.name} returns no logits. "
                "Give --target package.module:function."
            )
        target = int(logits.argmax()) if self.target is None else self.target
        label, options = loaded.labels[target], ("--target", str(target))
        summary: dict[str, Any] = {"target": {"index": target, "label": label}}
        if self.against is None:
            return ExplainedTarget(target, label, f"{target} {label}", "logit", (target,), summary, options)
        if self.against == target:
            raise ValueError(
                f"--against is another class than the target; the top class is {target} ({label}) too. Name a --target."
            )
        other = loaded.labels[self.against]
        pair = tuple(name.split(", ")[0] for name in (label, other))
        return ExplainedTarget(
            Contrast(target, self.against),
            " rather than ".join(pair),
            f"{target} {pair[0]} rather than {self.against} {pair[1]}",
            "difference of logits",
            (target, self.against),
            summary | {"against": {"index": self.against, "label": other}},
            (*options, "--against", str(self.against)),
        )


def is_target_function(target: Target) -> bool:
    """Whether the target is read off the output by a function, so that a model may return anything."""
    return is_function(target) if isinstance(target, str) else not (target is None or isinstance(target, int))


def question_of(target: Target, against: str | int | None, loaded: LoadedModel) -> Question:
    """The question that a target and a class against it ask; `ValueError` for what is no class, or twice the same.

    A text is the index or the name of a class, or 'package.module:function'; what names a class is that class, even if
    it is written like a function. Anything else is a target as `attribute` takes it.
    """
    if isinstance(target, Contrast) and isinstance(target.target, int) and isinstance(target.against, int):
        target, against = target.target, target.against
    if not (target is None or isinstance(target, str | int)):
        return _fixed(target, against)
    if isinstance(target, str) and is_function(target) and not loaded.named(target):
        if against is not None:
            raise ValueError(
                f"--against sets a class against a class; {target} is a function. Let it return a Contrast."
            )
        try:
            function = function_called(target)
        except (ImportError, AttributeError) as error:
            raise ValueError(
                f"--target is a class, or package.module:function; got {target!r}, and {error}."
            ) from error
        if not callable(function):
            raise ValueError(
                f"--target is a class or a function of (module, x); {target} is {type(function).__name__}."
            )
        return Question(function=function, name=target)
    index, other = (None if one is None else loaded.index(str(one)) for one in (target, against))
    if index is not None and index == other:
        raise ValueError(f"--against is another class than --target; both are {index} ({loaded.labels[index]}).")
    return Question(index, other)


def _fixed(target: Target, against: str | int | None) -> Question:
    name = describe(target)
    if against is not None:
        raise ValueError(f"against sets a class against a class; the target is {name}. Make it a targets.Contrast.")
    if isinstance(target, Several):
        raise ValueError(f"an explanation has one target; got {name}. Explain the file once for each.")
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
        raise ValueError(f"{name} gives one target; got {describe(target)}. Give a function for each.")
    return ExplainedTarget(
        target, name, name, "score", (), {"target": {"function": name, "is": describe(target)}}, ("--target", name)
    )
