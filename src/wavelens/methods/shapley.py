"""Shapley values of groups of coefficients: what a score gains when scales come and go, from values alone.

The value of a coalition of groups is `v(S) = f(x₀ + Σ_{i ∈ S} S(1_i ⊙ W(x − x₀)))`; see `game`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from wavelens.engine.gradients import Gradients
from wavelens.field_types import check_fields
from wavelens.methods.averages import check_effort, check_tolerance, generator
from wavelens.methods.coalitions import all_coalitions
from wavelens.methods.game import Game, spread
from wavelens.methods.lift import Lift, Outcome
from wavelens.methods.partitions import Partition, check_groups, partition
from wavelens.methods.paths import starting_points
from wavelens.precision import full_precision

MAX_EXACT_GROUPS = 14  # 16,384 coalitions
FIRST_PAIRS = 4  # of permutations and their reverses, before standard errors are looked at


class ShapleyValues(NamedTuple):
    """What each group of coefficients adds to the score, `(batch, groups)`; targets in front with `targets.Several`.

    `values` are Shapley's (1953): they sum to f(x) − f(x₀). `alone` is what a group adds to the baseline by itself,
    `last` what the input loses without it. `interaction`, `(batch, groups, groups)`, is the index of each pair
    (Grabisch and Roubens, 1999), 0 on the diagonal: above 0 where two groups are synergistic, below 0 where one can
    replace the other; None where values are sampled. `standard_error` is that of sampled values, None of exact ones;
    `passes`, `(batch,)`, counts forward passes.
    """

    names: tuple[str, ...]
    values: Tensor
    alone: Tensor
    last: Tensor
    interaction: Tensor | None
    standard_error: Tensor | None
    score: Tensor
    baseline_score: Tensor
    passes: Tensor


@dataclass(frozen=True)
class ScaleShapley:
    """The Shapley value of each group of coefficients, spread within the group in proportion to `|d|²`.

    So `maps.profile` of the attribution, with groups of scales, has the values as signed sums; where in a scale the
    energy lies is no evidence of where the model looks. `groups` are "scales", "octaves" (scales joined, where a domain
    cuts octaves finer), "bands" (scales by orientation), "blocks" (scales by place, `blocks` along each axis), "cells"
    (bands by place, in a grid over the mosaic with `blocks` along each axis), "channels" or "signals". Up to
    `exact_groups` are exact, by 2ⁿ forward passes; more are sampled by permutations and their reverses (Castro et al.,
    2009; Mitchell et al., 2022) until every standard error is at most `tolerance` of `|f(x) − f(x₀)|`, or there are
    `max_permutations`. No gradient is taken. `wl.shapley` gives the values with interactions and standard errors.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.ScaleShapley())
    >>> bool(a.gap.abs() < 1e-4)
    True
    """

    groups: str = "scales"
    blocks: int = 2
    tolerance: float = 0.02
    max_permutations: int = 512
    seed: int = 0
    baseline: float = 0.0
    exact_groups: int = 10
    needs_gradients: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_effort(blocks=self.blocks, exact_groups=self.exact_groups)
        if self.exact_groups > MAX_EXACT_GROUPS:
            raise ValueError(
                f"exact_groups must be at most {MAX_EXACT_GROUPS}, {2**MAX_EXACT_GROUPS:,} forward passes; got "
                f"{self.exact_groups}. Further groups are sampled."
            )
        check_tolerance(self.tolerance, 2 * FIRST_PAIRS, max_permutations=self.max_permutations)
        check_groups(self.groups)
        check_fields(self)

    def __call__(self, ask: Gradients, lifts: list[Lift], baseline: Tensor | float | None) -> Outcome:
        start = starting_points(ask.x, self.baseline if baseline is None else baseline)
        data = []
        for lift in lifts:
            groups = partition(lift.layout, ask.x.shape[1], self.groups, self.blocks)
            result = self.values(ask, lift, start, groups)
            data.append(spread(result.values, lift.analysis((ask.x - start).to(ask.dtype)), groups.labels))
        return Outcome(data, result.score, start)

    def values(self, ask: Gradients, lift: Lift, start: Tensor, groups: Partition) -> ShapleyValues:
        """The values of the groups of `lift`'s coefficients over `start`, with targets in front."""
        return values_of_groups(ask, lift, start, groups, self)


def values_of_groups(ask: Gradients, lift: Lift, start: Tensor, groups: Partition, rule: ScaleShapley) -> ShapleyValues:
    """The Shapley values of the groups of a partition of `lift`'s coefficients, with targets in front."""
    game = Game(ask, lift, start, groups)
    exact = len(groups.names) <= rule.exact_groups
    return _exact(game) if exact else _sampled(game, rule)


