"""Tensors that belong to items and are handed to the model beside the signal, not explained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn


class Given(nn.Module):
    """A model with tensors that the items of one batch bring: it is called as `model(points, *[t[items] for t in …])`.

    Whoever asks it says which item each row belongs to; see `beside`.
    """

    def __init__(self, model: Callable[..., Any], tensors: Sequence[Tensor]) -> None:
        super().__init__()
        self.model, self.tensors = model, tuple(tensors)
        self.training = bool(getattr(model, "training", False))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Given:
        """What moves or casts the model does so with what it is given."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.tensors = tuple(fn(t) for t in self.tensors)
        return self

    def forward(self, points: Tensor, *beside: Tensor) -> Any:
        return self.model(points, *beside)


def with_given(model: Callable[..., Any], given: Sequence[Tensor]) -> Callable[..., Any]:
    """The model with tensors by item; itself where there are none."""
    if isinstance(given, Tensor):
        raise TypeError(
            "given must be a list of tensors, one entry per item in each; got one tensor. Put it in a list."
        )
    if not isinstance(given, Sequence):
        raise TypeError(f"given must be a list of tensors, empty where there are none; got {type(given).__name__}.")
    if not len(given):
        return model
    check_callable(model)
    return Given(model, given)


def check_callable(model: Any) -> None:
    """`TypeError` for what is neither a module nor a function."""
    if not callable(model):
        raise TypeError(
            f"model must be a module or a function; got {type(model).__name__}. Of a LoadedModel pass `loaded.module`."
        )


def beside(model: Any, items: Tensor) -> tuple[Tensor, ...]:
    """What a model is given beside rows that belong to `items`."""
    if not isinstance(model, Given):
        return ()
    return tuple(t[items.to(t.device)] for t in model.tensors)


def check_given(model: Any, batch: int) -> None:
    """`ValueError` unless every given tensor has one entry per item."""
    for number, t in enumerate(model.tensors if isinstance(model, Given) else ()):
        if not isinstance(t, Tensor) or t.ndim == 0 or len(t) != batch:
            got = tuple(t.shape) if isinstance(t, Tensor) else type(t).__name__
            raise ValueError(f"given[{number}] must be a tensor with an entry for each of {batch} items; got {got}.")
