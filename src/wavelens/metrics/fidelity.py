"""Fidelity: whether what an attribution says of parts of the signal is what the model does without them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial

import torch
from torch import Tensor

from wavelens.core import Coefficients, Domain
from wavelens.engine.given import with_given
from wavelens.engine.gradients import Gradients, Model
from wavelens.masks.ranking import Reduce, magnitude, top
from wavelens.metrics.correlation import pearson, spearman
from wavelens.metrics.perturbation import Features, answers, features, single
from wavelens.metrics.removals import removals
from wavelens.metrics.several import takes_signals
from wavelens.targets import ByItem, Target

CORRELATIONS = {"pearson": pearson, "spearman": spearman}


@takes_signals("baseline")
def mu_fidelity(
    model: Model,
    x: Tensor,
    target: Target,
    attribution: Coefficients,
    *,
    subsets: int = 128,
    grid: int = 28,
    fraction: float = 0.2,
    correlation: str = "pearson",
    seed: int = 0,
    domain: Domain | None = None,
    baseline: Tensor | float = 0.0,
    given: Sequence[Tensor] = (),
    batch_size: int | None = None,
) -> Tensor:
    """How `Σ_{i∈u} γ_i` correlates with `f(x) - f(x without u)` over random subsets u, `(batch,)`, from -1 to 1.

    (Bhatt et al., 2020; WAM's equation 16.) The subsets are made of cells: `grid` of them along each axis of the
    mosaic, which for samples is the signal (as many as fit a shorter axis), and each subset takes the part `fraction`
    of the cells. Attributions are added up with their signs. `f` is the explained number itself, a logit for a class.
    `correlation` is "pearson" or "spearman"; it is NaN where the score or the attribution does not vary. The subsets
    depend on `seed` alone and are the same for every item. A single seed therefore biases all items in the same
    direction: a random attribution has mean 0 and deviation `1 / √(subsets - 1)` over seeds, which a mean over items
    keeps. Use one seed per item to average it out. In wavelets the energy order scores above 0: see how far an
    attribution exceeds it. `domain`, `baseline` and `batch_size` as in `curves`.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> [round(score, 3) for score in wl.metrics.mu_fidelity(model, x, 1, a, subsets=16, grid=4).tolist()]
    [0.994]
    """
    parts = features(x, attribution, domain, baseline)
    options = (subsets, grid, fraction, correlation, seed, batch_size)
    return _mu_fidelities(with_given(model, given), parts, target, [parts.attribution.data], *options)[0]


def mu_fidelity_over_energy(
    model: Model,
    x: Tensor,
    target: Target,
    attribution: Coefficients,
    *,
    subsets: int,
    grid: int,
    fraction: float,
    correlation: str,
    seed: int,
    domain: Domain | None,
    baseline: float,
    batch_size: int | None,
) -> tuple[Tensor, Tensor]:
    """`mu_fidelity`, and how far it is above that of the energy order, `(batch,)` each, from the same passes.

    What the model answers without a subset does not depend on the attribution.
    """
    parts = features(x, attribution, domain, baseline)
    orders = [parts.attribution.data, parts.energy]
    own, energy = _mu_fidelities(model, parts, target, orders, subsets, grid, fraction, correlation, seed, batch_size)
    return own, own - energy


@takes_signals("reduce", "baseline")
def ff(
    model: Model,
    x: Tensor,
    target: Target,
    attribution: Coefficients,
    *,
    fraction: float | Fraction = 0.5,
    domain: Domain | None = None,
    baseline: Tensor | float = 0.0,
    reduce: Reduce = magnitude,
    given: Sequence[Tensor] = (),
    batch_size: int | None = None,
) -> Tensor:
    """The drop `f(x) - f(x without the top fraction)`, `(batch,)`; more is better, and a set is judged by its median.

    (Faithfulness on spectra, Parekh et al., 2022; WAM's equation 17.) `f` is the explained number itself, a logit for
    a class; `fraction` of the coefficients go to the baseline, the most important ones. The rest as in `curves`.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> [round(score, 3) for score in wl.metrics.ff(model, x, 1, a).tolist()]
    [0.833]
    """
    parts = features(x, attribution, domain, baseline)
    order = [(parts.attribution, reduce)]
    return _drops(with_given(model, given), parts, target, order, fraction, batch_size)[0]


def ff_over_energy(
    model: Model,
    x: Tensor,
    target: Target,
    attribution: Coefficients,
    *,
    fraction: float,
    domain: Domain | None,
    baseline: float,
    batch_size: int | None,
) -> tuple[Tensor, Tensor]:
    """`ff`, and how far it is above that of the energy order, `(batch,)` each: one more pass for each item."""
    parts = features(x, attribution, domain, baseline)
    orders = [(parts.attribution, magnitude), (Coefficients(parts.step, parts.layout), magnitude)]
    own, energy = _drops(model, parts, target, orders, fraction, batch_size)
    return own, own - energy


@takes_signals("reduce", "baseline")
def fid_in(
    model: Model,
    x: Tensor,
    target: Target,
    attribution: Coefficients,
    *,
    fraction: float | Fraction = 0.5,
    domain: Domain | None = None,
    baseline: Tensor | float = 0.0,
    reduce: Reduce = magnitude,
    given: Sequence[Tensor] = (),
    batch_size: int | None = None,
) -> Tensor:
    """1 where the model's class stays the same on the top fraction alone, else 0, `(batch,)`; the mean is the share.

    (Input fidelity, Paissan et al., 2023; WAM's equation 18.) The class is the largest of the outputs `(batch,
    classes)` for the untouched signal, whatever the `target`, which matters for the ranking alone; for a single logit
    it is whether that is above 0. The rest as in `curves`.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> [round(score, 3) for score in wl.metrics.fid_in(model, x, 1, a).tolist()]
    [1.0]
    """
    single(target)
    model = with_given(model, given)
    parts = features(x, attribution, domain, baseline)
    mask = top(parts.attribution, fraction, reduce=reduce).data.bool()
    with Gradients(model, x, ByItem(_class), batch_size=batch_size) as ask:
        alone = _each(ask, lambda items: parts.kept(items, mask[items]))
        return (ask.values(parts.x)[0] == alone).to(ask.dtype)


def _drops(
    model: Model,
    parts: Features,
    target: Target,
    orders: Sequence[tuple[Coefficients, Reduce]],
    fraction: float | Fraction,
    batch_size: int | None,
) -> list[Tensor]:
    """`f(x) - f(x without the top fraction)` by each order, `(batch,)` each."""
    masks = [top(order, fraction, reduce=reduce).data.bool() for order, reduce in orders]
    with Gradients(model, parts.x, single(target), batch_size=batch_size) as ask:
        without = [_each(ask, partial(_without, parts, mask)) for mask in masks]
        whole = ask.values(parts.x)[0]
    return [whole - value for value in without]


def _without(parts: Features, mask: Tensor, items: Tensor) -> Tensor:
    return parts.dropped(items, mask[items])


def _mu_fidelities(
    model: Model,
    parts: Features,
    target: Target,
    orders: Sequence[Tensor],
    subsets: int,
    grid: int,
    fraction: float,
    correlation: str,
    seed: int,
    batch_size: int | None,
) -> list[Tensor]:
    """The μ-fidelity of each order's data, from one set of passes."""
    if correlation not in CORRELATIONS:
        raise ValueError(f"correlation must be one of {', '.join(CORRELATIONS)}; got {correlation!r}.")
    summed, done = removals(model, parts, target, subsets, grid, fraction, seed, batch_size)
    return [CORRELATIONS[correlation](summed(data), done).to(done.dtype) for data in orders]


def _class(output: Tensor, _: Tensor) -> Tensor:
    if not isinstance(output, Tensor) or output.ndim != 2 or output.shape[1] == 0:
        got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(f"fid_in compares classes, so the model's output must be (batch, classes); got {got}.")
    return (output.argmax(1) if output.shape[1] > 1 else output[:, 0] > 0).double()


def _each(ask: Gradients, points: Callable[[Tensor], Tensor]) -> Tensor:
    """`f` of one point an item, made chunk by chunk."""
    items = torch.arange(len(ask.x), device=ask.x.device)
    return answers(ask, items, lambda rows: points(items[rows]))
