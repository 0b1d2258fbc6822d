"""The Shapley value of each scale, file by file, for mean profiles over a folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from wavelens.core import Layout
from wavelens.explaining.interventions import MAX_FORWARD_PASSES, baseline_of, bounded
from wavelens.interventions import shapley
from wavelens.methods.shapley import ScaleShapley
from wavelens.metrics.metric import Case, Column, Metric

VALUE, ERROR = "shapley", "shapley_error"


@dataclass(frozen=True)
class ScaleValues(Metric):
    """What each scale adds when scales come and go, beside the account of the explained path.

    Exact by 2ⁿ forward passes of a file up to eight scales, sampled with standard errors up to 26.
    """

    columns: ClassVar[tuple[Column, ...]] = ()  # the numbers of a file are one for each scale

    def __call__(self, case: Case) -> list[Tensor]:
        """The values and, of sampled ones, their standard errors, `(1, scales)` each."""
        explainer: Any = case.explainer
        layout = case.attribution.layout
        values = shapley(
            case.model,
            case.x,
            case.target,
            domain=explainer.domain,
            method=rule_of(layout),
            baseline=baseline_of(explainer.method, case.x),
            batch_size=case.batch_size,
        )
        return [values.values] if values.standard_error is None else [values.values, values.standard_error]

    def measured(self, case: Case) -> dict[str, Tensor]:
        return dict(zip((VALUE, ERROR), self(case), strict=False))


def rule_of(layout: Layout) -> ScaleShapley:
    """How the values of a layout's scales are computed; `ValueError` where they take too many passes, or are none."""
    scales = len(layout.scales())
    if scales < 2:
        raise ValueError(f"Shapley values are of several scales; {layout.domain} has one. Choose another --domain.")
    if (rule := bounded(scales)) is None:
        raise ValueError(
            f"Shapley values of {scales} scales take more than {MAX_FORWARD_PASSES} forward passes for each file; "
            f"{layout.domain} has that many. Choose a --domain of fewer scales."
        )
    return rule


def check_interventions(layout: Layout, method: object) -> None:
    """`ValueError` before anything is computed, for scales that are too many and baselines that are several."""
    rule_of(layout)
    if isinstance(baseline := getattr(method, "baseline", None), str):
        raise ValueError(
            f"Shapley values are over one baseline; {baseline} ones are many. Choose a --method with one baseline."
        )
