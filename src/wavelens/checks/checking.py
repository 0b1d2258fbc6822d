"""`check`: what should be known of a model at some inputs before a map of it is believed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import is_dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from wavelens.attribution import Attribution, attribute
from wavelens.checks.asking import BROKEN, error_text, evaluating, one_by_one, score_and_gradient
from wavelens.checks.explanation import TOLERANCE, complete, model_dependent
from wavelens.checks.gradient import differentiable, precise, unsaturated
from wavelens.checks.passes import batch_independent, deterministic
from wavelens.checks.planting import finds_planted
from wavelens.checks.uniqueness import unique
from wavelens.checks.verdict import FAIL, NOT_APPLICABLE, PASS, Findings, Verdict
from wavelens.core import Domain, signal_axes
from wavelens.domains import DWT
from wavelens.engine.given import beside, with_given
from wavelens.engine.gradients import Model
from wavelens.methods import HierarchicalShapley, IntegratedGradients
from wavelens.methods.lift import Method, check_method
from wavelens.models.black_box import black_box
from wavelens.models.module_kinds import check_gradients, check_shapes
from wavelens.models.runnable import runnable
from wavelens.targets import Target, settled
from wavelens.targets.runner_up import is_open

TOP = "top"  # each item's own top class
OF_GRADIENTS = ("precise", "differentiable", "unsaturated")
NO_GRADIENT = "a function of arrays has no gradient."
CHECKS = (
    "deterministic",
    "batch_independent",
    "precise",
    "differentiable",
    "unsaturated",
    "complete",
    "unique",
    "model_dependent",
    "finds_planted",
)
"""The names of the checks, in the order in which `check` runs them."""


def check(
    model: Model,
    x: Tensor,
    target: Target = TOP,
    *,
    domain: Domain | None = None,
    method: Method | None = None,
    baseline: Tensor | float | None = None,
    autocast: torch.dtype | None = None,
    given: Sequence[Tensor] = (),
    batch_size: int | None = None,
) -> Findings:
    """What is to be known before a map of `model` at `x` is believed: a verdict for each of `CHECKS`.

    `x` is a few typical signals `(batch, channel, *axes)`, prepared as for `attribute`; `target` as there, or "top",
    the class that each item has the largest output for. Judged is the attribution by `method` in `domain`, by default
    `IntegratedGradients(tolerance=0.02)` in `DWT("haar")`, or `HierarchicalShapley()` where the model is a `BlackBox`:
    then the checks of gradients do not apply. Whether the model is random or mixes its batch is asked in
    the mode that it is in (what is random there, in evaluation mode), everything else in evaluation mode. `autocast`
    is what `precise` looks at; the other checks run in the signal's own precision. `batch_size` bounds the rows of a
    forward pass.

    `given` are tensors with one entry per item that the model is called with after the signal.

    A check that an earlier one makes meaningless is "not applicable" and says why. The model comes back as it was.

    >>> findings = wl.check(model, x, 1)
    >>> [verdict.check for verdict in findings.verdicts][:3]
    ['deterministic', 'batch_independent', 'precise']
    """
    signal_axes(x)
    check_shapes(model)
    box = black_box(model)
    if box is None:
        check_gradients(model)
    model = runnable(model, x)
    if isinstance(target, str) and target != TOP:
        raise ValueError(
            f"target must be {TOP!r}, a class, one for each item, or a function of the output; got {target!r}."
        )
    model = with_given(model, given)
    if method is None:
        method = IntegratedGradients(tolerance=0.02) if box is None else HierarchicalShapley()
    check_method(model, method)
    options = {} if baseline is None or not hasattr(method, "baseline") else {"baseline": baseline}
    if baseline is None:
        usual = getattr(method, "baseline", 0.0)
        baseline = 0.0 if isinstance(usual, str) else usual  # what is no signal lies nowhere
    with evaluating(model, x):
        target = _settled(model, x, target)
    explainer = partial(attribute, domain=DWT("haar") if domain is None else domain, method=method, **options)
    verdicts = list(_verdicts(model, x, target, explainer, baseline, autocast, batch_size))
    reason = f"nothing can be said while {verdicts[-1].check} fails."
    skipped = [Verdict(name, NOT_APPLICABLE, reason) for name in CHECKS[len(verdicts) :]]
    return Findings((*verdicts, *skipped))


def _verdicts(
    model: Model,
    x: Tensor,
    target: Target,
    explainer: partial[Attribution],
    baseline: Tensor | float,
    autocast: torch.dtype | None,
    batch_size: int | None,
) -> Iterator[Verdict]:
    """The verdicts in the order of `CHECKS`; ends with the one that makes the others meaningless."""
    steady = deterministic(model, x, target)
    yield steady
    with evaluating(model, x):
        if steady.status == FAIL and deterministic(model, x, target).status == FAIL:
            return
        alone = batch_independent(model, x, target)
    if steady.status == FAIL:
        yield replace(alone, finding=f"in evaluation mode: {alone.finding}")
    else:
        yield batch_independent(model, x, target)
    rows = batch_size if alone.status == PASS else 1
    with evaluating(model, x):
        options = {"baseline": baseline, "batch_size": rows}
        if black_box(model) is not None:
            yield from (Verdict(name, NOT_APPLICABLE, NO_GRADIENT) for name in OF_GRADIENTS)
        else:
            yield (exact := precise(model, x, target, autocast=autocast))
            if exact.status == FAIL and not _is_finite(model, x, target):
                return
            yield (slope := _tried(differentiable, model, x, target, **options))
            if slope.status == FAIL:
                return
            yield (live := _tried(unsaturated, model, x, target, **options))
            if live.figures.get("dead") == 1:
                return
        try:
            attribution = explainer(model, x, target, batch_size=rows)
        except BROKEN as error:
            yield Verdict("complete", FAIL, f"there is no attribution: {error_text(error)}")
            return
        tolerance = getattr(explainer.keywords["method"], "tolerance", None) or TOLERANCE
        yield complete(model, x, target, attribution, tolerance=tolerance)
        again = partial(explainer, batch_size=rows, method=_no_more(explainer.keywords["method"], attribution))
        if black_box(model) is not None:
            yield Verdict("unique", NOT_APPLICABLE, NO_GRADIENT)
        else:
            yield _tried(unique, model, x, target, explainer=again)
        yield _tried(model_dependent, model, x, target, attribution, explainer=again, baseline=baseline)
        yield _tried(finds_planted, model, x, target, explainer=again, baseline=baseline)


def _no_more(method: Method, attribution: Attribution) -> Method:
    """The method with the effort that the model took: a copy of reset layers may be rough, and would take all."""
    limits = [name for name in ("max_steps", "max_samples") if hasattr(method, name)]
    if getattr(method, "tolerance", None) is None or attribution.spent is None or not limits:
        return method
    if not is_dataclass(method) or isinstance(method, type):
        return method
    limited: Method = replace(method, **{limits[0]: int(attribution.spent.max())})
    return limited


def _tried(judge: Callable[..., Verdict], *arguments: Any, **options: Any) -> Verdict:
    """The verdict, or that there is none and why: the engine raises where numbers on the way are not finite."""
    try:
        return judge(*arguments, **options)
    except BROKEN as error:
        return Verdict(judge.__name__, NOT_APPLICABLE, f"it could not be told: {error_text(error)}")


def _is_finite(model: Model, x: Tensor, target: Target) -> bool:
    answers = [score_and_gradient(model, row, target, item) for row, item in one_by_one(x)]
    return all(bool(part.isfinite().all()) for answer in answers for part in answer if part is not None)


def _settled(model: Model, x: Tensor, target: Target) -> Target:
    """The target, with the classes that the model's answers decide: the top one of each item, and its runner-up."""
    if not (isinstance(target, str) or is_open(target)):
        return target
    with torch.no_grad():
        outputs = [model(row, *beside(model, item)) for row, item in one_by_one(x)]
    if not isinstance(outputs[0], Tensor) or outputs[0].ndim != 2:
        got = tuple(outputs[0].shape) if isinstance(outputs[0], Tensor) else type(outputs[0]).__name__
        raise ValueError(f"the top class is that of outputs (batch, classes); got {got}. Give a target.")
    answers = torch.cat(outputs)
    return answers.argmax(1) if isinstance(target, str) else settled(target, answers)
