"""What a target is: a class, a contrast of two, several at once, a function of the output and the item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

NEXT = "next"
Target = Any  # int | Sequence[int] | Tensor | Contrast | Against | Several | ByItem | Callable[[Any], Tensor] | None
"""What `attribute` takes as a target; None is the only output of a model."""


@dataclass(frozen=True)
class Contrast:
    """`f_target - f_against`: why this class rather than that one; each a class or a class for each item.

    >>> a = wl.attribute(model, x, wl.targets.Contrast(1, 0), domain=wl.Identity(), method=wl.Saliency())
    >>> values = model(x)[0]
    >>> bool((a.score - (values[1] - values[0])).abs() < 1e-9)
    True
    """

    target: int | Sequence[int]
    against: int | Sequence[int]


@dataclass(frozen=True)
class Against:
    """The contrast of each item's top class with the `"next"` one, its runner-up, or with a class of one's own choice.

    A `target` takes the place of the top class; its runner-up then is the highest-scoring class other than it. Both
    are classes, or a class for each item. What is left open is read off the model's answer to the untouched input, and
    holds from there on: along a path, under noise and for metrics. In `wl.explain` a class may be its name.

    >>> a = wl.attribute(model, x, wl.targets.Against(), domain=wl.Identity(), method=wl.Saliency())
    >>> a.targets, bool(a.score > 0)
    ((('Contrast(target=1, against=0)',),), True)
    """

    against: int | str | Sequence[int] = NEXT
    target: int | str | Sequence[int] | None = None


@dataclass(frozen=True, init=False)
class Several:
    """Several targets from the same forward passes; results get a first dimension, one entry per target.

    >>> a = wl.attribute(model, x, wl.targets.Several(0, 1), domain=wl.Identity(), method=wl.Saliency())
    >>> a.data.shape
    torch.Size([2, 1, 1, 64])
    """

    targets: tuple[Target, ...]

    def __init__(self, *targets: Target) -> None:
        object.__setattr__(self, "targets", targets)


@dataclass(frozen=True)
class ByItem:
    """A function `(output, items) -> (rows,)` of the output and of which item of the batch each row belongs to.

    For targets that differ from item to item: similarity to an embedding of each item, its own mask, its own box.

    >>> target = wl.targets.ByItem(lambda output, items: output[:, 1] - output[:, 0])
    >>> wl.attribute(model, x, target, domain=wl.Identity(), method=wl.Saliency()).data.shape
    torch.Size([1, 1, 64])
    """

    function: Callable[[Any, Tensor], Tensor]
