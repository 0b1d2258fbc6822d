"""Linear maps in closed form for autograd, forward mode and vmap, and float32 products in float32."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from wavelens.core import Layout

Run = Callable[[Tensor, Layout, str, str], Tensor]
PRODUCTS: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul)  # type: ignore[attr-defined]


class LinearMap(torch.autograd.Function):
    """`run(x, layout, side, direction)`: its derivative is its own transpose, to any order.

    The direction is "down", from a signal to coefficients, or "up", the transpose; `side` names the filters. In the
    real inner product Re Σ conj(a) b, which is that of autograd, so coefficients may be complex.
    """

    @staticmethod
    def forward(x: Tensor, run: Run, layout: Layout, side: str, direction: str) -> Tensor:
        return run(x, layout, side, direction)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.rest = inputs[1:]

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        return transposed(LinearMap.apply, g, *ctx.rest)

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: Any) -> Tensor:
        return LinearMap.apply(tangent, *ctx.rest)  # type: ignore[no-any-return, no-untyped-call]

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], x: Tensor, *rest: Any) -> tuple[Tensor, int]:
        return LinearMap.apply(x.movedim(in_dims[0], 0), *rest), 0  # type: ignore[no-untyped-call]


def transposed(apply: Any, g: Tensor, *rest: Any) -> tuple[Tensor | None, ...]:
    """The gradient of `apply(x, *rest)`, whose last argument is the direction."""
    *same, direction = rest
    return apply(g, *same, "up" if direction == "down" else "down"), *[None] * len(rest)


class FullPrecision:
    """Float32 products in float32: a caller's tf32 or bf16 setting is for networks, a transform must stay exact.

    The setting is the process's own: threads whose transforms overlap share one change of it.
    """

    lock, users = threading.Lock(), 0
    before: tuple[tuple[Any, str], ...] = ()

    def __enter__(self) -> None:
        cls = type(self)
        with cls.lock:
            if cls.users == 0:
                cls.before = tuple((kind, kind.fp32_precision) for kind in PRODUCTS if kind.fp32_precision != "ieee")
                for kind, _ in cls.before:
                    kind.fp32_precision = "ieee"
            cls.users += 1

    def __exit__(self, *_: object) -> None:
        cls = type(self)
        with cls.lock:
            cls.users -= 1
            if cls.users == 0:
                for kind, setting in cls.before:
                    kind.fp32_precision = setting
