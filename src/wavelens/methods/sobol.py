"""Sobol indices: which share of the score's variance under random masks goes with a group of coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from wavelens.engine.gradients import Gradients
from wavelens.field_types import check_fields
from wavelens.methods.averages import check_effort
from wavelens.methods.game import Game, games
from wavelens.methods.lift import Lift, Outcome
from wavelens.methods.partitions import check_groups
from wavelens.methods.paths import starting_points

MAX_GROUPS = SobolEngine.MAXDIM // 2  # the sequence has two coordinates per group
MASK_NUMBERS = 2**22  # of masks that are made at a time


@dataclass(frozen=True)
class Sobol:
    """The total-order Sobol index of each group of coefficients, spread within it in proportion to `|d|²`.

    The share of the score's variance that would be left if all other groups were known (Homma and Saltelli, 1996), by
    Jansen's (1999) estimator, over masks with a weight from 0 to 1 for each group from one scrambled Sobol sequence
    (Fel et al., 2021). Indices have no sign, and their sum exceeds 1 where groups interact. Each item takes
    `samples × (groups + 2)` forward passes, and no gradient. `groups` and `blocks` are those of `ScaleShapley`; cells
    of a DWT of a photo give the wavelet scale attribution of Kasmi et al. (2023).

    >>> method = wl.Sobol(samples=32, groups="scales")
    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=method)
    >>> [round(share, 1) for share in wl.maps.profile(a).share[0].tolist()]
    [0.0, 0.1, 0.9]
    """

    samples: int = 32
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
            data.append(game.spread(self._indices(game)))
        return Outcome(data, game.score)

    def _indices(self, game: Game) -> Tensor:
        """`(targets, items, groups)`; all 0 for a score that does not vary."""
        if game.count > MAX_GROUPS:
            raise ValueError(f"Sobol sequences have masks of at most {MAX_GROUPS:,} groups; got {game.count:,}.")
        a, b = quasirandom(self.samples, game.count, self.seed)
        both = game.values(torch.cat([a, b]), game.everyone)
        first = both[..., : self.samples]
        step = max(1, MASK_NUMBERS // (self.samples * game.count))
        squares = []
        for players in torch.arange(game.count, device="cpu").split(step):
            mixed = torch.stack([_exchanged(a, b, int(i)) for i in players])
            values = game.values(mixed.flatten(0, 1), game.everyone).unflatten(-1, (len(players), -1))
            squares.append((first[..., None, :] - values).square().mean(-1))
        variance = both.var(-1, unbiased=False)[..., None]
        return torch.cat(squares, -1) / (2 * variance).clamp_min(torch.finfo(both.dtype).tiny)


def quasirandom(samples: int, groups: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two sets of masks `(samples, groups)` in [0, 1), from the halves of one sequence's coordinates."""
    number = seed % 2**63  # the engine takes no others
    points = SobolEngine(2 * groups, scramble=True, seed=number).draw(samples, dtype=torch.float64)
    return points[:, :groups], points[:, groups:]


def _exchanged(a: Tensor, b: Tensor, group: int) -> Tensor:
    """The masks `a` with one group's weights from `b`."""
    mixed = a.clone()
    mixed[:, group] = b[:, group]
    return mixed
