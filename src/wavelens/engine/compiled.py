"""Compiled models: passes of few sizes, since each size may be compiled anew."""

from __future__ import annotations

from types import FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn

FUNCTIONS = (FunctionType, MethodType)


def is_compiled(model: Any) -> bool:
    """Whether `torch.compile` has been at the model, at a part of it or at a function that a part holds."""
    return any(map(_is_compiled, model.modules() if isinstance(model, nn.Module) else [model]))


def _is_compiled(part: Any) -> bool:
    wrapped = hasattr(part, "_orig_mod") or getattr(part, "_compiled_call_impl", None) is not None
    functions = [getattr(part, "forward", part), *(v for v in getattr(part, "__dict__", {}).values() if callable(v))]
    return wrapped or any(isinstance(f, FUNCTIONS) and hasattr(f, "_torchdynamo_orig_callable") for f in functions)


class Sizes:
    """The number of rows that passes of a kind have: all that is asked for is cut to it or filled up to it.

    The first pass of a kind sets it. A larger one raises it to a power of two, so there are few.
    """

    def __init__(self) -> None:
        self.known: dict[bool, int] = {}

    def fit(self, kind: bool, rows: int, limit: int) -> int:
        """The size of passes in which to ask for `rows` rows, at most `limit`; `kind`: whether for gradients."""
        known = self.known.get(kind, 0)
        if rows > known:
            known = rows if known == 0 else 2 ** (rows - 1).bit_length()
        self.known[kind] = min(known, limit)
        return self.known[kind]


def filled(points: Tensor, items: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Points and their items with the last one repeated, so that there are `size`."""
    missing = size - len(points)
    if missing <= 0:
        return points, items
    more = points[-1:].expand(missing, *points.shape[1:])
    return torch.cat([points, more]), torch.cat([items, items[-1:].expand(missing)])
