"""HSIC: how far the score depends on the presence of a group of coefficients, in any way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from wavelens.engine.gradients import Gradients
from wavelens.field_types import check_fields
from wavelens.methods.averages import check_effort
from wavelens.methods.coalitions import all_coalitions, fair_coalitions
from wavelens.methods.game import games
from wavelens.methods.lift import Lift, Outcome
from wavelens.methods.partitions import check_groups
from wavelens.methods.paths import starting_points
from wavelens.precision import full_precision

KERNEL_NUMBERS = 2**24  # of the kernel that are in memory at a time


@dataclass(frozen=True)
class HSIC:
    """The dependence of the score on the presence of each group, spread within it in proportion to `|d|²`.

    The Hilbert-Schmidt independence criterion (Gretton et al., 2005) between a group's presence, in or out with equal
    chances, and the score (Novello et al., 2022): the kernel of the presence is equality, that of the scores a Gaussian
    as wide as their standard deviation. It sees any dependence, needs few samples, and has no sign. Where there are no
    more than `samples` coalitions, each is taken once, and a group that the score ignores has 0; else `samples` random
    ones are. No gradient is taken. `groups` and `blocks` are those of `ScaleShapley`.

    >>> method = wl.HSIC(groups="scales")
    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=method)
    >>> [round(share, 2) for share in wl.maps.profile(a).share[0].tolist()]
    [0.0, 0.14, 0.86]
    """

    samples: int = 1000
    groups: str = "cells"
    blocks: int = 8
    seed: int = 0
    baseline: float = 0.0
    needs_gradients: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_effort(samples=self.samples, blocks=self.blocks)
        check_groups(self.groups)
        if self.samples < 2:
            raise ValueError(f"HSIC needs 2 samples or more; got samples={self.samples}.")
        check_fields(self)

    def __call__(self, ask: Gradients, lifts: list[Lift], baseline: Tensor | float | None) -> Outcome:
        start = starting_points(ask.x, self.baseline if baseline is None else baseline)
        data = []
        for game in games(ask, lifts, start, self.groups, self.blocks):
            masks = self._masks(game.count)
            values = game.values(masks, game.everyone)
            indices = [criterion(masks.to(one), one) for one in values.flatten(0, 1)]
            data.append(game.spread(torch.stack(indices).unflatten(0, values.shape[:2])))
        return Outcome(data, game.score)

    def _masks(self, groups: int) -> Tensor:
        if groups <= self.samples.bit_length() - 1:
            return all_coalitions(groups)
        return fair_coalitions(self.samples, groups, self.seed)


def criterion(masks: Tensor, scores: Tensor) -> Tensor:
    """`tr(K H L H) / (n − 1)²` of each group, `(groups,)`, from masks `(n, groups)` and scores `(n,)`.

    `K` is 1 where two masks agree about the group, so that `H K H` is half the outer product of centred signs.
    """
    count = len(scores)
    signs = 2 * masks - 1
    signs = signs - signs.mean(0)
    width = scores.std().clamp_min(torch.finfo(scores.dtype).tiny ** 0.5)
    total = torch.zeros_like(signs[0])
    with full_precision(scores):
        for rows in torch.arange(count, device=scores.device).split(max(1, KERNEL_NUMBERS // count)):
            kernel = torch.exp(-((scores[rows, None] - scores) / width).square() / 2)
            total += (signs[rows] * (kernel @ signs)).sum(0)
    return total / (2 * (count - 1) ** 2)
