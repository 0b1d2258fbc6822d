"""What a target is: a class, a contrast of two, several at once, a function of the output and the item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

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
