"""Haar on the balanced tree of any number of samples, level by level: a rotation of each pair of halves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from wavelens.domains.octaves import gathered


@dataclass(frozen=True, eq=False)
class Leaves:
    """The deepest depth with all nodes: each holds one sample, or two that one further detail separates."""

    first: Tensor  # the first sample of each node
    second: Tensor  # its second sample; its first where there is none
    two: Tensor  # the nodes with two samples
    slots: Tensor  # of all first and second places, node by node, those that hold a sample
    cosine: Tensor  # √½ for nodes with two samples, 1 for others
    sine: Tensor  # √½, and 0 for others


def analyse(ordered: Tensor) -> Tensor:
    """The coefficients of samples in the order of leaves: the mean, then the details from the coarsest depth."""
    n = ordered.shape[-1]
    details = torch.empty_like(ordered)
    if n == 1:
        return details.copy_(ordered)
    leaves, start = _leaves(n, ordered.dtype, ordered.device), n
    first, second = gathered(ordered, leaves.first), gathered(ordered, leaves.second)
    low, high = _turned(first, second, leaves.cosine, leaves.sine)
    start = len(leaves.first)
    details[..., start:] = gathered(high, leaves.two)
    for cosine, sine in reversed(_turns(n, ordered.dtype, ordered.device)):
        low, high = _turned(low[..., ::2], low[..., 1::2], cosine, sine)
        start //= 2
        details[..., start : 2 * start] = high
    details[..., :1] = low
    return details


def synthesise(details: Tensor) -> Tensor:
    """The samples, in the order of leaves, of these coefficients: the inverse, which is the transpose."""
    n = details.shape[-1]
    if n == 1:
        return details.clone()
    low = details[..., :1]
    for cosine, sine in _turns(n, details.dtype, details.device):
        low = torch.stack(_turned(low, details[..., low.shape[-1] : 2 * low.shape[-1]], cosine, sine), -1).flatten(-2)
    leaves = _leaves(n, details.dtype, details.device)
    high = torch.zeros_like(low)
    fine = details[..., low.shape[-1] :]
    high.scatter_(-1, leaves.two.expand(fine.shape), fine)
    pairs = torch.stack(_turned(low, high, leaves.cosine, leaves.sine), -1)
    return gathered(pairs.flatten(-2), leaves.slots)


def _turned(a: Tensor, b: Tensor, cosine: Tensor, sine: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of two halves and their difference, scaled; its own inverse."""
    return torch.addcmul(cosine * a, sine, b), torch.addcmul(sine * a, cosine, b, value=-1)


def _sizes(n: int) -> Iterator[Tensor]:
    """How many samples each node holds, depth by depth, as long as none has fewer than one."""
    sizes = torch.tensor([n], device="cpu")
    while True:
        yield sizes
        if len(sizes) * 2 >= n:
            return
        sizes = torch.stack([(sizes + 1) // 2, sizes // 2], 1).flatten()


@lru_cache(maxsize=16)
def _turns(n: int, dtype: torch.dtype, device: torch.device) -> list[tuple[Tensor, Tensor]]:
    """√(n₁ / n) and √(n₂ / n) of the halves of each node, from the root down to `_leaves`."""
    turns = []
    with torch.inference_mode(False):
        *inner, _ = _sizes(n)
        for sizes in inner:
            shares = torch.stack([(sizes + 1) // 2, sizes // 2]) / sizes.double()
            cosine, sine = shares.sqrt().to(device, dtype)
            turns.append((cosine, sine))
    return turns


@lru_cache(maxsize=16)
def _leaves(n: int, dtype: torch.dtype, device: torch.device) -> Leaves:
    with torch.inference_mode(False):
        *_, sizes = _sizes(n)
        has_two = sizes == 2
        first = sizes.cumsum(0) - sizes
        slots = torch.stack([torch.ones_like(has_two), has_two], 1).flatten().nonzero()[:, 0]
        sine = torch.where(has_two, 0.5, 0.0).double().sqrt()
        cosine = torch.where(has_two, 0.5, 1.0).double().sqrt()
        tensors = (first, first + has_two, has_two.nonzero()[:, 0], slots, cosine.to(dtype), sine.to(dtype))
        return Leaves(*(t.to(device) for t in tensors))
