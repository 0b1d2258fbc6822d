"""One input explained: what is found about it, and the files that say so. The command and the app share this."""

from __future__ import annotations

import json
import math
import shlex
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wavelens import maps
from wavelens.attribution import Attribution, attribute
from wavelens.cli.files import DECOMPOSED, WRITTEN, beside
from wavelens.cli.kinds import Answer, Job, Kind
from wavelens.cli.model_options import model_summary, words_of
from wavelens.cli.question import Asked
from wavelens.cli.terminal import plain
from wavelens.core import Domain
from wavelens.domains import DWT
from wavelens.engine.progress import Progress
from wavelens.grid import Grid
from wavelens.methods.lift import Method
from wavelens.models import LoadedModel


@dataclass(frozen=True, eq=False)
class Seen:
    """One input as the model is given it: what the front end read, the module's input, its grid, and logits.

    A model that is no classifier has none.
    """

    signal: Any
    x: Tensor
    grid: Grid
    logits: Tensor | None


def seen(loaded: LoadedModel, kind: Kind, path: Path, device: torch.device) -> Seen:
    """Reads an input and asks the model."""
    signal = kind.taken(path, loaded.preprocess)
    x, grid = loaded.preprocess(signal).to(device), loaded.preprocess.grid(signal)
    with torch.no_grad():
        output = loaded.module(x)
    classifies = isinstance(output, Tensor) and output.shape == (1, len(loaded.labels))
    return Seen(signal, x, grid, output[0].float() if classifies else None)


def explained(job: Job, kind: Kind, path: Path, progress: Progress = False) -> Answer:
    """Reads and explains an input."""
    one = seen(job.loaded, kind, path, job.device)
    asked = job.question(job.loaded, one.x, one.logits)
    first, *others = attribute(
        job.loaded.module,
        one.x,
        asked.target,
        domain=[job.domain if job.chosen else _within(job.domain, one.x.shape[2:]), *job.decompose],
        method=job.method,
        batch_size=job.batch_size,
        exact_passes=job.exact_passes,
        progress=progress,
    )
    named = replace(first, provenance=first.provenance | _model_provenance(job.loaded))
    return Answer(path, one.signal, one.x, one.grid, one.logits, asked, named, tuple(others), kind.note(path))


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


def profile_rows(answer: Answer) -> list[dict[str, Any]]:
    """A row a scale, coarsest first: what it spans in the units of the input, its signed sum and its share."""
    found, scales = maps.profile(answer.attribution), answer.grid.rows(answer.attribution.layout)
    numbers = zip(scales, found.signed[0].tolist(), found.share[0].tolist(), strict=True)
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


def write(job: Job, kind: Kind, answer: Answer, base: Path) -> Iterator[Path]:
    """The panel, the attribution, the summary, and what else belongs to the kind: each path once its file is there."""
    panel, attribution, summary = (beside(base, suffix) for suffix in WRITTEN)
    _draw(job, kind, answer, panel)
    answer.attribution.save(attribution)
    summary.write_text(json.dumps(summary_of(job, kind, answer), indent=2) + "\n", encoding="utf-8")
    yield from (panel, attribution, summary)
    yield from kind.extras(job, answer, base)
    yield from _decomposed(job, answer, base)


def _decomposed(job: Job, answer: Answer, base: Path) -> list[Path]:
    """The input scale by scale in the domains that were asked for, and where each scale of the first matters."""
    if not answer.others:
        return []
    from wavelens import plots  # matplotlib: only once there is something to draw

    paths = [beside(base, ending) for ending in DECOMPOSED]
    named: dict[str, Any] = {"title": _heading(job, answer), "grid": answer.grid}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plots.save(plots.decomposed(answer.others, answer.x, **named), paths[0])
        plots.save(plots.by_scale(answer.others[0], answer.x, **named), paths[1])
    return paths


def _heading(job: Job, answer: Answer) -> str:
    name = plain(answer.path.name)
    title = f"{name[:40]}{'…' * (len(name) > 40)}: {answer.asked.label.split(', ')[0]}"
    return title.replace("$", r"\$")


def _draw(job: Job, kind: Kind, answer: Answer, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # characters that the font lacks are drawn as boxes
        kind.draw(job, answer, _heading(job, answer), path)


def asked_of(loaded: LoadedModel, kind: Kind, path: Path, asked: Asked) -> dict[str, Any]:
    """For a summary: the input, the model and what is explained."""
    return {
        kind.name: str(path),
        **model_summary(loaded),
        **asked.summary,
    }


def summary_of(job: Job, kind: Kind, answer: Answer) -> dict[str, Any]:
    a = answer.attribution
    scalars = {"score": a.score, "baseline_score": a.baseline_score, "gap": a.gap, "spent": a.spent}
    return {
        **asked_of(job.loaded, kind, answer.path, answer.asked),
        **({"note": answer.note} if answer.note else {}),
        "top": top_classes(job.loaded, answer.logits, job.top),
        "domain": repr(a.domain),
        "method": a.method,
        **{name: None if value is None else value.reshape(-1)[0].item() for name, value in scalars.items()},
        "units": answer.grid.units,
        "profile": profile_rows(answer),
        "provenance": a.provenance,
    }
