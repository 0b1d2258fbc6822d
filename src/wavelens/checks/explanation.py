"""Whether an attribution accounts for the score, and whether it knows what the model has learnt."""

from __future__ import annotations

from functools import partial
from typing import TypeGuard

import torch
from torch import Tensor, nn

from wavelens.attribution import Attribution
from wavelens.checks.asking import BROKEN, error_text, evaluating, twin_of
from wavelens.checks.verdict import FAIL, NOT_APPLICABLE, PASS, WARN, Verdict
from wavelens.core import Coefficients
from wavelens.counts import count_of, with_minus
from wavelens.engine.copies import NoCopyError
from wavelens.engine.gradients import Model
from wavelens.masks.ranking import importance
from wavelens.metrics import energy_order, spearman
from wavelens.metrics.randomization import reset
from wavelens.metrics.stability import Explainer, explained
from wavelens.models.black_box import black_box
from wavelens.precision import rounding
from wavelens.targets import Target

# Of `complete`, as parts of the rise |f(x) - f(x₀)|.
TOLERANCE = 0.05  # what `wavelens explain` lets pass for a method that promises nothing
LOST = 0.25  # with a quarter of the rise missing no scale's share can be relied upon

# Of `model_dependent`: what the ranks of the map and of a reset copy's share beyond the energy order. Real networks had
# up to 0.32, where the bare correlation of IG's maps was 0.49 to 0.9999; a filter that is not learnt has 1.
# (This and what follows: benchmarks/paper/checks.py.)
SHARED, SAME = 0.5, 0.8

BY_SCORES = ("ScaleShapley", "Owen", "HierarchicalShapley", "KernelSHAP", "RISE", "Sobol", "HSIC")  # no gradients


def complete(
    model: Model, x: Tensor, target: Target, attribution: Coefficients, *, tolerance: float = TOLERANCE
) -> Verdict:
    """Whether a path method's coefficients add up to `f(x) - f(x₀)` within its budget: the gap of the worst item.

    An item whose score is that of its baseline has nothing to add up to: a warning, where the others pass.
    `tolerance` is the part of the rise that may be missing; more than a quarter is a failure. Nothing is asked of the
    model.
    """
    known = attribution if isinstance(attribution, Attribution) else None
    if known is None or known.gap is None or known.score is None or known.baseline_score is None:
        method = f" by {known.method}" if known is not None and known.method else ""
        finding = f"an attribution{method} does not add up to the score; only those of path methods do."
        return Verdict("complete", NOT_APPLICABLE, finding)
    gap, rise = known.gap.double().abs(), (known.score - known.baseline_score).double().abs()
    scale = known.score.double().abs() + known.baseline_score.double().abs()
    still = rise <= rounding(known.score) * scale
    parts = torch.where(still, 0, gap / rise.clamp_min(1e-300))
    at_rest = bool(still.any()) and float(parts.max()) <= tolerance
    worst = int((still if at_rest else parts).double().argmax())
    spent = int(known.spent[worst]) if known.spent is not None else 0
    figures = {"gap": float(gap[worst]), "rise": float(rise[worst]), "spent": float(spent)}
    if at_rest:
        score = with_minus(f"{float(known.score[worst]):.4g}")
        finding = f"the score is the same at the baseline ({score}): there is no rise to explain."
        return Verdict("complete", WARN, finding, "Choose another baseline, or another class.", figures)
    part = float(parts[worst])
    change = with_minus(f"{float(rise[worst]):.4g}")
    finding = f"the sums miss {part:.1%} of f(x) − f(x₀) = {change} after {count_of(spent, 'gradient')}"
    if part <= tolerance:
        return Verdict("complete", PASS, f"{finding}.", figures=figures)
    remedy = "More gradients close the gap: IntegratedGradients(tolerance=0.02, max_steps=1000)."
    return Verdict("complete", WARN if part <= max(LOST, tolerance) else FAIL, f"{finding}.", remedy, figures)


