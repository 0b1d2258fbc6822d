"""One input explained: its `Explanation`, and the files that hold it."""

from __future__ import annotations

import json
import math
import shlex
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from wavelens import maps
from wavelens.attribution import Attribution, attribute
from wavelens.core import Domain
from wavelens.domains import DWT
from wavelens.engine.progress import Progress
from wavelens.explaining.files import DECOMPOSED, WRITTEN, beside
from wavelens.explaining.kinds import Input, Kind
from wavelens.explaining.question import ExplainedTarget
from wavelens.explaining.reading import read_input
from wavelens.explaining.records import model_summary, words_of
from wavelens.explaining.request import Request
from wavelens.methods.lift import Method
from wavelens.models import LoadedModel
from wavelens.untrusted import plain


@dataclass(frozen=True, eq=False)
class Explanation:
    """One input explained: its class probabilities, the attribution of the `target`, and what a reader is shown.

    `others` are the attributions in the domains of `request.decompose`, from the same gradients; `note` says how the
    file was read, where a format is read in more ways than one.
    """

    request: Request
    input: Input
    target: ExplainedTarget
    attribution: Attribution
    others: tuple[Attribution, ...] = ()
    note: str = ""


def explained(request: Request, path: Path, progress: Progress = False) -> Explanation:
    """Read and explain an input."""
    loaded, kind = request.loaded, request.kind
    one = read_input(loaded, kind, path, request.device)
    target = request.question(loaded, one.x, one.logits)
    usual = request.domain if request.chosen else _within(request.domain, one.x.shape[2:])
    first, *others = attribute(
        loaded.module,
        one.x,
        target.target,
        domain=[usual, *request.decompose],
        method=request.method,
        batch_size=request.batch_size,
        exact_passes=request.exact_passes,
        progress=progress,
    )
    named = replace(first, provenance=first.provenance | _model_provenance(loaded))
    return Explanation(request, one, target, named, tuple(others), kind.note(path))


def _model_provenance(loaded: LoadedModel) -> dict[str, str]:
    options = shlex.join(words_of(loaded.options))
    return {"model": loaded.name} | ({"model options": options} if options else {})


def _within(domain: Domain, axes: Sequence[int]) -> Domain:
    """A default domain with no more levels than the axes of an input allow."""
    if not isinstance(domain, DWT) or not isinstance(domain.levels, int):
        return domain
    return replace(domain, levels=min(domain.levels, int(math.log2(min(axes)))))


def top_classes(loaded: LoadedModel, logits: Tensor | None, count: int) -> list[dict[str, Any]]:
    """The top classes, most probable first; none where the model is no classifier."""
    if logits is None:
        return []
    probabilities = loaded.probabilities(logits)
    return [
        {"index": i, "label": loaded.labels[i], "probability": float(probabilities[i]), "logit": float(logits[i])}
        for i in logits.argsort(descending=True, stable=True)[:count].tolist()
    ]


def profile_rows(explanation: Explanation) -> list[dict[str, Any]]:
    """A row for each scale, coarsest first: what it spans in the units of the input, its signed sum and its share."""
    a = explanation.attribution
    profile, scales = maps.profile(a), explanation.input.grid.rows(a.layout)
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


def write(explanation: Explanation, base: Path) -> Iterator[Path]:
    """Write the panel, the attribution, the summary, and what else belongs to the kind: each path once it is there."""
    panel, attribution, summary = (beside(base, suffix) for suffix in WRITTEN)
    _draw(explanation, panel)
    explanation.attribution.save(attribution)
    summary.write_text(json.dumps(summary_of(explanation), indent=2) + "\n", encoding="utf-8")
    yield from (panel, attribution, summary)
    one, label = explanation.input, explanation.target.label
    yield from explanation.request.kind.extras(explanation.attribution, one, label, base)
    yield from _write_decomposed(explanation, base)


def _draw(explanation: Explanation, path: Path) -> None:
    from wavelens import plots  # matplotlib: only once there is something to draw

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # characters that the font lacks are drawn as boxes
        kind = explanation.request.kind
        plots.save(kind.panel(explanation.attribution, explanation.input, _heading(explanation)), path)


def _write_decomposed(explanation: Explanation, base: Path) -> list[Path]:
    """The input scale by scale in the domains that were asked for, and where each scale of the first matters."""
    if not explanation.others:
        return []
    from wavelens import plots  # matplotlib: only once there is something to draw

    paths, x = [beside(base, ending) for ending in DECOMPOSED], explanation.input.x
    named: dict[str, Any] = {"title": _heading(explanation), "grid": explanation.input.grid}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plots.save(plots.decomposed(explanation.others, x, **named), paths[0])
        plots.save(plots.by_scale(explanation.others[0], x, **named), paths[1])
    return paths


def _heading(explanation: Explanation) -> str:
    name = plain(explanation.input.path.name)
    title = f"{name[:40]}{'…' * (len(name) > 40)}: {explanation.target.label.split(', ')[0]}"
    return title.replace("$", r"\$")


def target_summary(loaded: LoadedModel, kind: Kind, path: Path, target: ExplainedTarget) -> dict[str, Any]:
    """For a summary: the input, the model and what is explained."""
    return {kind.name: str(path), **model_summary(loaded), **target.summary}


def summary_of(explanation: Explanation) -> dict[str, Any]:
    """The explanation for JSON."""
    request, one, a = explanation.request, explanation.input, explanation.attribution
    scalars = {"score": a.score, "baseline_score": a.baseline_score, "gap": a.gap, "spent": a.spent}
    return {
        **target_summary(request.loaded, request.kind, one.path, explanation.target),
        **({"note": explanation.note} if explanation.note else {}),
        "top": top_classes(request.loaded, one.logits, request.top),
        "domain": repr(a.domain),
        "method": a.method,
        **{name: None if value is None else value.reshape(-1)[0].item() for name, value in scalars.items()},
        "units": one.grid.units,
        "profile": profile_rows(explanation),
        "provenance": a.provenance,
    }
