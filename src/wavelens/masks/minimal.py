"""Minimal inputs: the fewest coefficients that keep a score, by gradient descent on a mask (WAM's appendix D.1)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from wavelens.attribution import Attributions
from wavelens.core import Coefficients, Domain, Layout, real_product, signal_axes
from wavelens.engine.given import with_given
from wavelens.engine.gradients import Gradients, Model
from wavelens.masks.fills import Baseline, Fill, Noise, fill, mixed
from wavelens.masks.mask import Mask
from wavelens.masks.nadam import descend
from wavelens.methods.averages import check_effort
from wavelens.signals import packed, packed_baseline
from wavelens.targets import Several, Target

PATIENCE = 50  # steps between two looks at whether a row still improves


@dataclass(frozen=True, eq=False)
class Minimal:
    """The masks that were found, and what they leave; with a list of `alpha` one entry each in front of every field.

    `mask` has shape `(batch, channel, size)`, `rebuilt`, the input behind it, `(batch, channel, *axes)`; `after`, the
    score of `rebuilt`, `objective`, what was minimised, and `spent`, the gradients it took, `(batch,)`. `before` is
    the score of the untouched input, `(batch,)` for any `alpha`.
    """

    mask: Mask
    alpha: float | tuple[float, ...]
    before: Tensor
    after: Tensor
    objective: Tensor
    rebuilt: Tensor
    spent: Tensor

    @property
    def sparsity(self) -> Tensor:
        """The share of coefficients that are exactly zero in the mask."""
        return (self.mask.data == 0).flatten(-2).to(self.before.dtype).mean(-1)

    @property
    def kept(self) -> Tensor:
        """The mean of the mask, which `alpha` weighs."""
        return self.mask.data.flatten(-2).mean(-1)

    def front(self) -> Minimal:
        """The Pareto front: for each `alpha` the best of the item's masks, wherever it was found.

        No objective gets worse, and the front is monotone: with rising `alpha` neither `kept` nor, without a spatial
        term, the score rises. (Of two minimisers over the same masks the one for the larger weight is smaller.)
        `ValueError` where there is one `alpha` only.
        """
        if not isinstance(self.alpha, tuple):
            raise ValueError(f"a front takes a list of alpha; got the one run for alpha={self.alpha}. Give a list.")
        weights = torch.tensor(self.alpha, dtype=self.kept.dtype, device=self.kept.device)[:, None]
        others = self.objective - weights * self.kept  # what does not depend on alpha
        best = (others[None] + weights[:, None] * self.kept[None]).argmin(1)
        items = torch.arange(best.shape[1], device=best.device)
        chosen = others[best, items] + weights * self.kept[best, items]
        return Minimal(
            mask=Mask(self.mask.data[best, items], self.mask.layout),
            alpha=self.alpha,
            before=self.before,
            after=self.after[best, items],
            objective=chosen,
            rebuilt=self.rebuilt[best, items],
            spent=self.spent[best.cpu(), items.cpu()],
        )


def minimal(
    model: Model,
    x: Tensor | Mapping[str, Tensor],
    target: Target,
    *,
    domain: Domain | Mapping[str, Domain],
    alpha: float | Sequence[float],
    steps: int = 500,
    lr: float = 0.05,
    tolerance: float | None = 0.01,
    baseline: Baseline | Noise | Mapping[str, float | Tensor] = 0.0,
    spatial: float = 0.0,
    start: Coefficients | Attributions | None = None,
    given: Sequence[Tensor] = (),
    batch_size: int | None = None,
    autocast: torch.dtype | None = None,
) -> Minimal:
    """The mask `m` in [0, 1] that minimises `-f(S(z₀ + m (z - z₀))) + alpha mean(m) + spatial mean|S(m z)|`.

    `x` is a signal `(batch, channel, *axes)`; a list of `alpha` is a Pareto front in one run. `m` starts at 1, or at
    `start`: an attribution in the same domain and in units of the score, such as one by `IntegratedGradients`.
    Coefficients that are worth more than they cost, `γ > alpha / size`, then start at 1 and the rest at 0. NAdam takes
    at most `steps` steps of size `lr`, each projected to the box; an item stops where 50 steps improved its objective
    by less than `tolerance` of what it had gained over the untouched input (`None`: never). The result is the best mask
    met, the untouched input among them, so with `alpha=0` no score falls.

    `baseline` takes the place of what is dropped: a number, a signal, one for each item, `Noise()`, or a function that
    makes one of the signals, such as `Blur(sigma)`. Noise is drawn anew in every step; the result is then the last
    mask, scored with one draw. `spatial` weighs the mean magnitude of what the mask keeps (the wavelet masks of Kolek
    et al., 2023).

    `given` are tensors with one entry per item that the model is called with after the signal. Several signals are a
    mapping of names with a domain for each, as in `attribute`. The result is then packed as the
    `Joint` domain of its mask has it: `joint.split(found.mask)`, `joint.unpack(found.rebuilt)`.

    The result of an item and an `alpha` does not depend on others in the batch nor on `batch_size`; the model comes
    back as it was.

    >>> found = wl.masks.minimal(model, x, 1, domain=wl.DWT("haar", levels=2), alpha=0.1, steps=20)
    >>> found.mask.data.shape, found.rebuilt.shape
    (torch.Size([1, 1, 64]), torch.Size([1, 1, 8, 8]))
    """
    if isinstance(x, Mapping):
        model, one, joint = packed(model, x, domain)
        start_point = packed_baseline(joint, x, baseline, 0.0)
        options: dict[str, Any] = {"alpha": alpha, "steps": steps, "lr": lr, "tolerance": tolerance, "spatial": spatial}
        options |= {"start": start, "batch_size": batch_size, "autocast": autocast, "baseline": start_point}
        options["given"] = given
        return minimal(model, one, target, domain=joint, **options)
    if isinstance(domain, Mapping) or isinstance(baseline, Mapping):
        raise ValueError("one signal must have one domain and one baseline; got them by name. Give x by name too.")
    weights = _checked(target, alpha, steps, lr, tolerance, spatial)
    domain = domain.bind(x.detach())
    layout = domain.layout(signal_axes(x))  # says now if the levels fit
    worth = _worth(start, layout, x)
    with Gradients(with_given(model, given), x, target, batch_size=batch_size, autocast=autocast) as ask:
        search = _Search(ask, layout, fill(ask.x, domain, baseline, ask.dtype), weights, lr, spatial)
        results = search.run(steps, tolerance, worth)
    several = not isinstance(alpha, int | float)
    if several:
        results = {name: value.unflatten(0, (len(weights), len(x))) for name, value in results.items()}
    mask = Mask(results.pop("mask"), layout)
    return Minimal(mask=mask, alpha=tuple(weights) if several else weights[0], before=search.before, **results)


@dataclass(eq=False)
class _Flight:
    """The rows that are being optimised: their numbers, masks, moments of NAdam, and the best that each has met."""

    rows: Tensor  # as `taken`, on the CPU
    taken: Tensor
    items: Tensor
    alpha: Tensor
    mask: Tensor
    mean: Tensor
    square: Tensor
    best: Tensor
    score: Tensor  # of the best, as is its objective
    objective: Tensor
    level: Tensor  # the mean objective of the steps before the last look
    total: Tensor  # the sum of objectives since then

    def only(self, chosen: Tensor) -> _Flight:
        """Some of the rows."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return _Flight(**{name: value[chosen.to(value.device)] for name, value in values.items()})

    def joined(self, other: _Flight) -> _Flight:
        """These rows and the others."""
        if not len(self.rows):
            return other
        return _Flight(*(torch.cat([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))


class _Search:
    """Every item with every alpha is a row, alpha by alpha; as many are optimised at a time as fit one pass."""

    def __init__(
        self, ask: Gradients, layout: Layout, fill: Fill, weights: list[float], lr: float, spatial: float
    ) -> None:
        self.ask, self.layout, self.fill, self.lr, self.spatial = ask, layout, fill, lr, spatial
        x, batch = ask.x, len(ask.x)
        self.before = ask.values(x)[0]
        self.items = torch.arange(batch, device=x.device).repeat(len(weights))
        self.alpha = torch.tensor(weights, dtype=ask.dtype, device=x.device).repeat_interleave(batch)
        extent = x.abs().flatten(1).mean(1, dtype=ask.dtype)
        self.untouched = self.alpha - self.before[self.items] + spatial * extent[self.items]

    def run(self, steps: int, tolerance: float | None, worth: Tensor | None) -> dict[str, Tensor]:
        """The fields of `Minimal` for each row; a row that is finished makes room for the next."""
        results = self._empty()
        flight = self._fresh(torch.arange(0, device="cpu"), worth)
        admitted = 0
        while admitted < len(self.items) or len(flight.rows):
            if len(flight.rows) < self.ask.rows and admitted < len(self.items):
                more = torch.arange(admitted, len(self.items), device="cpu")[: self.ask.rows - len(flight.rows)]
                flight, admitted = flight.joined(self._fresh(more, worth)), admitted + len(more)
            self._advance(flight)
            done = (flight.taken == steps) | self._settled(flight, tolerance)
            if done.any():
                self._land(flight.only(done.nonzero()[:, 0]), results)
                flight = flight.only((~done).nonzero()[:, 0])
        return results

    def _empty(self) -> dict[str, Tensor]:
        rows, x = len(self.items), self.ask.x
        numbers = {name: self.before.new_empty(rows) for name in ("after", "objective")}
        mask = self.before.new_empty(rows, x.shape[1], self.layout.size)
        spent = torch.empty(rows, dtype=torch.long, device="cpu")
        return {**numbers, "mask": mask, "rebuilt": x.new_empty(rows, *x.shape[1:]), "spent": spent}

    def _fresh(self, rows: Tensor, worth: Tensor | None) -> _Flight:
        numbers = rows.to(self.items.device)
        items, alpha = self.items[numbers], self.alpha[numbers]
        ones = self.before.new_ones(len(rows), self.ask.x.shape[1], self.layout.size)
        zeros = torch.zeros_like(ones)
        mask = ones.clone() if worth is None else (worth[items] > self._price(alpha)).to(ones)
        untouched = self.untouched[numbers]
        steps = torch.zeros_like(rows)
        level, total = torch.full_like(untouched, math.inf), torch.zeros_like(untouched)
        state = mask, zeros, zeros.clone(), ones, self.before[items], untouched, level, total
        return _Flight(rows, steps, items, alpha, *state)

    def _price(self, alpha: Tensor) -> Tensor:
        """What a coefficient costs: the gradient of `alpha mean(m)`."""
        return (alpha / (self.ask.x.shape[1] * self.layout.size))[:, None, None]

    def _advance(self, flight: _Flight) -> None:
        """Scores each row where it is, remembers the best, and takes a step."""
        items, alpha = flight.items, flight.alpha
        z0, step = self.fill(items, flight.taken)
        gradient, score = torch.empty_like(flight.mask), torch.empty_like(flight.score)

        def points(rows: slice) -> Tensor:
            base = None if z0 is None else z0[rows]
            return mixed(flight.mask[rows], base, step[rows], self.layout.at(items[rows])).to(self.ask.x.dtype)

        for rows, g, values in self.ask.rows_at(items, points):
            layout = self.layout.at(items[rows])
            pulled = layout.domain.adjoint(g[0], layout).data
            if pulled.is_complex():
                torch.sub(self._price(alpha[rows]), real_product(step[rows], pulled), out=gradient[rows])
            else:
                torch.addcmul(self._price(alpha[rows]), pulled, step[rows], value=-1, out=gradient[rows])
            score[rows] = values[0]
        extent = self._extent(items, flight.mask, step if z0 is None else z0 + step, gradient)
        self._remember(flight, flight.mask, score, extent)
        descend(flight.mask, gradient, flight.mean, flight.square, flight.taken, self.lr)
        flight.mask.clamp_(0, 1)
        flight.taken += 1

    def _extent(self, items: Tensor, mask: Tensor, z: Tensor, gradient: Tensor | None = None) -> Tensor | float:
        """`spatial mean|S(m z)|` of each row; its gradient is added to the other."""
        if not self.spatial:
            return 0.0
        layout = self.layout.at(items)
        kept = Coefficients(mask * z, layout).synthesis()
        if gradient is not None:
            signs = layout.domain.adjoint(kept.sign(), layout).data
            gradient.add_(real_product(z, signs), alpha=self.spatial / kept[0].numel())
        return self.spatial * kept.abs().flatten(1).mean(1)

    def _remember(self, flight: _Flight, mask: Tensor, score: Tensor, extent: Tensor | float) -> None:
        """Keeps what is better than the best so far; where the fill changes from step to step, what came last."""
        objective = flight.alpha * mask.flatten(1).mean(1) - score + extent
        flight.total += objective
        better = torch.ones_like(objective, dtype=torch.bool) if self.fill.changes else objective < flight.objective
        torch.where(better[:, None, None], mask, flight.best, out=flight.best)
        flight.score = score.where(better, flight.score)
        flight.objective = objective.where(better, flight.objective)

    def _settled(self, flight: _Flight, tolerance: float | None) -> Tensor:
        """Which rows improved by too little since the last look, in the mean over the steps."""
        due = flight.taken % PATIENCE == 0
        if tolerance is None or not due.any():
            return torch.zeros_like(due)
        level = flight.total / PATIENCE
        gained = (self.untouched[flight.rows.to(level.device)] - level).clamp_min(0)
        settled = flight.level - level <= tolerance * gained
        looked = due.to(level.device)
        flight.level = level.where(looked, flight.level)
        flight.total = flight.total.where(~looked, 0)
        return due & settled.cpu()

    def _land(self, flight: _Flight, results: dict[str, Tensor]) -> None:
        """Scores the last mask too, and writes down the best."""
        z0, step = self.fill(flight.items, flight.taken)
        layout = self.layout.at(flight.items)
        last = mixed(flight.mask, z0, step, layout).to(self.ask.x.dtype)
        extent = self._extent(flight.items, flight.mask, step if z0 is None else z0 + step)
        self._remember(flight, flight.mask, self.ask.values(last, flight.items)[0], extent)
        rebuilt = mixed(flight.best, z0, step, layout)
        values = {"mask": flight.best, "after": flight.score, "objective": flight.objective, "rebuilt": rebuilt}
        for name, value in values.items():
            results[name][flight.rows.to(value.device)] = value.to(results[name].dtype)
        results["spent"][flight.rows] = flight.taken


def _checked(
    target: Target,
    alpha: float | Sequence[float],
    steps: int,
    lr: float,
    tolerance: float | None,
    spatial: float,
) -> list[float]:
    """The alphas as a list; `ValueError` for numbers that make no sense."""
    if isinstance(target, Several):
        raise ValueError("a minimal input must have one target; got targets.Several. Make a call for each of them.")
    weights = [float(alpha)] if isinstance(alpha, int | float) else [float(one) for one in alpha]
    if not weights or not all(math.isfinite(weight) and weight >= 0 for weight in weights):
        raise ValueError(f"alpha must be a finite number from 0, or a list of them; got {alpha}.")
    check_effort(steps=steps)
    if not (math.isfinite(lr) and lr > 0):
        raise ValueError(f"lr, the size of a step, must be finite and above 0; got lr={lr}.")
    if tolerance is not None and not tolerance >= 0:
        raise ValueError(f"tolerance must be at least 0, or None never to stop early; got tolerance={tolerance}.")
    if not (math.isfinite(spatial) and spatial >= 0):
        raise ValueError(f"spatial, a weight, must be finite and at least 0; got spatial={spatial}.")
    return weights


def _worth(start: Coefficients | Attributions | None, layout: Layout, x: Tensor) -> Tensor | None:
    """The attribution to start from, `(batch, channel, size)`."""
    if start is None:
        return None
    start = start.joint if isinstance(start, Attributions) else start
    shape = (*x.shape[:2], layout.size)
    if start.layout != layout or tuple(start.data.shape) != shape:
        raise ValueError(
            f"start must be an attribution of x in the same domain, {shape} in {layout.domain}; got "
            f"{tuple(start.data.shape)} in {start.layout.domain}. Attribute x in the domain of the mask first."
        )
    if start.data.is_complex():
        raise ValueError(
            "start must be in units of the score, which have signs; got a complex gradient. Take the account of "
            "IntegratedGradients."
        )
    return start.data.detach().to(x.device)
