"""Randomization: whether an explanation depends on what the model has learnt (Adebayo et al., 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Required, TypedDict, Unpack

import torch
from torch import Tensor, nn

from wavelens.core import Coefficients
from wavelens.engine.copies import copied
from wavelens.engine.frozen import frozen_model, seed_device
from wavelens.engine.given import with_given
from wavelens.masks.ranking import importance
from wavelens.metrics.correlation import spearman, student
from wavelens.metrics.perturbation import check_attribution, single
from wavelens.metrics.several import takes_signals
from wavelens.metrics.stability import Explainer, explained
from wavelens.seeds import stream
from wavelens.targets import Target

ORDERS = ("top-down", "bottom-up")


@dataclass(frozen=True, eq=False)
class Randomization:
    """How much of an explanation is left when layers are reset.

    `correlation` is Spearman's between the maps `|γ|` (mean over channels) before and after, `(layers, batch)`, in the
    order of `layers`; NaN where one of them is constant. For an explanation that depends on the model it falls to 0.
    """

    layers: tuple[str, ...]
    correlation: Tensor

    @property
    def mean(self) -> Tensor:
        """Over the items that have a correlation, `(layers,)`."""
        return self.correlation.nanmean(1)

    def interval(self, level: float = 0.95) -> tuple[Tensor, Tensor]:
        """Student's t interval of the mean over items, `(layers,)` each; NaN for fewer than six of them."""
        if not 0 < level < 1:
            raise ValueError(f"level must lie between 0 and 1; got {level}.")
        count = self.correlation.isfinite().sum(1).to(self.correlation)
        squares = (self.correlation - self.mean[:, None]).square().nansum(1)
        arm = student(level, count - 1) * (squares / (count * (count - 1))).sqrt()
        return self.mean - arm, self.mean + arm


class Options(TypedDict, total=False):
    """The options of `randomization`, which its means share."""

    explainer: Required[Explainer]
    order: str
    layers: Sequence[str] | None
    seed: int
    given: Sequence[Tensor]


@takes_signals()
def randomization(
    model: nn.Module,
    x: Tensor,
    target: Target,
    attribution: Coefficients,
    *,
    explainer: Explainer,
    cascade: bool = True,
    order: str = "top-down",
    layers: Sequence[str] | None = None,
    seed: int = 0,
    given: Sequence[Tensor] = (),
) -> Randomization:
    """What is left of an explanation when layers are reset one after another (`cascade`), or one at a time.

    `explainer` is what made the attribution, a function `(model, x, target) -> Coefficients`. `layers` are names of
    modules from the first to the last, each reset with all that it holds; by default every module with parameters of
    its own, and these alone. `order` goes through them from the output ("top-down", as first published) or from the
    input. A module is reset by its own `reset_parameters()`, else its parameters are drawn from a normal distribution
    with their mean and standard deviation. The model comes back as it was, after an error too.

    >>> from functools import partial
    >>> explain = partial(wl.attribute, domain=wl.Identity(), method=wl.Saliency())
    >>> result = wl.metrics.randomization(model, x, 1, explain(model, x, 1), explainer=explain)
    >>> result.layers, bool(result.correlation.abs().max() < 0.5)
    (('1',), True)
    """
    check_attribution(x, attribution)
    single(target)
    if order not in ORDERS:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}; got {order!r}.")
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a module whose layers can be reset; got {type(model).__name__}.")
    names = list(own_parameters(model) if layers is None else layers)
    modules = dict(model.named_modules())
    randomized_model = with_given(model, given)
    unknown = [name for name in names if name not in modules]
    if unknown or not names:
        raise ValueError(f"layers must be names of modules of the model; got {', '.join(unknown) or 'none'}.")
    empty = [name for name in names if not any(True for _ in modules[name].parameters())]
    if empty:
        raise ValueError(f"layers hold parameters that can be reset; {', '.join(empty)} holds none. Name another.")
    names = names if order == "bottom-up" else names[::-1]
    before = importance(attribution)[:, 0]
    correlations = []
    with frozen_model(model, x):
        for name in names:
            with nullcontext() if cascade else frozen_model(model, x):
                _reset(modules[name], name, seed, whole=layers is not None)
                after = explained(explainer, randomized_model, x, target, attribution)
            correlations.append(spearman(before, importance(after)[:, 0]))
    return Randomization(tuple(names), torch.stack(correlations))


@takes_signals()
def cascading(
    model: nn.Module, x: Tensor, target: Target, attribution: Coefficients, **options: Unpack[Options]
) -> Tensor:
    """The mean correlation over a cascade of resets, `(batch,)`; less is better. See `randomization` for options.

    >>> from functools import partial
    >>> explain = partial(wl.attribute, domain=wl.Identity(), method=wl.Saliency())
    >>> wl.metrics.cascading(model, x, 1, explain(model, x, 1), explainer=explain).shape
    torch.Size([1])
    """
    return randomization(model, x, target, attribution, cascade=True, **options).correlation.nanmean(0)


@takes_signals()
def independent(
    model: nn.Module, x: Tensor, target: Target, attribution: Coefficients, **options: Unpack[Options]
) -> Tensor:
    """The mean correlation over layers reset one at a time, `(batch,)`; less is better. Options: `randomization`.

    >>> from functools import partial
    >>> explain = partial(wl.attribute, domain=wl.Identity(), method=wl.Saliency())
    >>> wl.metrics.independent(model, x, 1, explain(model, x, 1), explainer=explain).shape
    torch.Size([1])
    """
    return randomization(model, x, target, attribution, cascade=False, **options).correlation.nanmean(0)


def randomized(model: nn.Module, *, seed: int = 0) -> nn.Module:
    """A copy of the model with every layer reset as `randomization` resets them; global random states stay.

    `ValueError` where a copy would not be the model, as where a patched `forward` still calls the original.
    """
    return reset(copied(model), seed=seed)


def reset(model: nn.Module, *, seed: int = 0) -> nn.Module:
    """The model itself with every layer reset; global random states stay."""
    devices = {p.device for p in model.parameters() if p.device.type == "cuda"}
    with torch.random.fork_rng(list(devices)):
        reset_whole(model, seed)
    return model


def reset_whole(model: nn.Module, seed: int) -> None:
    """Reset every layer of the model; the caller gives global random states back, as `frozen_model` does."""
    _reset(model, "", seed, whole=True)


def own_parameters(model: nn.Module) -> list[str]:
    """Names of the modules that hold parameters of their own, in the model's order."""
    return [name for name, module in model.named_modules() if any(True for _ in module.parameters(recurse=False))]


def _reset(module: nn.Module, name: str, seed: int, whole: bool) -> None:
    """Fresh parameters for a module, and with `whole` all that it holds, from the seed and the names alone."""
    for inner, part in module.named_modules(prefix=name) if whole else [(name, module)]:
        own = list(part.parameters(recurse=False))
        if not own:
            continue
        for device in {p.device for p in own}:
            seed_device(device, stream(seed, inner))
        fresh = getattr(part, "reset_parameters", None)
        if callable(fresh):
            fresh()
            continue
        with torch.no_grad():
            for p in own:
                p.copy_(torch.randn_like(p) * p.std(correction=0) + p.mean())
