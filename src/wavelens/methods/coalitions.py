"""Coalitions of groups: all of them, or random ones by the seed and their number."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wavelens.methods.averages import generator


def all_coalitions(groups: int) -> Tensor:
    """`(2^groups, groups)` zeros and ones: bit `i` of a row's number says whether group `i` is in."""
    players = torch.arange(groups, device="cpu")
    return (torch.arange(2**groups, device="cpu")[:, None] >> players) & 1


def fair_coalitions(samples: int, groups: int, seed: int) -> Tensor:
    """`(samples, groups)`: each group is in or out with equal chances, whatever the others."""
    return torch.stack([_uniform(seed, k, groups) < 0.5 for k in range(samples)]).long()


def kernel_coalitions(samples: int, groups: int, seed: int) -> Tensor:
    """`(samples, groups)` coalitions as often as Shapley's kernel weighs them, each followed by its complement.

    A size `s` from 1 to `groups − 1` has a chance in proportion to `1 / (s (groups − s))`, and all coalitions of a size
    the same (Lundberg and Lee, 2017; in pairs: Covert and Lee, 2021).
    """
    sizes = torch.arange(1, groups, device="cpu", dtype=torch.float64)
    chances = (1 / (sizes * (groups - sizes))).cumsum(0)
    rows = []
    for k in range(-(-samples // 2)):
        numbers = _uniform(seed, k, groups + 1)
        size = 1 + int(torch.searchsorted(chances, numbers[:1] * chances[-1], right=True).clamp_max(groups - 2))
        inside = numbers[1:].argsort().argsort() < size
        rows += [inside, ~inside]
    return torch.stack(rows[:samples]).long()


def kernel_weights(coalitions: Tensor) -> Tensor:
    """Shapley's kernel, `(groups − 1) / (C(groups, s) s (groups − s))`; 0 for nobody and for all."""
    n = coalitions.shape[1]
    by_size = [0.0, *((n - 1) / (math.comb(n, s) * s * (n - s)) for s in range(1, n)), 0.0]
    return torch.tensor(by_size, dtype=torch.float64, device="cpu")[coalitions.sum(1)]


def _uniform(seed: int, k: int, count: int) -> Tensor:
    cpu = torch.device("cpu")
    return torch.rand(count, generator=generator(seed, k, cpu), device="cpu", dtype=torch.float64)
