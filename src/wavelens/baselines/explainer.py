"""Explainers: frozen values called as `(model, x, target) -> Attribution`, whatever they do inside a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from wavelens.attribution import Attribution, attribute, provenance
from wavelens.core import Domain
from wavelens.domains import Identity
from wavelens.engine.gradients import Gradients, Model
from wavelens.methods import Method, Saliency
from wavelens.models.black_box import check_no_black_box
from wavelens.own import text_of
from wavelens.targets import Several, Target, describe, texts


@dataclass(frozen=True)
class FromMethod:
    """A method in a domain as an explainer: `attribute(model, x, target, domain=…, method=…)`.

    In `Identity()` these are the pixel baselines: `FromMethod(SmoothGrad())`, `FromMethod(Zennit("GuidedBackprop"))`.
    In a wavelet domain it is the wavelet attribution itself, `FromMethod(SmoothGrad(), DWT("haar"))`.
    """

    method: Method = field(default_factory=Saliency)
    domain: Domain = field(default_factory=Identity)

    def __post_init__(self) -> None:
        if isinstance(self.method, type) or not callable(self.method):
            raise ValueError(f"method must be a method's value such as SmoothGrad(); got {self.method!r}.")
        if not isinstance(self.domain, Domain):
            raise ValueError(f"domain must be one domain such as Identity() or DWT('haar'); got {self.domain!r}.")

    def __call__(self, model: Model, x: Tensor, target: Target, *, batch_size: int | None = None) -> Attribution:
        return attribute(model, x, target, domain=self.domain, method=self.method, batch_size=batch_size)


def check_module(model: Any, explainer: object) -> nn.Module:
    """The model; `TypeError` for a function: its layers cannot be seen."""
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"model must be an nn.Module for {explainer}, which looks at its layers; got {type(model).__name__}. Wrap "
            "the function in a module that holds its layers; of a LoadedModel pass `loaded.module`."
        )
    check_no_black_box(model)
    return model


def on_samples(ask: Gradients, explainer: object, target: Target, maps: Tensor, score: Tensor) -> Attribution:
    """Maps `(targets, batch, 1 or channel, *axes)` and scores `(targets, batch)` as an attribution to samples."""
    layout = Identity().analysis(ask.x[:1]).layout
    data = maps.detach().flatten(3)
    if not isinstance(target, Several):
        data, score = data[0], score[0]
    if not data.isfinite().all():
        raise ValueError(
            f"what {explainer} finds must be finite; got NaN or infinity. Look for layers of this model with infinite "
            "or undefined outputs, and for overflow if it runs in half precision."
        )
    return Attribution(
        data,
        layout,
        method=text_of(explainer),
        target=describe(target),
        targets=texts(ask.target, len(ask.x)),
        score=score,
        spent=ask.spent,
        provenance=provenance(ask),
    )


def in_pieces(ask: Gradients, explain: Callable[[Tensor], tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """What `explain(items)` gives, maps and scores `(targets, items, …)`, for as many items at a time as fit memory."""
    parts: list[tuple[Tensor, Tensor]] = []
    start = 0
    while start < len(ask.x):
        items = torch.arange(start, min(start + ask.rows, len(ask.x)), device=ask.x.device)
        maps, values = explain(items)
        if ask.values_agree(ask.x[items], items, values):
            parts.append((maps, values))
            start += len(items)
    maps, values = (torch.cat(part, 1) for part in zip(*parts, strict=True))
    return maps, values
