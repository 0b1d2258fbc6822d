"""From a file to its `Explanation`: read, attribute, and ask what scales add when they come and go."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from wavelens.attribution import Attribution, attribute
from wavelens.core import Domain
from wavelens.domains import Identity
from wavelens.engine.progress import Progress
from wavelens.explaining.answer import Explanation
from wavelens.explaining.answers import answering
from wavelens.explaining.further_methods import attribution_by, is_explainer
from wavelens.explaining.interventions import Interventions, interventions_of, kept_interventions, recorded
from wavelens.explaining.kinds import Input
from wavelens.explaining.outlining import outlines_of
from wavelens.explaining.question import ExplainedTarget
from wavelens.explaining.reading import read_input
from wavelens.explaining.records import shown_path, words_of
from wavelens.explaining.request import Request
from wavelens.explaining.sides import sides_of
from wavelens.explaining.word_account import word_account
from wavelens.models import LoadedModel
from wavelens.pairs import BothSides


def explained(request: Request, path: Path, progress: Progress = False) -> Explanation:
    """Read and explain an input."""
    kind = request.kind
    request, one = answering(request, read_input(request.loaded, kind, path, request.device))
    loaded = request.loaded
    target = request.question(loaded, one.x, one.logits, one.grid)
    one = replace(one, marks=target.marks, region=target.region, outlines=outlines_of(target, one.x))
    usual = [kind.fit(domain, one) for domain in request.domains]
    usual = usual if request.chosen else [domain.within(tuple(one.x.shape[2:])) for domain in usual]
    record = recorded(request)
    sides = sides_of(request, one.x, target, [*usual, *request.decompose], progress) if request.words else None
    if sides is None:
        several, decomposed, by_sample = _attributions(request, one, target, usual, record or request.method, progress)
    else:
        (several, decomposed), by_sample = _split(sides, usual), None
    made_by = _model_provenance(loaded)
    named = tuple(replace(a, provenance=a.provenance | made_by) for a in several)
    domains = [a.domain if is_explainer(request.method) else domain for a, domain in zip(named, usual, strict=True)]
    scales = [len(a.layout.scales()) for a in named]
    if sides is not None:
        values: tuple[Interventions, ...] = (Interventions(),) * len(named)  # those of scales and words are in `sides`
    elif record is not None:
        values = tuple(map(kept_interventions, record.kept[: len(named)], scales))
    else:
        values = tuple(
            interventions_of(request, one.x, target.target, domain, count, progress)
            for domain, count in zip(domains, scales, strict=True)
        )
    further = tuple(
        attribution_by(method, loaded.module, one.x, target.target, domain=usual[0], batch_size=request.batch_size)
        for method in request.further_methods
    )
    beside = tuple(replace(a, provenance=a.provenance | made_by) for a in further)
    words = word_account(request, one, target.target, by_sample, progress)
    return Explanation(request, one, target, named, decomposed, kind.note(path), values, beside, words, sides)


def _split(sides: BothSides, usual: Sequence[Domain]) -> tuple[list[Attribution], tuple[Attribution, ...]]:
    """The signal's side in each of the domains, and in those of `decompose`."""
    several = sides.signals
    return list(several[: len(usual)]), several[len(usual) :]


def _attributions(
    request: Request,
    one: Input,
    target: ExplainedTarget,
    usual: Sequence[Domain],
    method: Any,
    progress: Progress,
) -> tuple[list[Attribution], tuple[Attribution, ...], Attribution | None]:
    """Those in each of the domains, in the domains of `decompose` and of words by sample, from the same gradients."""
    module = request.loaded.module
    if is_explainer(method):
        rows = request.batch_size
        return [attribution_by(method, module, one.x, target.target, domain=usual[0], batch_size=rows)], (), None
    beside = [Identity()] if request.kind.words(one) is not None else []
    several = attribute(
        module,
        one.x,
        target.target,
        domain=[*usual, *request.decompose, *beside],
        method=method,
        batch_size=request.batch_size,
        exact_passes=request.exact_passes,
        progress=progress,
    )
    by_sample = several.pop() if beside else None
    return several[: len(usual)], tuple(several[len(usual) :]), by_sample


def _model_provenance(loaded: LoadedModel) -> dict[str, str]:
    options = shlex.join(words_of(loaded.options))
    return {"model": shown_path(loaded.name)} | ({"model options": options} if options else {})
