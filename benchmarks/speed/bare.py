"""The bare passes that an attribution needs: what everything else is measured against."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from wavelens.engine.fast_passes import FastPasses


def passes(net: nn.Module, x: Tensor, count: int, call: Callable[[Tensor], Tensor] | None = None) -> None:
    """`count` forward and backward passes of class 0 to the input, parameters frozen, nothing else."""
    for p in net.parameters():
        p.requires_grad_(False)
    for _ in range(count):
        point = x.clone().requires_grad_()  # each pass has an input of its own
        torch.autograd.grad((call or net)(point)[:, 0].sum(), point)
    for p in net.parameters():
        p.requires_grad_(True)


def floor(net: nn.Module, x: Tensor, count: int) -> None:
    """The same with the model run as wavelens runs it."""
    with FastPasses(net, x) as fast:
        with torch.no_grad():
            fast(x)  # f(x) comes first: it shows what can be folded
        passes(net, x, count, fast)
