"""The numbers of an explanation as records: classes, scales, and a caution where sums miss the score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from wavelens import maps
from wavelens.accounts import grouped_alike, rounding_of
from wavelens.attribution import Attribution
from wavelens.counts import count_of, with_minus
from wavelens.detected import NumberedObject
from wavelens.explaining.kinds import Input, Kind, SignalPart
from wavelens.explaining.question import ExplainedTarget
from wavelens.explaining.records import model_summary, shown_path
from wavelens.grid import Grid
from wavelens.methods.lift import Method
from wavelens.methods.shapley import ShapleyValues
from wavelens.models import LoadedModel
from wavelens.own import text_of
from wavelens.targets.objects import Box


def top_classes(loaded: LoadedModel, logits: Tensor | None, count: int) -> list[dict[str, Any]]:
    """The top classes, most probable first; none where the model is no classifier.

    The probability is None where scores are none, as of a lone text.
    """
    if logits is None:
        return []
    probabilities = loaded.probabilities(logits)
    return [
        {
            "index": i,
            "label": loaded.labels[i],
            "probability": None if loaded.link == "score" else float(probabilities[i]),
            "logit": float(logits[i]),
        }
        for i in logits.argsort(descending=True, stable=True)[:count].tolist()
    ]


def detection_rows(one: Input, objects: Sequence[NumberedObject]) -> list[dict[str, Any]]:
    """A row for each detected object, most probable first; its box is in pixels of the photo, as the file shows it."""
    return [
        {
            "name": each.name,
            "index": each.index,
            "label": each.label,
            "number": each.number,
            "probability": each.probability,
            "box": box_in_file(one, each.box),
            "explained": each.explained,
        }
        for each in objects
    ]


def box_in_file(one: Input, box: Box) -> dict[str, float]:
    """A box of the model's input in pixels of the file; those of the input where its preparation does not know them."""
    preparation: Any = one.preparation
    if hasattr(preparation, "box_in_photo"):
        box = preparation.box_in_photo(box, tuple(one.signal.shape[-2:]))
    (top, bottom), (left, right) = box
    return {"left": left, "top": top, "right": right, "bottom": bottom}


def box_text(box: dict[str, float]) -> str:
    """'12, 40 to 180, 320': the upper left corner and the lower right one, x before y."""
    return "{left:.0f}, {top:.0f} to {right:.0f}, {bottom:.0f}".format(**box)


def profile_rows(a: Attribution, grid: Grid, shapley: ShapleyValues | None = None) -> list[dict[str, Any]]:
    """A row for each scale, coarsest first: what it spans in the grid's units, its signed sum, its share and more.

    That is its Shapley value, where there are any by scale, and what it adds alone and last.
    """
    profile, scales = maps.profile(a), grid.rows(a.layout)
    numbers = zip(scales, profile.signed[0].tolist(), profile.share[0].tolist(), strict=True)
    rows: list[dict[str, Any]] = [
        {**scale, "signed": None if math.isnan(signed) else signed, "share": share} for scale, signed, share in numbers
    ]
    if shapley is None or shapley.names != profile.names:
        return rows
    columns = {"shapley": shapley.values, "alone": shapley.alone, "last": shapley.last}
    columns |= {} if shapley.standard_error is None else {"shapley_error": shapley.standard_error}
    named = {name: column[0].tolist() for name, column in columns.items()}
    return [{**row, **{name: column[k] for name, column in named.items()}} for k, row in enumerate(rows)]


def octave_rows(a: Attribution, grid: Grid, shapley: ShapleyValues | None) -> list[dict[str, Any]]:
    """As `profile_rows`, a row for each octave, where Shapley values are of octaves; else none."""
    joined = grouped_alike(a, shapley)
    return [] if joined is a else profile_rows(joined, grid, shapley)


def interventions_summary(shapley: ShapleyValues | None, reason: str) -> dict[str, Any]:
    """For a summary: how the Shapley values of the rows were found, and the interaction of each pair of scales."""
    if shapley is None:
        return {"interventions": {"reason": reason}} if reason else {}
    pairs = shapley.interaction
    return {
        "interventions": {
            "scales": list(shapley.names),
            "exact": shapley.standard_error is None,
            "forward_passes": int(shapley.passes[0]),
            "interaction": None if pairs is None else pairs[0].tolist(),
        }
    }


def channel_rows(a: Attribution, names: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each of several channels: the signed sum of each scale, coarsest first, and its share of Σ|γ|."""
    if len(names) < 2:
        return []
    profile = maps.profile(a, by_channel=True)
    rows = zip(names, profile.signed[0].tolist(), profile.share[0].tolist(), strict=True)
    return [
        {"channel": name, "signed": [None if math.isnan(value) else value for value in signed], "share": share}
        for name, signed, share in rows
    ]


def signal_rows(part: SignalPart) -> list[dict[str, Any]]:
    """A row for each channel of one of several signals, with the sums of that signal's own scales."""
    profile = maps.profile(part.attribution, by_channel=True)
    rows = zip(part.channels, profile.signed[0].tolist(), profile.share[0].tolist(), strict=True)
    return [
        {
            "signal": part.name,
            "channel": channel,
            "scales": list(profile.names),
            "signed": [None if math.isnan(value) else value for value in signed],
            "share": share,
        }
        for channel, signed, share in rows
    ]


def caution(a: Attribution, method: Method) -> str:
    """A line for sums that miss the score difference by more than the method's tolerance, or 5 %, or nothing."""
    allowed = getattr(method, "tolerance", None) or 0.05
    if a.gap is None or a.score is None or a.baseline_score is None:
        return ""
    gap, rise = abs(float(a.gap)), float(a.score - a.baseline_score)
    if gap <= max(allowed * abs(rise), rounding_of(a)):
        return ""
    spent = int(a.spent.max()) if a.spent is not None else 0
    missed = f"f(x) − f(x₀) = {with_minus(f'{rise:.3g}')} by {gap:.3g}"
    return f"The signed sums miss {missed} after {count_of(spent, 'gradient')}; more would close the gap."


def start_of(method: Method, kind: Kind) -> str:
    """What the paths of a method begin at, as a text: 'a black picture', 'a constant 0.5'."""
    base = getattr(method, "baseline", 0.0)
    if isinstance(base, str):
        return f"the mean of {base} coefficients"
    if callable(base):
        return str(getattr(base, "title", text_of(base)))
    return f"a constant {base:g}" if base else kind.start


def target_summary(loaded: LoadedModel, kind: Kind, path: Path, target: ExplainedTarget) -> dict[str, Any]:
    """For a summary: the input, the model and what is explained."""
    return {kind.name: shown_path(path), **model_summary(loaded), **target.summary}
