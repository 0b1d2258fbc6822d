"""Further methods and explainers side by side with the first: how they are run, recorded and called in files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from wavelens.attribution import Attribution, attribute
from wavelens.baselines import EXPLAINERS
from wavelens.baselines.controls import CONTROLS
from wavelens.core import Domain
from wavelens.explaining.summary import profile_rows
from wavelens.grid import Grid
from wavelens.marginal import short_texts
from wavelens.methods.lift import Method
from wavelens.own import is_own_explainer, text_of
from wavelens.targets import Target, describe, texts

BY_METHOD = ".safetensors"  # for each further method, after the input's name and the method's


def is_explainer(value: Any) -> bool:
    """Whether a value is called with the model and brings a domain of its own, as `GradCAM()` and the controls do."""
    return isinstance(value, (*EXPLAINERS, *CONTROLS)) or is_own_explainer(value)


def attribution_by(
    method: Any, module: nn.Module, x: Tensor, target: Target, *, domain: Domain, batch_size: int | None
) -> Attribution:
    """What a method finds in a domain, or an explainer in its own."""
    if not is_explainer(method):
        by_method: Method = method
        return attribute(module, x, target, domain=domain, method=by_method, batch_size=batch_size)
    result = method(module, x, target, batch_size=batch_size)
    if isinstance(result, Attribution):
        return result
    named: dict[str, Any] = {"method": text_of(method), "target": describe(target), "targets": texts(target, len(x))}
    return Attribution(result.data, result.layout, **named)


def method_bases(methods: Sequence[str]) -> list[str]:
    """What follows an input's name in the file of each further method, by its text: '-GradCAM', '-SmoothGrad-2'."""
    return [f"-{name}" for name in short_texts(methods)]


def methods_summary(several: Sequence[Attribution], grid: Grid) -> dict[str, Any]:
    """For JSON, what each further method says; nothing where there is none."""
    records = []
    for a in several:
        scalars = {"score": a.score, "gap": a.gap}
        numbers = {name: None if value is None else value.reshape(-1)[0].item() for name, value in scalars.items()}
        records.append({"method": a.method, "domain": text_of(a.domain), **numbers, "profile": profile_rows(a, grid)})
    return {"further_methods": records} if records else {}
