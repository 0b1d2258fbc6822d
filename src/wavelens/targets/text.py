"""Targets as text, for records and files; and the texts of files that were written before each item had its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch

from wavelens.targets.values import ByItem, Contrast, Several, Target

CLASSES = re.compile(r"[\[(](\d+(?:, \d+)*),?[\])]")  # one for each item, in the text of a target


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
    lists = [match for match in CLASSES.findall(text) if len(match.split(", ")) == batch]
    if not lists or not text.startswith(("[", "(", "Contrast(")):
        return ((text,),)

    def its(item: int) -> str:
        def one(match: re.Match[str]) -> str:
            classes = match[1].split(", ")
            return classes[item % len(classes)] if len(classes) in (1, batch) else match[0]

        return CLASSES.sub(one, text)

    return (tuple(map(its, range(batch))),)


def _split(text: str) -> list[str]:
    """The texts of the targets in the text of `Several`: what stands between those commas that are in no brackets."""
    pieces = [""]
    for piece in text.removeprefix("Several(").removesuffix(")").split(", "):
        whole = sum(map(pieces[-1].count, "([{")) == sum(map(pieces[-1].count, ")]}"))
        pieces = [*pieces, piece] if whole else [*pieces[:-1], f"{pieces[-1]}, {piece}"]
    return pieces[1:]


def _classes_of(target: Any) -> list[Any]:
    """A class, or one for each item, as a list; what is no class stays as it is."""
    try:
        classes: list[Any] = torch.as_tensor(target).reshape(-1).tolist()
    except (TypeError, ValueError, RuntimeError):
        return [target]
    return classes or [target]