def _exact(game: Game) -> ShapleyValues:
    """By all coalitions, numbered so that bit `i` says whether group `i` is in."""
    n, players, members = game.count, torch.arange(game.count, device="cpu"), all_coalitions(game.count)
    inner = game.values(members[1:-1], game.everyone)
    values = torch.cat([game.empty[..., None], inner, game.score[..., None]], -1)
    over = values - values[..., :1]  # so that a score that never changes has values of exactly 0
    gain, interact = (weights.to(values) for weights in _weights(members))
    single = 2**players
    with full_precision(values):
        shared, pairs = over @ gain, torch.einsum("tbm,mij->tbij", over, interact)
    return ShapleyValues(
        game.groups.names,
        shared,
        over[..., single],
        values[..., -1:] - values[..., 2**n - 1 - single],
        pairs,
        None,
        game.score,
        game.empty,
        game.passes,
    )


def _weights(members: Tensor) -> tuple[Tensor, Tensor]:
    """What each coalition's value counts for each group `(coalitions, n)` and each pair `(coalitions, n, n)`."""
    n = members.shape[1]
    size, sign = members.sum(1), 2.0 * members.double() - 1
    one = [math.factorial(s) * math.factorial(n - s - 1) / math.factorial(n) for s in range(n)]
    without = size[:, None] - members
    gain = sign * torch.tensor(one, dtype=torch.float64, device="cpu")[without.clamp(0, n - 1)]
    if n < 2:
        return gain, gain[..., None] * 0
    two = [math.factorial(s) * math.factorial(n - s - 2) / math.factorial(n - 1) for s in range(n - 1)]
    rest = (without[:, :, None] - members[:, None, :]).clamp(0, n - 2)  # of no meaning on the diagonal, which is 0
    pairs = sign[:, :, None] * sign[:, None, :] * torch.tensor(two, dtype=torch.float64, device="cpu")[rest]
    return gain, pairs * (1 - torch.eye(n, dtype=torch.float64, device="cpu"))


def _sampled(game: Game, rule: ScaleShapley) -> ShapleyValues:
    """By permutations and their reverses, item by item until standard errors are small."""
    n, targets, batch = game.count, game.ask.targets, len(game.score[0])
    everyone, eye = torch.arange(batch, device="cpu"), torch.eye(n, dtype=torch.long, device="cpu")
    ends = game.values(torch.cat([eye, 1 - eye]), everyone)
    mean = game.score.new_zeros(targets, batch, n)
    squares, pairs = torch.zeros_like(mean), torch.zeros(batch, dtype=torch.long, device="cpu")
    going, rise = everyone, (game.score - game.empty).abs()
    for k in range(rule.max_permutations // 2):
        source = generator(rule.seed, k, torch.device("cpu"))
        gains = _pair(game, torch.randperm(n, generator=source, device="cpu"), going)
        pairs[going] += 1
        off = gains - mean[:, going]
        mean[:, going] += off / (k + 1)
        squares[:, going] += off * (gains - mean[:, going])  # about the mean so far (Welford, 1962)
        if k + 1 >= FIRST_PAIRS:
            error = _standard_error(squares, pairs)
            allowed = rule.tolerance * rise[..., None]
            going = everyone[~(error <= allowed.to(error)).flatten(2).all(2).all(0).cpu()]
        if not len(going):
            break
    return ShapleyValues(
        game.groups.names,
        mean,
        ends[..., :n] - game.empty[..., None],
        game.score[..., None] - ends[..., n:],
        None,
        _standard_error(squares, pairs),
        game.score,
        game.empty,
        game.passes,
    )


def _pair(game: Game, order: Tensor, items: Tensor) -> Tensor:
    """The mean gain of each group as groups enter in an order and in its reverse, `(targets, items, groups)`."""
    turns = torch.stack([order, order.flip(0)]).argsort(1)  # when each group enters
    prefixes = turns[:, None] < torch.arange(1, game.count, device="cpu")[:, None]
    inner = game.values(prefixes.flatten(0, 1), items).unflatten(-1, (2, -1))
    empty, score = (ends[:, items, None, None].expand(-1, -1, 2, 1) for ends in (game.empty, game.score))
    gains = torch.cat([empty, inner, score], -1).diff(dim=-1)
    return gains.gather(-1, turns.to(gains.device).expand_as(gains)).mean(2)


def _standard_error(squares: Tensor, pairs: Tensor) -> Tensor:
    """Of means over `pairs` samples, from their sums of squares about the mean."""
    count = pairs.to(squares)[:, None]
    error: Tensor = (squares / (count * (count - 1).clamp_min(1))).sqrt()
    return error
