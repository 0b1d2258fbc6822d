"""The numbers of an explanation as records: classes, scales, and a caution where sums miss the score."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from torch import Tensor

from wavelens import maps
from wavelens.attribution import Attribution
from wavelens.explaining.kinds import Kind
from wavelens.explaining.question import ExplainedTarget
from wavelens.explaining.records import model_summary
from wavelens.grid import Grid
from wavelens.methods.lift import Method
from wavelens.models import LoadedModel


def top_classes(loaded: LoadedModel, logits: Tensor | None, count: int) -> list[dict[str, Any]]:
    """The top classes, most probable first; none where the model is no classifier."""
    if logits is None:
        return []
    probabilities = loaded.probabilities(logits)
    return [
        {"index": i, "label": loaded.labels[i], "probability": float(probabilities[i]), "logit": float(logits[i])}
        for i in logits.argsort(descending=True, stable=True)[:count].tolist()
    ]


def profile_rows(a: Attribution, grid: Grid) -> list[dict[str, Any]]:
    """A row for each scale, coarsest first: what it spans in the grid's units, its signed sum and its share."""
    profile, scales = maps.profile(a), grid.rows(a.layout)
    numbers = zip(scales, profile.signed[0].tolist(), profile.share[0].tolist(), strict=True)
    return [
        {**scale, "signed": None if math.isnan(signed) else signed, "share": share} for scale, signed, share in numbers
    ]


def caution(a: Attribution, method: Method) -> str:
    """A line for sums that miss the score difference by more than the method's tolerance, or 5 %, or nothing."""
    allowed = getattr(method, "tolerance", None) or 0.05
    if a.gap is None or a.score is None or a.baseline_score is None:
        return ""
    gap, rise = abs(float(a.gap)), float(a.score - a.baseline_score)
    if gap <= allowed * abs(rise):
        return ""
    spent = int(a.spent.max()) if a.spent is not None else 0
    missed = f"f(x) − f(x₀) = {rise:.3g} by {gap:.3g}"
    return f"The signed sums miss {missed} after {spent} gradients; more would close the gap."


def target_summary(loaded: LoadedModel, kind: Kind, path: Path, target: ExplainedTarget) -> dict[str, Any]:
    """For a summary: the input, the model and what is explained."""
    return {kind.name: str(path), **model_summary(loaded), **target.summary}
