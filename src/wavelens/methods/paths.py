"""Methods that integrate the gradient along a path from a baseline to the input.

They add up to the score: `Σ γ = f(x) - f(x₀)` for every domain, because the synthesis is linear. So the completeness
gap is known before any transform, `f(x) - f(x₀) - <x - x₀, G>`, and an adaptive rule can be steered by it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from wavelens.core import Coefficients, real_product
from wavelens.engine.gradients import Gradients, Items, Point
from wavelens.field_types import check_fields
from wavelens.methods import adaptive
from wavelens.methods.averages import check_effort, check_tolerance, generator
from wavelens.methods.lift import Lift, Outcome, domain_by_domain
from wavelens.methods.sampling import PerSample, Spread, sample
from wavelens.methods.shuffles import shuffled
from wavelens.seeds import stream

SHUFFLED = "shuffled"
QUADRATURES = ("gauss-legendre", "trapezoid", "riemann")
MAX_GAUSS_STEPS = 10_000  # a matrix of 800 MB
MAX_BASELINE = torch.finfo(torch.float64).max


@dataclass(frozen=True)
class IntegratedGradients:
    """`(z - z₀) ⊙ P ∫ g(x₀ + α (x - x₀)) dα` (Sundararajan et al., 2017; WAM's equation 8).

    `baseline` is a number, or a function of the signals such as `wl.Sphere()` for clouds; a tensor, or one for each
    item, goes to `attribute(…, baseline=…)`. `quadrature` is "gauss-legendre", "trapezoid" (both ends counted half) or
    "riemann" (right sums, as first published), with `steps` nodes. With `tolerance`, `steps` and `quadrature` are not
    used: nodes are placed item by item where the path needs them (see `adaptive`), until the completeness gap is at
    most `tolerance` of `|f(x) - f(x₀)|`, or there are `max_steps`; `gap` and `spent` of the result say which. Gradients
    of nodes are kept up to 512 MB: those of further nodes are asked for twice (a sound of minutes), and `spent` counts
    both. In float32 the errors that say where the next node is needed are rounded, so an item alone and in a batch may
    have other nodes; both results are then within `tolerance`.

    With `baseline="shuffled"` the path begins at the input with its coefficients permuted within their bands, all
    channels alike: each band keeps its values but not their places. The mean over `shuffles` such paths, each with
    nodes of its own, adds up to `f(x)` less the mean of the scores where they begin, which is the `baseline_score`;
    `standard_error` is over the shuffles. Each of several domains has shuffles and passes of its own.

    >>> a = wl.attribute(model, x, 1, domain=wl.Identity(), method=wl.IntegratedGradients(steps=16))
    >>> round(a.data.sum().item(), 3), round((a.score - a.baseline_score).item(), 3)
    (0.954, 0.954)
    """

    steps: int = 25
    quadrature: str = "gauss-legendre"
    baseline: float | str | Callable[[Tensor], Tensor] = 0.0
    tolerance: float | None = None
    max_steps: int = 256
    shuffles: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        check_effort(steps=self.steps, shuffles=self.shuffles)
        check_tolerance(self.tolerance, adaptive.FIRST_INTERVALS + 1, max_steps=self.max_steps)
        check_quadrature(self.quadrature, self.steps)
        if isinstance(self.baseline, str) and self.baseline != SHUFFLED:
            raise ValueError(f"baseline must be a number or {SHUFFLED!r}; got {self.baseline!r}.")
        check_fields(self)

    def __call__(self, ask: Gradients, lifts: list[Lift], baseline: Tensor | float | None) -> Outcome:
        if baseline is None and self.baseline == SHUFFLED:
            return domain_by_domain(lifts, lambda lift: self._from_shuffles(ask, lift))
        start = starting_points(ask.x, self.baseline if baseline is None else baseline)
        score = ask.values(ask.x)  # first: these passes show what those for gradients can leave out
        g = self._mean_gradient(ask, start)
        step = (ask.x - start).to(ask.dtype)
        return Outcome([lift.account(step, g) for lift in lifts], score, start)

    def _mean_gradient(self, ask: Gradients, start: Tensor) -> Tensor:
        if self.tolerance is not None:
            return adaptive.integrate(ask, start, self.tolerance, self.max_steps)
        places, weights = nodes(self.quadrature, self.steps)
        return ask.sum(straight(ask.x, start, places), weights)

    def _from_shuffles(self, ask: Gradients, lift: Lift) -> Outcome:
        score, spread = ask.values(ask.x), Spread()
        z = Coefficients(lift.analysis(ask.x.to(ask.dtype)), lift.layout)
        batch = len(ask.x)
        total, start_score = torch.zeros_like(z.data.real), torch.zeros_like(score)
        seed = stream(self.seed, SHUFFLED)  # not that of curves from shuffled starts, which judge these paths
        for k in range(self.shuffles):
            start = Coefficients(shuffled(z, seed=seed, k=k), z.layout).synthesis().to(ask.x.dtype)
            total = total + lift.account((ask.x - start).to(ask.dtype), self._mean_gradient(ask, start))
            start_score += ask.values(start)
            spread.add(lift.shares(total), torch.arange(batch, device=total.device), batch, range(k, k + 1))
        means = total / self.shuffles, start_score / self.shuffles
        return Outcome([means[0]], score, start_score=means[1], standard_error=[spread.standard_error()])


@dataclass(frozen=True)
class ExpectedGradients:
    """Integrated gradients averaged over random baselines and random places on the path (Erion et al., 2021).

    Also known as GradientSHAP without noise (Lundberg and Lee, 2017). The baselines, `(number, channel, *axes)`, go
    to `attribute(…, baseline=…)`; sample `i` takes one of them and a place on its path, the same for every item.

    >>> a = wl.attribute(model, x, 1, domain=wl.Identity(), method=wl.ExpectedGradients(samples=8))
    >>> a.data.shape, round(a.data.abs().max().item(), 3)
    (torch.Size([1, 1, 64]), 0.033)
    """

    samples: int = 25
    seed: int = 0
    baseline: float = 0.0
    takes_references: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_effort(samples=self.samples)
        check_fields(self)

    def __call__(self, ask: Gradients, lifts: list[Lift], baseline: Tensor | float | None) -> Outcome:
        x = ask.x
        starts = references(x, self.baseline if baseline is None else baseline)
        draws = [self._draw(k, len(starts)) for k in range(self.samples)]
        here = [lift.analysis(x.to(ask.dtype)) for lift in lifts]

        def point(items: Items, k: int) -> Tensor:
            which, place = draws[k]
            return torch.lerp(starts[which].expand_as(x[items]), x[items], place)

        def read(n: int, pulled: Tensor, where: slice, k: int) -> Tensor:
            lift, start = lifts[n].of(where), starts[draws[k][0]].to(ask.dtype)
            shared = lift.layout is lifts[n].layout  # the domain does not depend on the item: one start serves all
            there = lift.analysis(start.expand(1 if shared else pulled.shape[1], *start.shape))
            return real_product(here[n][where] - there, pulled)

        return sample(PerSample(ask, lifts, read), point, self.samples)

    def _draw(self, k: int, count: int) -> tuple[int, float]:
        source = generator(self.seed, k, torch.device("cpu"))
        which = torch.randint(count, (), generator=source, device="cpu")
        return int(which), float(torch.rand((), generator=source, device="cpu"))


def check_quadrature(quadrature: str, steps: int) -> None:
    """`ValueError` for an unknown quadrature, and for steps that it cannot have."""
    if quadrature not in QUADRATURES or (quadrature == "trapezoid" and steps < 2):
        raise ValueError(
            f"quadrature must be one of {', '.join(QUADRATURES)}, the trapezoid with 2 steps or more; got "
            f"{quadrature!r} with steps={steps}."
        )
    if quadrature == "gauss-legendre" and steps > MAX_GAUSS_STEPS:
        raise ValueError(
            f"gauss-legendre must have at most {MAX_GAUSS_STEPS:,} steps, whose nodes come from a matrix of steps × "
            f"steps; got steps={steps}. Take fewer, or quadrature='riemann'."
        )


def nodes(quadrature: str, steps: int) -> tuple[list[float], list[float]]:
    """Places on [0, 1] and weights that add up to 1; `ValueError` as `check_quadrature`."""
    check_quadrature(quadrature, steps)
    if quadrature == "gauss-legendre":
        places, weights = np.polynomial.legendre.leggauss(steps)
        return ((places + 1) / 2).tolist(), (weights / 2).tolist()
    if quadrature == "riemann":
        return [(k + 1) / steps for k in range(steps)], [1 / steps] * steps
    ends = [0.5, *[1.0] * (steps - 2), 0.5]
    return [k / (steps - 1) for k in range(steps)], [w / (steps - 1) for w in ends]


def straight(x: Tensor, start: Tensor, places: Sequence[float]) -> Point:
    """Point `k` lies at `places[k]` of the way from `start` to `x`."""
    return lambda items, k: torch.lerp(start[items], x[items], places[k])


def starting_points(x: Tensor, baseline: float | str | Tensor | Callable[[Tensor], Tensor]) -> Tensor:
    """The baseline of each item, shaped like `x`; a function, such as `wl.Sphere()`, makes it of `x`."""
    if not isinstance(baseline, Tensor | float | int | str) and callable(baseline):
        baseline = baseline(x)
    if not isinstance(baseline, Tensor):
        return x.new_full((), _finite(baseline)).expand_as(x)
    try:
        start = baseline.detach().to(x).expand_as(x)
    except RuntimeError:
        start = None
    if start is None or baseline.ndim not in (0, x.ndim - 1, x.ndim) or not baseline.isfinite().all():
        raise ValueError(
            f"baseline must be a finite number, a signal {tuple(x.shape[1:])} or one for each item {tuple(x.shape)}; "
            f"got a tensor of shape {tuple(baseline.shape)}."
        ) from None
    return start


def _finite(baseline: object) -> float:
    if not isinstance(baseline, int | float) or not abs(baseline) <= MAX_BASELINE:
        got = repr(baseline) if isinstance(baseline, int | float | str) else type(baseline).__name__
        raise ValueError(f"baseline must be a finite number or a tensor; got {got}.")
    return baseline


def references(x: Tensor, baseline: float | Tensor) -> Tensor:
    """A set of baselines, `(number, channel, *axes)`."""
    if not isinstance(baseline, Tensor):
        return x.new_full((1, *x.shape[1:]), _finite(baseline))
    if baseline.shape[1:] != x.shape[1:] or len(baseline) == 0 or not baseline.isfinite().all():
        raise ValueError(
            f"baseline must be a finite set of signals (number, *{tuple(x.shape[1:])}); got {tuple(baseline.shape)}."
        )
    return baseline.detach().to(x)
