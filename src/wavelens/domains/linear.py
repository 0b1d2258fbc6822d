"""Linear maps whose derivative is their own transpose, so that a transform may write where it likes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]


def linear(x: Tensor, there: Map, back: Map) -> Tensor:
    """`there(x)` of a linear map, with its transpose `back` in the real inner product as the derivative, to any order.

    Both take any leading dimensions. Derivatives of a complex map are those of its real and imaginary parts.
    """
    if torch.compiler.is_compiling():
        return there(x)
    result: Tensor = _Linear.apply(x, there, back)  # type: ignore[no-untyped-call]
    return result


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, there: Map, back: Map) -> Tensor:
        return there(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, ctx.there, ctx.back = inputs
        ctx.is_complex = x.is_complex()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        pulled = linear(g, ctx.back, ctx.there)
        return pulled if ctx.is_complex or not pulled.is_complex() else pulled.real, None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: Any) -> Tensor:
        return linear(tangent, ctx.there, ctx.back)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], x: Tensor, there: Map, back: Map) -> tuple[Tensor, int]:
        return linear(x.movedim(in_dims[0], 0), there, back), 0
