"""Paths on which the scales enter one after another."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from torch import Tensor

from wavelens.engine.gradients import Gradients
from wavelens.field_types import check_fields
from wavelens.methods import adaptive
from wavelens.methods.averages import check_effort, check_tolerance
from wavelens.methods.lift import Lift, Outcome, domain_by_domain
from wavelens.methods.paths import check_quadrature, nodes, starting_points
from wavelens.methods.routes import Entrance, Leg, mean_gradients, scale_after_scale

ORDERS = {"coarse-to-fine": (False,), "fine-to-coarse": (True,), "both": (False, True)}  # whether the finest is first


@dataclass(frozen=True)
class CoarseToFine:
    """Integrated gradients along a path on which the scales enter one after another, the coarsest first.

    `γ_j = Re(conj(z_j) ⊙ P_j ∫ g(x(t)) s_j'(t) dt)`, where `s_j` is how much of scale `j` of the displacement has
    entered: the counterpart in any domain of integrating over blur (Xu et al., 2020). It adds up to `f(x) - f(x₀)` as
    integrated gradients do; each scale is met after all coarser ones and before any finer one. `order` is
    "coarse-to-fine", "fine-to-coarse" or "both", the mean of these two. Several signals go through their scales side by
    side. The path depends on the domain, so each of several domains has passes of its own.

    `steps` gradients are shared among the scales, and among both orders, as evenly as can be, with one for each at
    least (two with the trapezoid). `quadrature`, `baseline`, `tolerance` and `max_steps` are those of
    `IntegratedGradients`; with `tolerance`, `max_steps` is the limit of each order, not counting a node at each end of
    a scale's entrance.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.CoarseToFine(steps=24))
    >>> [round(value, 2) for value in wl.maps.profile(a).signed[0].tolist()], bool(a.gap.abs() < 1e-3)
    ([0.0, 0.43, 0.52], True)
    """

    order: str = "coarse-to-fine"
    steps: int = 25
    quadrature: str = "gauss-legendre"
    baseline: float = 0.0
    tolerance: float | None = None
    max_steps: int = 256

    def __post_init__(self) -> None:
        check_fields(self)
        check_effort(steps=self.steps)
        check_tolerance(self.tolerance, adaptive.FIRST_INTERVALS + 1, max_steps=self.max_steps)
        check_quadrature(self.quadrature, self.steps)
        if self.order not in ORDERS:
            raise ValueError(f"order must be one of {', '.join(ORDERS)}; got {self.order!r}.")

    def __call__(self, ask: Gradients, lifts: list[Lift], baseline: Tensor | float | None) -> Outcome:
        start = starting_points(ask.x, self.baseline if baseline is None else baseline)
        score = ask.values(ask.x)  # first: these passes show what those for gradients can leave out
        return domain_by_domain(lifts, lambda lift: Outcome([self._account(ask, lift, start)], score, start))

    def _account(self, ask: Gradients, lift: Lift, start: Tensor) -> Tensor:
        orders = ORDERS[self.order]
        total: Tensor | None = None
        for number, finest_first in enumerate(orders):
            shares = scale_after_scale(lift.layout, finest_first).to(ask.x.device, ask.dtype)
            entrance = Entrance(ask, lift, start, shares)
            if self.tolerance is None:
                blocks = mean_gradients(ask, entrance.route, self._legs(len(shares), number, len(orders)))
            else:
                blocks = adaptive.integrals(ask, entrance.route, self.tolerance, self.max_steps)
            account = entrance.account(blocks) / len(orders)
            total = account if total is None else total.add_(account)
        assert total is not None
        return total

    def _legs(self, legs: int, number: int, orders: int) -> list[Leg]:
        """The nodes of each leg of one of the orders: of all legs of all orders, as evenly as can be."""
        least, every = 2 if self.quadrature == "trapezoid" else 1, legs * orders
        ends = [-(-self.steps * k // every) for k in range(every + 1)][number * legs : (number + 1) * legs + 1]
        return [nodes(self.quadrature, max(least, end - begin)) for begin, end in itertools.pairwise(ends)]
