"""Targets that the model's answer to the untouched input decides: each item's top class, and its runner-up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from wavelens.targets.values import NEXT, Against, Contrast, Several, Target


def is_open(target: Target) -> bool:
    """Whether classes of the target are still to be read off the model's answer."""
    if isinstance(target, Several):
        return any(is_open(one) for one in target.targets)
    return isinstance(target, Against)


def settled(target: Target, outputs: Any) -> Target:
    """The target with each `Against` as the contrast that it is for these outputs, `(batch, classes)`, of the inputs.

    `ValueError` for outputs that are no classes' and where a class would be set against itself.

    >>> wl.targets.settled(wl.targets.Against(), torch.tensor([[0.1, 2.0, 1.5]]))
    Contrast(target=[1], against=[2])
    """
    if isinstance(target, Several):
        return Several(*(settled(one, outputs) for one in target.targets))
    if not isinstance(target, Against):
        return target
    if not isinstance(outputs, Tensor) or outputs.ndim != 2 or outputs.shape[1] < 2:
        got = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise ValueError(
            f"a class must be set against another of outputs (batch, classes), with 2 classes or more; got {got}. "
            "Give a function of the output as target."
        )
    classes = _classes("target", target.target, outputs) if target.target is not None else outputs.argmax(1)
    others = runner_up(outputs, classes) if target.against == NEXT else _classes("against", target.against, outputs)
    if bool((classes == others).any()):
        item = int((classes == others).nonzero()[0])
        of_item = f" for item {item}" if len(outputs) > 1 else ""
        raise ValueError(
            f"against must be another class than the target; both are {int(classes[item])}{of_item}. Name another or "
            "'next'."
        )
    return Contrast(classes.tolist(), others.tolist())


def runner_up(outputs: Tensor, classes: Tensor) -> Tensor:
    """The highest-scoring class of each row of `outputs`, `(batch, classes)`, other than its own of `classes`."""
    others = outputs.detach().clone()
    others[torch.arange(len(others), device=others.device), classes] = -torch.inf
    return others.argmax(1)


def _classes(name: str, given: int | str | Sequence[int], outputs: Tensor) -> Tensor:
    """A class for each row; `ValueError` for what is none of the outputs'."""
    batch, count = outputs.shape
    try:
        classes = torch.as_tensor(given, device=outputs.device).reshape(-1)
    except (TypeError, ValueError, RuntimeError):
        classes = torch.empty(0, device=outputs.device)
    whole = not (classes.is_floating_point() or classes.is_complex() or classes.dtype == torch.bool)
    if not whole or len(classes) not in (1, batch) or bool(((classes < 0) | (classes >= count)).any()):
        raise ValueError(
            f"{name} of Against must be a class from 0 to {count - 1} or one for each of {batch} items; got "
            f"{given!r:.80}."
        )
    return classes.long().expand(batch)
