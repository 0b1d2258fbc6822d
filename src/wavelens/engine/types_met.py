"""The types that a model computes in, which those of its input and its parameters do not tell."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class Types(TorchFunctionMode):
    """Notes the coarsest floating-point type of what functions give: under autocast inside, and behind casts.

    `step` is the distance of its numbers around 1, and 0 before anything was given.
    """

    step = 0.0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = func(*args, **(kwargs or {}))
        if isinstance(given, Tensor) and given.dtype.is_floating_point and given.dtype.itemsize > 1:
            self.step = max(self.step, torch.finfo(given.dtype).eps)
        return given
