"""The explained numbers, read off a model's output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from wavelens.targets.values import Against, ByItem, Contrast, Several, Target


def check_target(target: Target, batch: int) -> None:
    """`ValueError` if classes are given and their number is neither one nor the batch's, or `Several` has no target."""
    if isinstance(target, Several):
        if not target.targets:
            raise ValueError("targets.Several must hold at least one target; got none.")
        for one in target.targets:
            check_target(one, batch)
    elif isinstance(target, Contrast):
        check_target(target.target, batch)
        check_target(target.against, batch)
    elif not (target is None or callable(target) or isinstance(target, ByItem | Against)):
        try:
            count = torch.as_tensor(target).numel()
        except (TypeError, ValueError, RuntimeError):
            return  # no class at all: said with the model's output, which knows the classes
        if count not in (1, batch):
            raise ValueError(
                f"target must give one class, or one for each of the {batch} items; got {count}. "
                "For several classes of the same items use targets.Several(…)."
            )


def scores(target: Target, output: Any, items: Tensor) -> list[Tensor]:
    """The explained numbers, `(rows,)` for each target; `items[r]` is the item of the batch that row `r` stems from."""
    targets = target.targets if isinstance(target, Several) else (target,)
    values = [_score(one, output, items) for one in targets]
    if any(value.is_complex() for value in values):
        raise ValueError("the explained output must be a real number; got complex ones. Give a function such as abs().")
    return values


def _score(target: Target, output: Any, items: Tensor) -> Tensor:
    if isinstance(target, Contrast):
        return _score(target.target, output, items) - _score(target.against, output, items)
    if isinstance(target, Against):
        raise TypeError(
            f"{target} is settled by the model's answer to the untouched input; this output is another. Give "
            "targets.settled(target, outputs)."
        )
    if isinstance(target, ByItem):
        return _one_each(target.function(output, items), items)
    if callable(target):
        return _one_each(target(output), items)
    if not isinstance(output, Tensor):
        raise TypeError(
            "the model's output must be a tensor (batch, classes) where target is a class; got "
            f"{type(output).__name__}. Give a function as target, for instance lambda out: out.logits[:, 3]."
        )
    if target is None:
        return _one_each(output, items)
    return _classes(target, output, items)


def _classes(target: int | Sequence[int] | Tensor, output: Tensor, items: Tensor) -> Tensor:
    if output.ndim != 2 or len(output) != len(items):
        raise ValueError(
            f"the model's output must have shape (batch, classes) where target is a class; got {tuple(output.shape)} "
            f"for {len(items)} rows. Give a function of the output as target, or target=None for one number per item."
        )
    try:
        classes = torch.as_tensor(target, device=output.device).reshape(-1)
    except (TypeError, ValueError, RuntimeError):
        classes = torch.empty(0, device=output.device)
    if classes.is_floating_point() or classes.dtype == torch.bool or classes.numel() == 0:
        raise TypeError(
            f"target must be a class index, one for each item, or a function of the output; got {target!r}."
        )
    count = output.shape[1]
    if bool(((classes < 0) | (classes >= count)).any()):
        raise ValueError(f"target must be a class from 0 to {count - 1}, the model's outputs; got {target}.")
    classes = classes[items.to(classes.device)] if len(classes) > 1 else classes.expand(len(output))
    return output.gather(1, classes[:, None].long())[:, 0]


def _one_each(value: Tensor, items: Tensor) -> Tensor:
    if not isinstance(value, Tensor) or value.numel() != len(items):
        got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(
            f"the explained output must be one number for each of {len(items)} rows; got {got}. "
            "Give a class as target, or reduce the output to (batch,) in a target function."
        )
    return value.reshape(-1)
