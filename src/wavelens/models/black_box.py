"""Models that are functions of arrays: they give values, and no gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from wavelens.whole_numbers import is_whole

METHODS_OF_VALUES = "HierarchicalShapley, ScaleShapley, KernelSHAP, RISE, Sobol or HSIC"

Arrays = Callable[..., Any]  # arrays (batch, channel, *axes) to an array, or to dicts, lists and tuples of them


class BlackBox(nn.Module):
    """A function of NumPy arrays as a model: `function(array (batch, channel, *axes)) -> array (batch, classes)`.

    The function may be anything that runs elsewhere: a compiled program, a pipeline of scikit-learn, a request to a
    server. It is called with arrays of the signal's type: `rows` items at a time where that is given, with `flat` as
    `(batch, features)` for scikit-learn, with one more array for each tensor of `given`, and with several signals by
    their names. It may return one array with a row per item, or dicts, lists and tuples of them. What it raises ends
    the computation; a server's retries are the function's own. Methods that need values alone explain it.

    >>> import numpy as np
    >>> loudness = wl.models.BlackBox(lambda a: np.abs(a).mean((1, 2, 3))[:, None])
    >>> a = wl.attribute(loudness, x, 0, domain=wl.DWT("haar", levels=1), method=wl.ScaleShapley())
    >>> bool(a.gap.abs() < 1e-9)
    True
    """

    def __init__(self, function: Arrays, rows: int | None = None, flat: bool = False) -> None:
        super().__init__()
        if not callable(function) or isinstance(function, nn.Module):
            what = "a module, which is a model as it is" if isinstance(function, nn.Module) else type(function).__name__
            raise TypeError(f"a black box must be a function of arrays; got {what}.")
        if rows is not None and not is_whole(rows, 1):
            raise ValueError(
                f"rows, the items of one call, must be a whole number from 1, or None for all; got {rows!r}."
            )
        self.function, self.rows, self.flat = function, rows, flat
        self.training = False

    def forward(self, *tensors: Tensor, **signals: Tensor) -> Any:
        """Its output for a signal and the tensors of `given`, or for several signals by name."""
        first = next(iter((*signals.values(), *tensors)))
        parts = []
        for start in range(0, len(first), self.rows or len(first)):
            piece = slice(start, start + (self.rows or len(first)))
            arrays = [_array(t[piece], self.flat and not signals and k == 0) for k, t in enumerate(tensors)]
            named = {name: _array(x[piece], self.flat) for name, x in signals.items()}
            parts.append(self._called(len(first[piece]), arrays, named))
        joined = parts[0] if len(parts) == 1 else tree_map(lambda *arrays: np.concatenate(arrays), *parts)
        return tree_map(lambda array: _tensor(array).to(first.device), joined)

    def _called(self, count: int, arrays: list[Any], named: dict[str, Any]) -> Any:
        """What the function says of `count` items, as arrays with a row for each."""
        return tree_map(lambda value: self._checked(np.asarray(value), count), self.function(*arrays, **named))

    def _checked(self, array: Any, count: int) -> Any:
        if array.dtype.kind not in "fiub":
            raise ValueError(f"a black box returns numbers; {self.called} returned an array of {array.dtype}.")
        if array.ndim == 0 or len(array) != count:
            raise ValueError(
                f"a black box returns a row for each of {count} items, such as (batch, classes); {self.called} "
                f"returned {array.shape}."
            )
        return array

    @property
    def called(self) -> str:
        """The name of the function."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))


def _array(x: Tensor, flat: bool) -> Any:
    return (x.flatten(1) if flat else x).detach().cpu().numpy()


def _tensor(array: Any) -> Tensor:
    """In floating point; a copy where the array may not be written to."""
    kept = array if array.dtype.kind == "f" and array.dtype.isnative else array.astype(np.float64)
    return torch.from_numpy(np.require(kept, requirements=["C", "W"]))


def black_box(model: Any) -> BlackBox | None:
    """The black box that a model is, or has inside; None for a network."""
    modules = model.modules() if isinstance(model, nn.Module) else ()
    return next((module for module in modules if isinstance(module, BlackBox)), None)


def check_no_black_box(model: Any) -> None:
    """`ValueError` for a model that gives values alone."""
    if (box := black_box(model)) is not None:
        raise ValueError(
            f"gradients are those of networks in torch; {box.called} is a function of arrays, which has none. Take a "
            f"method of values alone: {METHODS_OF_VALUES}."
        )
