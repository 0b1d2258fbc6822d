"""RISE: which coefficients' presence goes with a high score, over random smooth masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from wavelens.engine.gradients import Gradients
from wavelens.field_types import check_fields
from wavelens.methods.averages import check_effort
from wavelens.methods.game import Masked
from wavelens.methods.lift import Lift, Outcome
from wavelens.methods.paths import starting_points
from wavelens.methods.smooth_masks import SHARING, SmoothMasks
from wavelens.precision import full_precision


@dataclass(frozen=True)
class RISE:
    """What a coefficient's presence adds to the score, in the mean over random smooth masks (Petsiuk et al., 2018).

    No gradient is taken. A mask is a random grid of zeros and ones, `grid` cells along an axis and 1 with probability
    `keep`, moved at random and interpolated linearly. With `masks="bands"` each band has its own, with "places" one
    mask of places serves all bands. With values `f_k` under masks `m_k`, the map is `Σ (f_k − f̄) m_k / (n p (1 − p))`:
    the mean score with a coefficient minus that without. With `centred=False` it is `Σ f_k m_k / (n p)`, as first
    published, which has the mean score in every coefficient. The map is the same in all channels and does not add up to
    a score.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.RISE(samples=200, grid=4))
    >>> a.data.shape, a.gap
    (torch.Size([1, 1, 64]), None)
    """

    samples: int = 2000
    grid: int = 7
    keep: float = 0.5
    masks: str = "bands"
    centred: bool = True
    seed: int = 0
    baseline: float = 0.0
    needs_gradients: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_effort(samples=self.samples, grid=self.grid)
        if not isinstance(self.keep, int | float) or not 0 < self.keep < 1:
            raise ValueError(f"keep, the probability of a cell, must lie between 0 and 1; got keep={self.keep!r}.")
        if self.masks not in SHARING:
            raise ValueError(f"masks must be one of {', '.join(SHARING)}; got masks={self.masks!r}.")
        check_fields(self)

    def __call__(self, ask: Gradients, lifts: list[Lift], baseline: Tensor | float | None) -> Outcome:
        start = starting_points(ask.x, self.baseline if baseline is None else baseline)
        score = ask.values(ask.x)
        return Outcome([self._map(Masked(ask, lift, start), score) for lift in lifts], score)

    def _map(self, masked: Masked, score: Tensor) -> Tensor:
        """`(targets, batch, channel, size)`: equal in all channels."""
        layout, like = masked.lift.layout, score
        masks = SmoothMasks(layout, self.grid, self.keep, self.masks, self.seed, like)
        middle = (masked.score + masked.empty)[..., None] / 2  # subtracted from all, so that less is cancelled later
        total, sums = score.new_zeros(*score.shape, layout.size), torch.zeros_like(score)
        presence = score.new_zeros(layout.size)
        for values, weights in masked.each(self.samples, masked.everyone, masks):
            if self.centred:
                values = values - middle
            with full_precision(values):
                total += values @ weights[:, 0]
            sums += values.sum(-1)
            presence += weights[:, 0].sum(0)
        one = total / (self.samples * self.keep)
        if self.centred:
            one = (one - sums[..., None] * presence / (self.samples**2 * self.keep)) / (1 - self.keep)
        return one[:, :, None].expand(-1, -1, masked.ask.x.shape[1], -1).contiguous()
