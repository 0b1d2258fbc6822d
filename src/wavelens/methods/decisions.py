"""Methods that weigh the gradients of a straight path by what the score does there."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wavelens.engine.gradients import Gradients
from wavelens.field_types import check_fields
from wavelens.methods.averages import check_effort
from wavelens.methods.lift import Lift, Outcome
from wavelens.methods.paths import check_quadrature, nodes, starting_points, straight


@dataclass(frozen=True)
class DecisionGradients:
    """`(z - z₀) ⊙ P ∫ g(x(α)) f'(α) dα`: integrated decision gradients, IDG (Walker et al., 2024).

    Each gradient on the straight path counts as much as the score rises there, `f'(α) = <x - x₀, g>`, so that places
    where the score is flat count little. The slope comes with each gradient, and the sum is pulled back once. Nodes are
    those of `quadrature`; the authors place further ones where the score rises. The attribution does not add up to a
    score.

    >>> a = wl.attribute(model, x, 1, domain=wl.Identity(), method=wl.DecisionGradients(steps=8))
    >>> a.data.shape, a.gap is None
    (torch.Size([1, 1, 64]), True)
    """

    steps: int = 25
    quadrature: str = "gauss-legendre"
    baseline: float = 0.0

    def __post_init__(self) -> None:
        check_effort(steps=self.steps)
        check_quadrature(self.quadrature, self.steps)
        check_fields(self)

    def __call__(self, ask: Gradients, lifts: list[Lift], baseline: Tensor | float | None) -> Outcome:
        start = starting_points(ask.x, self.baseline if baseline is None else baseline)
        score = ask.values(ask.x)  # first: these passes show what those for gradients can leave out
        step = (ask.x - start).to(ask.dtype)
        places, weights = nodes(self.quadrature, self.steps)
        total = ask.zeros(len(ask.x))
        for place, k, g, _ in ask.each(straight(ask.x, start, places), len(places)):
            slope = (g * step[place]).flatten(2).sum(2)
            total[:, place].addcmul_(g, slope.reshape(*slope.shape, *[1] * (g.ndim - 2)), value=weights[k])
        return Outcome([lift.account(step, total) for lift in lifts], score)


@dataclass(frozen=True)
class ImportantDirections:
    """The score's rise on each of `steps` equal parts of a straight path, distributed by squared gradients: IDGI.

    `γ = Σ_k |P g(x_k)|² / ‖P g(x_k)‖² (f(x_{k+1}) - f(x_k))` (Yang et al., 2023). It adds up to `f(x) - f(x₀)` whatever
    the number of steps, except for parts where the gradient is 0. Not linear in the gradient: each node is pulled back.
    A coefficient that the path does not change may have a share.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.ImportantDirections(steps=4))
    >>> bool(a.gap.abs() < 1e-5)
    True
    """

    steps: int = 25
    baseline: float = 0.0

    def __post_init__(self) -> None:
        check_effort(steps=self.steps)
        check_fields(self)

    def __call__(self, ask: Gradients, lifts: list[Lift], baseline: Tensor | float | None) -> Outcome:
        start = starting_points(ask.x, self.baseline if baseline is None else baseline)
        score = ask.values(ask.x)
        shape = (ask.targets, *ask.x.shape[:2])
        data = [ask.x.new_zeros((*shape, lift.layout.size), dtype=ask.dtype) for lift in lifts]
        places = [k / self.steps for k in range(self.steps)]
        shares: list[Tensor] = []
        before = score
        for place, k, g, values in ask.each(straight(ask.x, start, places), self.steps):
            if k:
                _add(data, shares, place, values - before)
            shares, before = [_shares(lift.of(place).pull(g)) for lift in lifts], values
            if k == self.steps - 1:
                _add(data, shares, place, score[:, place] - values)
        return Outcome(data, score, start)


def _shares(pulled: Tensor) -> Tensor:
    """The share of each coefficient in the squared norm, `(targets, items, channel, size)`; 0 where that is 0."""
    squares = pulled.abs().square()
    total = squares.sum((2, 3), keepdim=True)
    return squares / total.clamp_min(torch.finfo(total.dtype).tiny)


def _add(data: list[Tensor], shares: list[Tensor], place: slice, rise: Tensor) -> None:
    for whole, share in zip(data, shares, strict=True):
        whole[:, place].addcmul_(share, rise[..., None, None])