def model_dependent(
    model: Model,
    x: Tensor,
    target: Target,
    attribution: Coefficients,
    *,
    explainer: Explainer,
    baseline: Tensor | float = 0.0,
    seed: int = 0,
) -> Verdict:
    """Whether the map changes when all layers of a copy of the model are reset (Adebayo et al., 2018).

    `explainer` is what made the attribution, a function `(model, x, target) -> Coefficients`. The figure is Spearman's
    correlation of the two maps `|γ|`, less what both owe to the energy order of the signal over the baseline (a partial
    correlation): attributions that are multiplied with the coefficients rank alike for any model, wherever those are
    near zero. The mean over items. The caller's model is not touched.
    """
    name = "model_dependent"
    if not has_parameters(model):
        return Verdict(name, NOT_APPLICABLE, "the model has no parameters that could be reset.")
    try:
        with evaluating(model, x):
            twin = reset(twin_of(model, x, target), seed=seed)
        other = explained(explainer, twin, x, target, attribution)
    except NoCopyError as error:
        return Verdict(name, NOT_APPLICABLE, f"{error}.")
    except BROKEN as error:
        return Verdict(name, NOT_APPLICABLE, f"a copy with its layers reset cannot be explained ({error_text(error)}).")
    bare, shared = shared_ranks(attribution, other, energy_order(x, attribution.layout.domain, baseline=baseline))
    figures = {"correlation": float(bare.nanmean()), "beyond the energy order": float(shared.nanmean())}
    if bool((importance(other).amax((1, 2)) == 0).all()):
        return Verdict(name, PASS, "the map of a copy with its layers reset is zero everywhere.", "", figures)
    if bool(shared.isnan().all()):
        finding = "the map ranks as the energy of the signal does, so it cannot be told apart from a reset copy's."
        return Verdict(name, NOT_APPLICABLE, finding, "See finds_planted.", figures)
    value = figures["beyond the energy order"]
    finding = (
        f"with the energy order taken off, the map's ranks correlate by {value:.2f} with those of a copy whose layers "
        "are reset"
    )
    if value < SHARED:
        return Verdict(name, PASS, f"{finding}.", figures=figures)
    remedy = (
        "The map shows the input and the architecture more than what was learnt: explain another class, or take "
        f"{another_method(explainer, model)}."
    )
    return Verdict(name, WARN if value < SAME else FAIL, f"{finding}.", remedy, figures)


def another_method(explainer: Explainer, model: Model) -> str:
    """One or two methods that are unlike the explainer's and that the model can be asked by, for a sentence."""
    used = explainer.keywords.get("method") if isinstance(explainer, partial) else None
    name = used.__name__ if isinstance(used, type) else type(used).__name__
    box = black_box(model) is not None
    choices = [one for one in ("IntegratedGradients", "SmoothGrad", "HierarchicalShapley", "RISE") if one != name]
    if box:
        choices = [one for one in choices if one in BY_SCORES]
    elif name in BY_SCORES:
        choices = [one for one in choices if one not in BY_SCORES]
    else:
        choices = ["HierarchicalShapley", choices[0] if name == "SmoothGrad" else "SmoothGrad"]
    return f"another method, such as {' or '.join(choices[:2])}"


def has_parameters(model: Model) -> TypeGuard[nn.Module]:
    """Whether there is anything in a model to reset."""
    return isinstance(model, nn.Module) and any(True for _ in model.parameters())


def shared_ranks(one: Coefficients, other: Coefficients, energy: Coefficients) -> tuple[Tensor, Tensor]:
    """Spearman's correlation of two maps `|γ|` item by item, and what is left of it for equal energy."""
    maps, sizes = [importance(c)[:, 0] for c in (one, other)], importance(energy)[:, 0]
    bare = spearman(*maps)
    return bare, _partial(bare, *(spearman(own, sizes) for own in maps))


def _partial(ab: Tensor, az: Tensor, bz: Tensor) -> Tensor:
    """The correlation of a and b for equal z; NaN where z leaves nothing of one of them."""
    left = (1 - az.square()) * (1 - bz.square())
    return (ab - az * bz) / torch.where(left > 1e-12, left, torch.nan).sqrt()
