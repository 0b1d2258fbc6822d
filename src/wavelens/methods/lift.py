"""What a method is given and what it gives back.

A method is a frozen value that is called as `method(ask, lifts, baseline) -> Outcome`. It asks `ask` (the engine of
`engine.gradients`) for input gradients, and pulls them back through each of `lifts`, once where it is linear in
the gradient. It knows no domain: a lift is all that it sees of one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from wavelens.core import Domain, Layout, real_product, scale_sums
from wavelens.engine.gradients import Gradients, Items
from wavelens.models.black_box import check_no_black_box


@dataclass(frozen=True)
class Lift:
    """A domain at the shape of one signal: reads signals and gradients in its coordinates."""

    domain: Domain
    layout: Layout

    def of(self, items: Items | None) -> Lift:
        """The lift for some items of the batch; all where None."""
        layout = self.layout if items is None else self.layout.at(items)
        return self if layout is self.layout else Lift(layout.domain, layout)

    def analysis(self, x: Tensor) -> Tensor:
        """`(batch, channel, *axes)` to `(batch, channel, size)`."""
        return self.domain.analysis(x).data

    def pull(self, g: Tensor) -> Tensor:
        """The pullback of gradients `(targets, batch, channel, *axes)`: `(targets, batch, channel, size)`.

        Complex in a complex domain: its modulus is the sensitivity to a coefficient, whatever the phase.
        """
        pulled = self.domain.adjoint(g.flatten(0, 1), self.layout).data
        return pulled.reshape(*g.shape[:3], -1)

    def account(self, step: Tensor, g: Tensor) -> Tensor:
        """What each coefficient adds along a displacement, real, shaped as `pull(g)`: it sums to `<step, g>`.

        `Re(conj(W d) ⊙ Sᵀ g)` for a displacement `d`, `(batch, channel, *axes)`, and the mean gradient on its way.
        """
        return real_product(self.analysis(step), self.pull(g))

    def shares(self, data: Tensor) -> Tensor:
        """Share of each scale in the sum of magnitudes, `(targets, batch, scales)`, coarsest first."""
        bands = [data[..., piece].abs().sum((2, 3)) for piece in self.layout.slices.values()]  # one in memory at a time
        sums = scale_sums(torch.stack(bands, -1), self.layout)
        return sums / sums.sum(-1, keepdim=True).clamp_min(torch.finfo(sums.dtype).tiny)


@dataclass(frozen=True)
class Outcome:
    """Coefficients for each lift, `(targets, batch, channel, size)`, and what was learnt on the way.

    `score` is `f(x)`, `(targets, batch)`, where the method met it; `start` is where a path began, shaped like `x`;
    where several paths began elsewhere, `start_score`, `(targets, batch)`, is the mean of their scores there. For each
    lift, `standard_error` belongs to each scale's share of the profile, `(targets, batch, scales)`, and `correction` is
    what each group of coefficients was given to make its sum exact, `(targets, batch, groups)`.
    """

    data: list[Tensor]
    score: Tensor | None = None
    start: Tensor | None = None
    start_score: Tensor | None = None
    standard_error: list[Tensor] | None = None
    correction: list[Tensor] | None = None


def domain_by_domain(lifts: list[Lift], explain: Callable[[Lift], Outcome]) -> Outcome:
    """The outcomes of each lift alone as one: for methods whose points differ from domain to domain."""
    outcomes = [explain(lift) for lift in lifts]
    errors, corrections = (
        [tensor for outcome in outcomes for tensor in getattr(outcome, name) or ()]
        for name in ("standard_error", "correction")
    )
    return replace(
        outcomes[0],
        data=[outcome.data[0] for outcome in outcomes],
        standard_error=errors or None,
        correction=corrections or None,
    )


class Method(Protocol):
    """Which gradients to ask for, and how to combine them.

    A method that asks for values alone says so by `needs_gradients = False`.
    """

    def __call__(self, ask: Gradients, lifts: list[Lift], baseline: Tensor | float | None) -> Outcome: ...


def check_method(model: Any, method: object) -> None:
    """`ValueError` for one of this package's methods of gradients, of a model that gives values alone.

    Of other methods only those that say so need gradients; the engine refuses the others' when they are asked for.
    """
    known = type(method).__module__.partition(".")[0] == __name__.partition(".")[0]
    if getattr(method, "needs_gradients", known):
        check_no_black_box(model)
