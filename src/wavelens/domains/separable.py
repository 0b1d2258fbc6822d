"""One level of a separable filter bank over any number of axes: from a signal to its bands, and the transpose."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from torch import Tensor

from wavelens.domains.filterbank import Axis, down, up


def split(low: Tensor, operators: Sequence[Axis]) -> Tensor:
    """All bands of `(batch, n, n, …)`, `(batch, count, kinds, block, count, kinds, block, …)`: see `band_of`."""
    batch, inner = len(low), 1
    for k, a in reversed(list(enumerate(operators))):  # last axis first: its blocks are flat for the next one
        if a.kinds == 2:
            outer = batch * math.prod(b.n for b in operators[:k])
            low = down(low.reshape(outer, a.n, inner), a)
        inner *= a.kinds * a.count * a.block
    return low.reshape(batch, *(length for a in operators for length in (a.count, a.kinds, a.block)))


def band_of(cube: Tensor, key: str, operators: Sequence[Axis]) -> Tensor:
    """One band of what `split` gives, `(batch, m, m, …)`."""
    for k, letter in enumerate(key):
        cube = cube.select(2 + 2 * k, "ad".index(letter))
    padded = cube.reshape(len(cube), *(a.count * a.block for a in operators))
    return padded[(slice(None), *(slice(a.m) for a in operators))]


def merge(low: Tensor, operators: Sequence[Axis], sources: Mapping[str, Tensor]) -> Tensor:
    """The transpose of a level: the approximation and the details of `sources` to the finer approximation."""
    cube = low.new_empty((len(low), *(length for a in operators for length in (a.kinds, a.m))))
    for key, part in {"a" * len(operators): low, **sources}.items():
        corner = cube
        for k, letter in enumerate(key):
            corner = corner.select(1 + k, "ad".index(letter))
        corner.copy_(part)
    outer = len(low)
    for a in operators:
        if a.kinds == 2:
            cube = up(cube.reshape(outer, 2, a.m, -1), a)
        outer *= a.n
    return cube.reshape(len(low), *(a.n for a in operators))
