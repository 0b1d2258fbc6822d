"""What is explained: one number for each item, read off the model's output.

A target is a class index, a class for each item, a `Contrast` of two of them, any function of the output, or
`Several` of these at once. `None` stands for an output that already is one number an item.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

CLASSES = re.compile(r"[\[(](\d+(?:, \d+)*),?[\])]")  # one for each item, in the text of a target
Target = Any  # int | Sequence[int] | Tensor | Contrast | Several | ByItem | Callable[[Any], Tensor] | None


@dataclass(frozen=True)
class Contrast:
    """`f_target - f_against`: why this class rather than that one; each a class or a class for each item."""

    target: int | Sequence[int]
    against: int | Sequence[int]


@dataclass(frozen=True, init=False)
class Several:
    """Several targets from the same forward passes; results get a first dimension, one entry a target."""

    targets: tuple[Target, ...]

    def __init__(self, *targets: Target) -> None:
        object.__setattr__(self, "targets", targets)


@dataclass(frozen=True)
class ByItem:
    """A function `(output, items) -> (rows,)` of the output and of which item of the batch each row belongs to.

    For targets that differ from item to item: similarity to an embedding of each item, its own mask, its own box.
    """

    function: Callable[[Any, Tensor], Tensor]


def check(target: Target, batch: int) -> None:
    """`ValueError` if classes are given and their number is neither one nor the batch's, or `Several` has no target."""
    if isinstance(target, Several):
        if not target.targets:
            raise ValueError("targets.Several holds at least one target; got none.")
        for one in target.targets:
            check(one, batch)
    elif isinstance(target, Contrast):
        check(target.target, batch)
        check(target.against, batch)
    elif not (target is None or callable(target) or isinstance(target, ByItem)):
        try:
            count = torch.as_tensor(target).numel()
        except (TypeError, ValueError, RuntimeError):
            return  # no class at all: said with the model's output, which knows the classes
        if count not in (1, batch):
            raise ValueError(
                f"target gives one class, or one for each of the {batch} items; got {count}. "
                "For several classes of the same items use targets.Several(…)."
            )


def scores(target: Target, output: Any, items: Tensor) -> list[Tensor]:
    """The explained numbers, `(rows,)` for each target; `items[r]` is the item of the batch that row `r` stems from."""
    targets = target.targets if isinstance(target, Several) else (target,)
    found = [_score(one, output, items) for one in targets]
    if any(value.is_complex() for value in found):
        raise ValueError("the explained output is a real number; got complex ones. Give a function such as abs().")
    return found


def describe(target: Target) -> str:
    """The target as text, for the record."""
    if isinstance(target, Several):
        return f"Several({', '.join(describe(one) for one in target.targets)})"
    if isinstance(target, ByItem):
        return f"ByItem({describe(target.function)})"
    if hasattr(target, "tolist"):  # a tensor, or an array or a number of NumPy
        return str(target.tolist())
    return getattr(target, "__qualname__", None) or repr(target)


def texts(target: Target, batch: int) -> tuple[tuple[str, ...], ...]:
    """What is explained, as text: a row for each target, with one text for each item or one that all share."""
    if isinstance(target, Several):
        return tuple(row for one in target.targets for row in texts(one, batch))
    if isinstance(target, Contrast):
        sides = (_classes_of(target.target), _classes_of(target.against))
        count = max(map(len, sides))
        each = zip(*(side * (count // len(side)) for side in sides), strict=True)
        return (tuple(repr(Contrast(*pair)) for pair in each),)
    if target is None or callable(target) or isinstance(target, ByItem):
        return ((describe(target),),)
    return (tuple(map(str, _classes_of(target))),)


def joined(rows: Sequence[Sequence[str]], item: int, several: bool) -> str:
    """The text of one item's target, or of its several targets."""
    own = [row[item] if len(row) > 1 else row[0] for row in rows]
    return f"Several({', '.join(own)})" if several else own[0]


def parsed(text: str, batch: int) -> tuple[tuple[str, ...], ...]:
    """What `texts` gives, from the text of a file that was written before it had them."""
    if text.startswith("Several("):
        return tuple(parsed(one, batch)[0] for one in _split(text))
    lists = [found for found in CLASSES.findall(text) if len(found.split(", ")) == batch]
    if not lists or not text.startswith(("[", "(", "Contrast(")):
        return ((text,),)

    def its(item: int) -> str:
        def one(found: re.Match[str]) -> str:
            classes = found[1].split(", ")
            return classes[item % len(classes)] if len(classes) in (1, batch) else found[0]

        return CLASSES.sub(one, text)

    return (tuple(map(its, range(batch))),)


def _split(text: str) -> list[str]:
    """The texts of the targets in the text of `Several`: what stands between those commas that are in no brackets."""
    found = [""]
    for piece in text.removeprefix("Several(").removesuffix(")").split(", "):
        whole = sum(map(found[-1].count, "([{")) == sum(map(found[-1].count, ")]}"))
        found = [*found, piece] if whole else [*found[:-1], f"{found[-1]}, {piece}"]
    return found[1:]


def _classes_of(target: Any) -> list[Any]:
    """A class, or one for each item, as a list; what is no class stays as it is."""
    try:
        classes: list[Any] = torch.as_tensor(target).reshape(-1).tolist()
    except (TypeError, ValueError, RuntimeError):
        return [target]
    return classes or [target]


def _score(target: Target, output: Any, items: Tensor) -> Tensor:
    if isinstance(target, Contrast):
        return _score(target.target, output, items) - _score(target.against, output, items)
    if isinstance(target, ByItem):
        return _one_each(target.function(output, items), items)
    if callable(target):
        return _one_each(target(output), items)
    if not isinstance(output, Tensor):
        raise TypeError(
            f"the model's output is a tensor (batch, classes) where target is a class; got {type(output).__name__}. "
            "Give a function as target, for instance lambda out: out.logits[:, 3]."
        )
    if target is None:
        return _one_each(output, items)
    return _classes(target, output, items)


def _classes(target: int | Sequence[int] | Tensor, output: Tensor, items: Tensor) -> Tensor:
    if output.ndim != 2 or len(output) != len(items):
        raise ValueError(
            f"the model's output has shape (batch, classes) where target is a class; got {tuple(output.shape)} for "
            f"{len(items)} rows. Give a function of the output as target, or target=None for one number an item."
        )
    try:
        wanted = torch.as_tensor(target, device=output.device).reshape(-1)
    except (TypeError, ValueError, RuntimeError):
        wanted = torch.empty(0, device=output.device)
    if wanted.is_floating_point() or wanted.dtype == torch.bool or wanted.numel() == 0:
        raise TypeError(f"target is a class index, one for each item, or a function of the output; got {target!r}.")
    count = output.shape[1]
    if bool(((wanted < 0) | (wanted >= count)).any()):
        raise ValueError(f"target is a class from 0 to {count - 1}, the model's outputs; got {target}.")
    wanted = wanted[items.to(wanted.device)] if len(wanted) > 1 else wanted.expand(len(output))
    return output.gather(1, wanted[:, None].long())[:, 0]


def _one_each(value: Tensor, items: Tensor) -> Tensor:
    if not isinstance(value, Tensor) or value.numel() != len(items):
        got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(
            f"the explained output is one number for each of {len(items)} rows; got {got}. "
            "Give a class as target, or reduce the output to (batch,) in a target function."
        )
    return value.reshape(-1)
