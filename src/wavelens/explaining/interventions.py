"""What scales add when they come and go, beside the account of the gradients: how much of it is computed, and when.

A path's account costs its gradients, the Shapley values cost forward passes. By default they are bounded by a number of
passes: exact where 2ⁿ of n scales fit, sampled where that is too many, by octave where even few samples are.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor

from wavelens.core import Domain, signal_axes
from wavelens.engine.gradients import Gradients
from wavelens.engine.progress import Progress
from wavelens.interventions import first_target, shapley
from wavelens.methods.blurred import BlurredPath, blurred
from wavelens.methods.lift import Lift
from wavelens.methods.octaves import joined_by_octave
from wavelens.methods.partitions import Partition
from wavelens.methods.shapley import FIRST_PAIRS, ScaleShapley, ShapleyValues
from wavelens.targets import Target

if TYPE_CHECKING:  # a request says whether interventions are asked for
    from wavelens.explaining.request import Request

MAX_FORWARD_PASSES = 256  # exact values of eight scales; as much as 85 gradients, where a gradient costs three passes


@dataclass(frozen=True, repr=False)
class Recorded(ScaleShapley):
    """A `ScaleShapley` that keeps the values that it spreads, so that they need not be computed twice."""

    kept: list[ShapleyValues] = field(default_factory=list, compare=False)

    @classmethod
    def of(cls, rule: ScaleShapley) -> Recorded:
        return cls(**{one.name: getattr(rule, one.name) for one in fields(rule)})

    def __repr__(self) -> str:
        return repr(ScaleShapley(**{one.name: getattr(self, one.name) for one in fields(ScaleShapley)}))

    def values(self, ask: Gradients, lift: Lift, start: Tensor, groups: Partition) -> ShapleyValues:
        self.kept.append(values := super().values(ask, lift, start, groups))
        return values


def recorded(request: Request) -> Recorded | None:
    """The method of a request, if its values are those of the scales that are asked for beside it."""
    method = request.method
    is_same = isinstance(method, ScaleShapley) and method.groups == "scales" and request.interventions is not False
    return Recorded.of(method) if is_same else None


def kept_interventions(values: ShapleyValues, scales: int) -> Interventions:
    """The values that a method found of one target; none for a single scale."""
    return Interventions(first_target(values)) if scales > 1 else Interventions()


class Interventions(NamedTuple):
    """The Shapley values of an input's scales, or the reason why there are none; both empty where nobody asked."""

    shapley: ShapleyValues | None = None
    reason: str = ""


def interventions_of(
    request: Request,
    x: Tensor,
    target: Target,
    domain: Domain,
    scales: int,
    progress: Progress = False,
    *,
    groups: str | Partition = "scales",
    noun: str = "scales",
) -> Interventions:
    """The Shapley values of the `scales` of a domain, or of so many other `groups`, as the request has them.

    Scales that are too many are joined by octave, unless the request has them at any cost.
    """
    if request.interventions is False or scales < 2:
        return Interventions()
    baseline = baseline_of(request.method, x)
    if isinstance(baseline, str):
        return Interventions(
            reason=f"Shapley values are over one baseline; {baseline} ones are many: they are left out."
        )
    rule = ScaleShapley() if request.interventions else bounded(scales)
    if rule is None and groups == "scales" and (octaves := count_octaves(domain, x)):
        groups, rule = "octaves", bounded(octaves)
    if rule is None:
        return Interventions(
            reason=f"Shapley values of {scales} {noun} take more than {MAX_FORWARD_PASSES} forward passes and are left "
            "out; --interventions computes them."
        )
    try:
        values = shapley(
            request.loaded.module,
            x,
            target,
            domain=domain,
            groups=groups,
            method=rule,
            baseline=baseline,
            batch_size=request.batch_size,
            exact_passes=request.exact_passes,
            progress=progress,
        )
    except ValueError as error:  # such as a model without a finite score for an input of few scales
        return Interventions(reason=f"There are no Shapley values: {error}")
    return Interventions(values)


def count_octaves(domain: Domain, x: Tensor) -> int:
    """The octaves that a domain's scales can be joined to; 0 where there are none."""
    joined = joined_by_octave(domain.bind(x).layout(signal_axes(x)))
    return 0 if joined is None else len(joined.scales())


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
