"""Haar on even lengths: sums and differences of neighbours, axis by axis, without a matrix (Haar, 1910)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from wavelens.domains.filterbank import Axis

SLAB = 2**18  # samples that a CPU takes through all axes at a time, so that what lies between them stays in its cache


def down(low: Tensor, operators: Sequence[Axis], targets: dict[str, Tensor]) -> Tensor:
    """One level: writes the details to `targets`, returns the approximation."""
    approximation = low.new_empty((len(low), *(a.m for a in operators)))
    bands = {"a" * len(operators): approximation, **targets}
    for whole, halves in _slabs(low, bands, operators[0].kinds):
        _down(whole, operators, halves)
    return approximation


def up(low: Tensor, operators: Sequence[Axis], sources: dict[str, Tensor]) -> Tensor:
    """One level back: the approximation and the details of `sources` to the finer approximation."""
    finer = low.new_empty((len(low), *(a.n for a in operators)))
    for whole, halves in _slabs(finer, {"a" * len(operators): low, **sources}, operators[0].kinds):
        _up(halves, operators, whole)
    return finer


def _slabs(whole: Tensor, bands: dict[str, Tensor], kinds: int) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Pieces of the batch and of the first axis: of the finer signal, and the same of its bands."""
    length, row = whole.shape[1] // kinds, math.prod(whole.shape[2:]) * kinds
    rows = max(1, SLAB // row) if whole.device.type == "cpu" else max(1, len(whole)) * length
    items = max(1, rows // length)
    for i in range(0, len(whole), items):
        for k in range(0, length, rows):
            finer = whole[i : i + items, kinds * k : kinds * (k + rows)]
            yield finer, {key: band[i : i + items, k : k + rows] for key, band in bands.items()}


def _down(low: Tensor, operators: Sequence[Axis], targets: dict[str, Tensor]) -> None:
    split, scale = _split_axes(operators)
    parts = {"a" * len(operators): low}
    for k in split:
        outs = targets if k == split[-1] else {}
        halves = {}
        for key, part in parts.items():
            first, second = _pair(part, k)
            first = first * scale if k == split[0] else first
            for letter, sign in (("a", 1), ("d", -1)):
                alpha = sign * (scale if k == split[0] else 1)
                half = key[:k] + letter + key[k + 1 :]
                halves[half] = torch.add(first, second, alpha=alpha, out=outs.get(half))
        parts = halves


def _up(parts: dict[str, Tensor], operators: Sequence[Axis], finer: Tensor) -> None:
    split, scale = _split_axes(operators)
    for k in reversed(split):
        wholes = {}
        for key in [key for key in parts if key[k] == "a"]:
            lo, hi = parts[key], parts[key[:k] + "d" + key[k + 1 :]]
            lo, alpha = (lo * scale, scale) if k == split[0] else (lo, 1)
            shape = list(lo.shape)
            shape[1 + k] *= 2
            wholes[key] = finer if k == split[0] else lo.new_empty(shape)
            first, second = _pair(wholes[key], k)
            torch.add(lo, hi, alpha=alpha, out=first)
            torch.add(lo, hi, alpha=-alpha, out=second)
        parts = wholes


def _split_axes(operators: Sequence[Axis]) -> tuple[list[int], float]:
    """The axes that are split, and the scale of all of them: it sits on the first alone, which is half a pass."""
    split = [k for k, a in enumerate(operators) if a.kinds == 2]
    return split, 0.5 ** (len(split) / 2)


def _pair(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The even and the odd samples along axis `k`, as views."""
    halves = x.unflatten(1 + k, (-1, 2))
    return halves.select(2 + k, 0), halves.select(2 + k, 1)
