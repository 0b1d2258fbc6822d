"""Whether the map is the only one at its input: at a tie under a maximum there are as many gradients as ways out."""

from __future__ import annotations

import torch
from torch import Tensor

from wavelens.checks.asking import evaluating, in_float64, one_by_one, score_and_gradient, span
from wavelens.checks.verdict import NOT_APPLICABLE, PASS, WARN, Verdict
from wavelens.engine.gradients import Model
from wavelens.methods.averages import generator
from wavelens.metrics.stability import Explainer
from wavelens.targets import Target

# A tie is broken by any noise, however small, so what moves stays as large. Elsewhere it shrinks with the noise: with
# this much the gradients of real networks moved by at most 3e-7 of their largest value, those of SqueezeNet, which
# pools before anything is averaged, by 0.26 and 0.28 on photos. (benchmarks/paper/checks.py)
NOISE = 1e-10  # standard deviation, of the item's range; a million times what float64 rounds off
DRAWS = 2
MIN_CHANGE_FRACTION = 0.01  # of the largest value

REMEDY = (
    "It is one of many at a tie, as under max-pooling in flat areas: use SmoothGrad(sigma=1e-6), the mean over noise "
    "that breaks ties, or a wider sigma."
)
CONSTANT = (
    "It is one of many at a tie, as under max-pooling in flat areas. The input is constant, so that noise scaled by "
    "its range is 0 and SmoothGrad breaks no tie: explain x + 1e-3 * torch.randn_like(x), with SmoothGrad(sigma=1) for "
    "the mean over ties."
)


def unique(model: Model, x: Tensor, target: Target, *, explainer: Explainer | None = None) -> Verdict:
    """Whether the gradient at the input is the only one, or else whether the map is that the explainer makes.

    In a copy of the model in float64 the gradient is compared with that at two inputs that noise of 1e-10 of the range
    has moved. Where it moves by more than a hundredth of its largest value, which of several gradients is had depends
    on rounding; then the map of `explainer`, a function `(model, x, target) -> Coefficients`, is compared likewise:
    methods that average over noise have one map all the same. The worst of the items.
    """
    name = "unique"
    with evaluating(model, x):
        twin = in_float64(model, x, target)
        if isinstance(twin, str):
            return Verdict(name, NOT_APPLICABLE, twin)
        copied, wide = twin
        moved = [_noisy(wide, k) for k in range(DRAWS)]
        figures = {"gradient": _apart(_gradients(copied, wide, target), [_gradients(copied, m, target) for m in moved])}
        change = f"moves the gradient by {figures['gradient']:.1e} of its largest value"
        still = "does not move the gradient"
        finding = f"noise of {NOISE:g} of the range {change if figures['gradient'] else still}"
        if figures["gradient"] <= MIN_CHANGE_FRACTION:
            return Verdict(name, PASS, f"{finding}.", figures=figures)
        if explainer is not None:
            maps = [explainer(copied, signals, target).data for signals in (wide, *moved)]
            figures["map"] = _apart(maps[0], maps[1:])
            finding = f"{finding}, and the map by {figures['map']:.1e}"
            if figures["map"] <= MIN_CHANGE_FRACTION:
                return Verdict(name, PASS, f"{finding}.", figures=figures)
    remedy = CONSTANT if (x.flatten(1) == x.flatten(1)[:, :1]).all(1).any() else REMEDY
    return Verdict(name, WARN, f"{finding}.", remedy, figures)


def _noisy(x: Tensor, k: int) -> Tensor:
    draw = torch.randn(x.shape[1:], generator=generator(2, k, x.device), device=x.device, dtype=torch.float32)
    return x + NOISE * span(x) * draw.to(x.dtype)


def _gradients(model: Model, x: Tensor, target: Target) -> Tensor:
    pairs = [(row, score_and_gradient(model, row, target, item)[1]) for row, item in one_by_one(x)]
    return torch.cat([torch.zeros_like(row) if g is None else g for row, g in pairs])


def _apart(given: Tensor, others: list[Tensor]) -> float:
    """The largest difference from any of the others, over the largest value, of the worst item."""
    largest = given.abs().flatten(1).amax(1)
    differences = torch.stack([(other - given).abs().flatten(1).amax(1) for other in others]).amax(0)
    return float(torch.where(largest > 0, differences / largest, (differences > 0).to(largest)).max())
