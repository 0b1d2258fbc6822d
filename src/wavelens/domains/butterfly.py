"""Haar on even lengths: sums and differences of neighbours, axis by axis, without a matrix (Haar, 1910)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wavelens.domains.filterbank import Axis


def down(low: Tensor, operators: Sequence[Axis], targets: dict[str, Tensor]) -> Tensor:
    """One level: writes the details to `targets`, returns the approximation."""
    axes = len(operators)
    parts = {"": low}
    for k in range(axes):
        outs = targets if k == axes - 1 else {}
        halves = {}
        for key, part in parts.items():
            first, second, scale = _scaled(*_pair(part, k), k, axes)
            for letter, sign in (("a", scale), ("d", -scale)):
                halves[key + letter] = torch.add(first, second, alpha=sign, out=outs.get(key + letter))
        parts = halves
    return parts["a" * axes]


def up(low: Tensor, operators: Sequence[Axis], sources: dict[str, Tensor]) -> Tensor:
    """One level back: the approximation and the details of `sources` to the finer approximation."""
    axes = len(operators)
    parts = {"a" * axes: low, **sources}
    for k in reversed(range(axes)):
        wholes = {}
        for key in {key[:-1]: None for key in parts}:
            lo, hi, scale = _scaled(parts[key + "a"], parts[key + "d"], k, axes)
            shape = list(lo.shape)
            shape[1 + k] *= 2
            wholes[key] = lo.new_empty(shape)
            first, second = _pair(wholes[key], k)
            torch.add(lo, hi, alpha=scale, out=first)
            torch.add(lo, hi, alpha=-scale, out=second)
        parts = wholes
    return parts[""]


def _scaled(one: Tensor, other: Tensor, k: int, axes: int) -> tuple[Tensor, Tensor, float]:
    """Puts the whole scale of a level, `2^(-axes / 2)`, on its first axis: half a pass instead of a whole one."""
    scale = 0.5 ** (axes / 2) if k == 0 else 1.0
    return (one * scale if k == 0 else one), other, scale


def _pair(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The even and the odd samples along axis `k`, as views."""
    halves = x.unflatten(1 + k, (-1, 2))
    return halves.select(2 + k, 0), halves.select(2 + k, 1)
