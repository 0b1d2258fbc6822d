"""Random removals: cells of the mosaic that go to the baseline together, and what the model answers without them."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import torch
from torch import Tensor

from wavelens.core import Layout, with_sign
from wavelens.engine.gradients import Gradients, Model
from wavelens.maps import has_mosaic, mosaic_slices
from wavelens.methods.averages import check_effort, generator
from wavelens.metrics.perturbation import Features, answers, every_pair, single
from wavelens.precision import full_precision
from wavelens.targets import Target

CPU = torch.device("cpu")


def removals(
    model: Model,
    parts: Features,
    target: Target,
    subsets: int,
    grid: int,
    fraction: float,
    seed: int,
    batch_size: int | None,
) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """`γ ↦ Σ_{i∈u} γ_i` and `f(x) - f(x without u)`, `(batch, subsets)` each."""
    check_effort(grid=grid, subsets=subsets)
    if subsets < 2:
        raise ValueError(f"subsets must be two or more, to be compared; got {subsets}.")
    cell = cells(parts.layout, grid).to(parts.x.device)
    count = int(cell.max()) + 1
    size = math.floor(Fraction(str(fraction)) * count) if 0 < fraction < 1 else 0
    if size == 0:
        raise ValueError(
            f"fraction must lie between 0 and 1 and give each subset at least one cell; got {fraction} of {count} "
            "cells."
        )
    chosen = torch.zeros(subsets, count, dtype=torch.bool, device="cpu")
    for k in range(subsets):
        chosen[k, torch.randperm(count, generator=generator(seed, k, CPU), device="cpu")[:size]] = True
    chosen = chosen.to(parts.x.device)
    items, number = every_pair(len(parts.x), subsets, parts.x.device)
    with Gradients(model, parts.x, single(target), batch_size=batch_size) as ask:
        without = answers(ask, items, lambda rows: parts.dropped(items[rows], chosen[number[rows]][:, None, cell]))
        done = ask.values(parts.x)[0][:, None] - without.view(-1, subsets)

    def summed(data: Tensor) -> Tensor:
        values = with_sign(data).sum(1).to(done.dtype)
        by_cell = values.new_zeros(len(values), count).index_add_(1, cell, values)
        with full_precision(by_cell):
            return by_cell @ chosen.T.to(done.dtype)

    return summed, done


def cells(layout: Layout, grid: int) -> Tensor:
    """The cell of each coefficient, `(size,)`, from 0: `grid` cells along each axis of the mosaic, or all its places.

    Cells that lie in gaps of the mosaic, which padded modes leave, are not counted. In a domain without a mosaic, bands
    are cut into runs of equal length, as many in all as the mosaic would have cells.
    """
    if not has_mosaic(layout):
        return _runs(layout, grid ** len(layout.signal_shape))
    places = mosaic_slices(layout)
    lengths = [max(piece.stop for piece in along) for along in zip(*places.values(), strict=True)]
    indices = []
    for band in layout.bands:
        index = torch.zeros(band.shape, dtype=torch.long, device="cpu")
        for k, (piece, length) in enumerate(zip(places[band], lengths, strict=True)):
            parts = min(grid, length)
            along = torch.arange(piece.start, piece.stop, device="cpu") * parts // length
            index = index * parts + along.reshape(-1, *[1] * (len(lengths) - 1 - k))
        indices.append(index.flatten())
    numbered: Tensor = torch.cat(indices).unique(return_inverse=True)[1]
    return numbered


def _runs(layout: Layout, count: int) -> Tensor:
    """The run of each coefficient, `(size,)`: every band in runs of its own, about `count` in all."""
    runs, first = [], 0
    for band in layout.bands:
        own = max(1, round(min(count / layout.size, 1) * band.size))
        runs.append(first + torch.arange(band.size, device="cpu") * own // band.size)
        first += own
    return torch.cat(runs)
