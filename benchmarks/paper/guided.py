"""Guided backpropagation for rectifiers that are no modules: `torch.relu` in a network's own forward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

import wavelens as wl
from wavelens.core import Coefficients
from wavelens.targets import Target


class _Guided(torch.autograd.Function):
    """A rectifier that hands back the positive part of a gradient alone (Springenberg et al., 2015)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x > 0)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (passed,) = ctx.saved_tensors
        return g.clamp(min=0) * passed


class Guiding(TorchFunctionMode):
    """While it is active, every rectifier is a guided one, a module or not."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(function, "__name__", "") in ("relu", "relu_"):
            return _Guided.apply(args[0])
        return function(*args, **(kwargs or {}))


def guided_backpropagation(model: nn.Module, x: Tensor, target: Target) -> Coefficients:
    with Guiding():
        return wl.attribute(model, x, target, domain=wl.Identity(), method=wl.Saliency())
