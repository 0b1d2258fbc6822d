"""Haar on even lengths: sums and differences of neighbours, axis by axis, without a matrix (Haar, 1910)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wavelens.domains.filterbank import Axis


def down(low: Tensor, operators: Sequence[Axis], targets: dict[str, Tensor]) -> Tensor:
    """One level: writes the details to `targets`, returns the approximation."""
    axes, scale = len(operators), 0.5 ** (len(operators) / 2)  # the scale sits on the first axis alone: half a pass
    parts = {"": low}
    for k in range(axes):
        outs = targets if k == axes - 1 else {}
        halves = {}
        for key, part in parts.items():
            first, second = _pair(part, k)
            first = first * scale if k == 0 else first
            for letter, sign in (("a", 1), ("d", -1)):
                alpha = sign * (scale if k == 0 else 1)
                halves[key + letter] = torch.add(first, second, alpha=alpha, out=outs.get(key + letter))
        parts = halves
    return parts["a" * axes]


def up(low: Tensor, operators: Sequence[Axis], sources: dict[str, Tensor]) -> Tensor:
    """One level back: the approximation and the details of `sources` to the finer approximation."""
    axes, scale = len(operators), 0.5 ** (len(operators) / 2)  # the scale sits on the first axis alone: half a pass
    parts = {"a" * axes: low, **sources}
    for k in reversed(range(axes)):
        wholes = {}
        for key in {key[:-1]: None for key in parts}:
            lo, hi = parts[key + "a"], parts[key + "d"]
            lo, alpha = (lo * scale, scale) if k == 0 else (lo, 1)
            shape = list(lo.shape)
            shape[1 + k] *= 2
            wholes[key] = lo.new_empty(shape)
            first, second = _pair(wholes[key], k)
            torch.add(lo, hi, alpha=alpha, out=first)
            torch.add(lo, hi, alpha=-alpha, out=second)
        parts = wholes
    return parts[""]


def _pair(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The even and the odd samples along axis `k`, as views."""
    halves = x.unflatten(1 + k, (-1, 2))
    return halves.select(2 + k, 0), halves.select(2 + k, 1)
