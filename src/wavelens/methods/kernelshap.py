"""KernelSHAP: Shapley values of many groups by a weighted least-squares fit to the scores of coalitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from wavelens.engine.gradients import Gradients
from wavelens.field_types import check_fields
from wavelens.methods.averages import check_effort
from wavelens.methods.coalitions import all_coalitions, kernel_coalitions, kernel_weights
from wavelens.methods.game import Game, games, group_energy
from wavelens.methods.lift import Lift, Outcome
from wavelens.methods.partitions import check_groups
from wavelens.methods.paths import starting_points


@dataclass(frozen=True)
class KernelSHAP:
    """The Shapley value of each group of coefficients, fitted, and spread within it in proportion to `|d|²`.

    The values form the additive score that is nearest to the scores of coalitions under Shapley's kernel, and equal to
    them for no group and for all groups (Lundberg and Lee, 2017), so they sum to `f(x) − f(x₀)`. Coalitions come with
    their complements (Covert and Lee, 2021), `samples` in all; where there are no more than that, each is taken once
    with its weight, and the values are exact. Groups whose coefficients are zero have 0 and no part in the fit. No
    gradient is taken. `groups` and `blocks` are those of `ScaleShapley`, which has standard errors; a fit needs fewer
    passes for many groups.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.KernelSHAP(blocks=4))
    >>> bool(a.gap.abs() < 1e-4)
    True
    """

    samples: int = 2000
    groups: str = "cells"
    blocks: int = 8
    seed: int = 0
    baseline: float = 0.0
    needs_gradients: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_effort(samples=self.samples, blocks=self.blocks)
        check_groups(self.groups)
        check_fields(self)

    def __call__(self, ask: Gradients, lifts: list[Lift], baseline: Tensor | float | None) -> Outcome:
        start = starting_points(ask.x, self.baseline if baseline is None else baseline)
        data = []
        for game in games(ask, lifts, start, self.groups, self.blocks):
            data.append(game.spread(self._values(game)))
        return Outcome(data, game.score, start)

    def _values(self, game: Game) -> Tensor:
        """`(targets, items, groups)`."""
        rise = (game.score - game.empty)[..., None]
        if game.count == 1:
            return rise
        if game.count <= (self.samples + 2).bit_length() - 1:
            coalitions = all_coalitions(game.count)[1:-1]
            weights = kernel_weights(coalitions)
        else:
            coalitions = kernel_coalitions(self.samples, game.count, self.seed)
            weights = torch.ones(len(coalitions), dtype=torch.float64, device="cpu")
        values = game.values(coalitions, game.everyone) - game.empty[..., None]
        there = group_energy(game.displacement(game.everyone), game.groups.labels, game.count).cpu() > 0
        known, ends = values.cpu().double(), rise.cpu().double()
        fitted = known.new_zeros(*known.shape[:2], game.count)
        for groups in there.unique(dim=0):  # items with the same groups have one fit
            items, own = (there == groups).all(1).nonzero()[:, 0], groups.nonzero()[:, 0]
            if len(own):
                one = fit(coalitions[:, own], weights, known[:, items], ends[:, items])
                fitted[:, items[:, None], own] = one
        return fitted.to(values)


def fit(coalitions: Tensor, weights: Tensor, values: Tensor, rise: Tensor) -> Tensor:
    """The `φ` of least `Σ w (v − z φ)²` among those with `Σ φ = rise`, by Lagrange's multiplier: `(…, groups)`.

    For coalitions `z`, `(number, groups)`, their weights `(number,)`, values `(…, number)` and rise `(…, 1)`.
    """
    z = coalitions.double()
    weighted = z * weights[:, None]
    products = z.T @ weighted
    if int(torch.linalg.matrix_rank(products)) < len(products):
        raise ValueError(
            f"a fit of {len(products)} groups needs coalitions that tell them apart; got samples={len(z)}. Take more "
            "samples or fewer groups."
        )
    free = torch.linalg.solve(products, (values @ weighted)[..., None])[..., 0]
    same = torch.linalg.solve(products, z.new_ones(len(products)))
    fitted: Tensor = free - same * (free.sum(-1, keepdim=True) - rise) / same.sum()
    return fitted
