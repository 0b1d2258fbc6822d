"""What scales add when they come and go, beside the account of the gradients: how much of it is computed, and when.

A path's account costs its gradients, the Shapley values cost forward passes. By default they are bounded by a number of
passes: exact where 2ⁿ of n scales fit, sampled where that is too many, left out where even few samples are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor

from wavelens.core import Domain
from wavelens.engine.progress import Progress
from wavelens.interventions import shapley
from wavelens.methods.blurred import BlurredPath, blurred
from wavelens.methods.shapley import FIRST_PAIRS, ScaleShapley, ShapleyValues
from wavelens.targets import Target

if TYPE_CHECKING:  # a request says whether interventions are asked for
    from wavelens.explaining.request import Request

MAX_FORWARD_PASSES = 256  # exact values of eight scales; as much as 85 gradients, where a gradient costs three passes


class Interventions(NamedTuple):
    """The Shapley values of an input's scales, or the reason why there are none; both empty where nobody asked."""

    shapley: ShapleyValues | None = None
    reason: str = ""


def interventions_of(
    request: Request, x: Tensor, target: Target, domain: Domain, scales: int, progress: Progress = False
) -> Interventions:
    """The Shapley values of the `scales` of a domain, as the request has them."""
    if request.interventions is False or scales < 2:
        return Interventions()
    baseline = baseline_of(request.method, x)
    if isinstance(baseline, str):
        return Interventions(
            reason=f"Shapley values are over one baseline; {baseline} ones are many: they are left out."
        )
    rule = ScaleShapley() if request.interventions else bounded(scales)
    if rule is None:
        return Interventions(
            reason=f"Shapley values of {scales} scales take more than {MAX_FORWARD_PASSES} forward passes and are left "
            "out; --interventions computes them."
        )
    try:
        values = shapley(
            request.loaded.module,
            x,
            target,
            domain=domain,
            method=rule,
            baseline=baseline,
            batch_size=request.batch_size,
            exact_passes=request.exact_passes,
            progress=progress,
        )
    except ValueError as error:  # such as a model without a finite score for an input of few scales
        return Interventions(reason=f"There are no Shapley values: {error}")
    return Interventions(values)


def baseline_of(method: object, x: Tensor) -> Any:
    """Where the account of a method begins, so that both accounts add up to the same; None for those without one."""
    if isinstance(method, BlurredPath):
        return blurred(x, method.sigma)
    return getattr(method, "baseline", None)


def bounded(scales: int) -> ScaleShapley | None:
    """How Shapley values of so many scales are computed within `MAX_FORWARD_PASSES`; None where they cannot be."""
    exact = MAX_FORWARD_PASSES.bit_length() - 1
    if scales <= exact:
        return ScaleShapley(exact_groups=exact)
    pairs = (MAX_FORWARD_PASSES - 2 * scales - 2) // (2 * (scales - 1))
    return ScaleShapley(exact_groups=exact, max_permutations=2 * pairs) if pairs >= FIRST_PAIRS else None
