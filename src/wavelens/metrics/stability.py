"""Stability: whether an explanation stays the same where the input hardly changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from wavelens.core import Coefficients
from wavelens.domains.joint import Joint
from wavelens.engine.given import with_given
from wavelens.engine.gradients import Model
from wavelens.methods.averages import check_effort, generator, ranges
from wavelens.metrics.perturbation import check_attribution, single
from wavelens.metrics.several import takes_signals
from wavelens.seeds import stream
from wavelens.targets import Target

Explainer = Callable[[Model, Tensor, Target], Coefficients]
"""What a metric that explains anew is given: `(model, x, target)` to coefficients."""


@takes_signals()
def max_sensitivity(
    model: Model,
    x: Tensor,
    target: Target,
    attribution: Coefficients,
    *,
    explainer: Explainer,
    samples: int = 10,
    radius: float = 0.02,
    seed: int = 0,
    given: Sequence[Tensor] = (),
) -> Tensor:
    """The largest `‖Φ(x + δ) - Φ(x)‖ / ‖Φ(x)‖` over random δ, `(batch,)`; less is better (Yeh et al., 2019).

    `explainer` is what made the attribution `Φ(x)`, a function `(model, x, target) -> Coefficients` such as
    `functools.partial(attribute, domain=…, method=…)`. δ is uniform within `radius` times the item's range `max x -
    min x` around 0; it depends on `seed` and the sample's number alone. Where `Φ(x)` is 0 the change is not divided.

    >>> from functools import partial
    >>> explain = partial(wl.attribute, domain=wl.Identity(), method=wl.Saliency())
    >>> score = wl.metrics.max_sensitivity(model, x, 1, explain(model, x, 1), explainer=explain)
    >>> 0 < score.item() < 1
    True
    """
    model = with_given(model, given)
    check_effort(samples=samples)
    if not 0 <= radius <= torch.finfo(torch.float32).max:
        raise ValueError(
            f"radius, a fraction of the signal's range, must be at least 0 and finite; got radius={radius}."
        )
    check_attribution(x, attribution)
    single(target)
    scale = radius * spans(x, attribution)
    known = attribution.data.flatten(1)
    length = known.norm(dim=1)
    worst = torch.zeros_like(length)
    for k in range(samples):
        source = generator(stream(seed, "max_sensitivity"), k, x.device)  # not the noise of a SmoothGrad
        draw = 2 * torch.rand(x.shape[1:], generator=source, device=x.device, dtype=torch.float32) - 1
        perturbed = explained(explainer, model, x + draw.to(x.dtype) * scale, target, attribution)
        worst = torch.maximum(worst, (perturbed.data.flatten(1) - known).norm(dim=1))
    relative: Tensor = worst / length.where(length > 0, 1)
    return relative


def spans(x: Tensor, attribution: Coefficients) -> Tensor:
    """Each item's range `max x − min x`, or that of each signal, to be multiplied with `x`."""
    domain = attribution.layout.domain
    return ranges(x, tuple(domain.samples.values()) if isinstance(domain, Joint) else ())


def explained(explainer: Explainer, model: Model, x: Tensor, target: Target, attribution: Coefficients) -> Coefficients:
    """Another explanation by what made `attribution`; `ValueError` where it is not of the same layout and shape."""
    again = explainer(model, x, target)
    if again.layout != attribution.layout or again.data.shape != attribution.data.shape:
        own = attribution.layout.domain
        remedy = " Explain in attribution.layout.domain, which is bound to the items." if own.bound_tensors() else ""
        raise ValueError(
            f"explainer makes attributions like the one given, {tuple(attribution.data.shape)} in {own}; got "
            f"{tuple(again.data.shape)} in {again.layout.domain}.{remedy}"
        )
    return again
