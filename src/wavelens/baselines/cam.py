"""Class activation maps: the outputs of one layer, weighted by the gradient there, over any number of axes.

The maps are raw: neither stretched to [0, 1] nor cut to 8 bits, as those who look at them like to have it, so that
they can be compared between items.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.module import register_module_forward_hook

from wavelens.attribution import Attribution
from wavelens.baselines.explainer import check_module, in_pieces, on_samples
from wavelens.baselines.layers import Visit, as_map, hooked, last_with_axes, named
from wavelens.engine.gradients import Gradients, Model
from wavelens.field_types import check_fields
from wavelens.targets import Target


@dataclass(frozen=True)
class _ActivationMap(ABC):
    """`relu(Σ_channels weight ⊙ activation)` of a layer, interpolated linearly to the signal's samples."""

    layer: str | None = None

    def __post_init__(self) -> None:
        check_fields(self)

    def __call__(self, model: Model, x: Tensor, target: Target, *, batch_size: int | None = None) -> Attribution:
        check_module(model, self)
        with Gradients(model, x, target, batch_size=batch_size) as ask:
            layer = last_with_axes(ask) if self.layer is None else named(ask, self.layer)
            maps, score = in_pieces(ask, lambda items: self._piece(ask, layer, items))
            return on_samples(ask, self, target, maps, score)

    def _piece(self, ask: Gradients, layer: Visit, items: Tensor) -> tuple[Tensor, Tensor]:
        """Maps `(targets, items, 1, *axes)` and scores `(targets, items)`."""
        activation, values = _cut_at(ask, layer, items)
        with ask.exact():
            gradients = [_gradient(value, activation, self) for value in values]
        here, *weighing = (as_map(ask, t.detach(), layer.module).to(ask.dtype) for t in (activation, *gradients))
        small = [(self._weights(g, here) * here).sum(1, keepdim=True).relu() for g in weighing]
        large = torch.stack([enlarged(one, ask.x.shape[2:]) for one in small])
        return large, torch.stack(values).detach().to(ask.dtype)

    @abstractmethod
    def _weights(self, gradient: Tensor, activation: Tensor) -> Tensor:
        """What the activation is multiplied with."""


@dataclass(frozen=True)
class GradCAM(_ActivationMap):
    """A channel's weight is the mean of its gradient over places (Selvaraju et al., 2017).

    `layer` is the name of a layer as in `model.named_modules()`, or the end of one; `None` takes the last layer with
    the signal's axes before they are pooled, or before they become maps of the classes' scores. It gives `(batch,
    channel, *axes)`, or in transformers of timm tokens of patches. The map is not negative and has one channel,
    `(batch, 1, size)`: a layer knows none of the signal's.
    """

    def _weights(self, gradient: Tensor, activation: Tensor) -> Tensor:
        return gradient.mean(_places(gradient), keepdim=True)


@dataclass(frozen=True)
class GradCAMPlusPlus(_ActivationMap):
    """A channel's weight is `Σ relu(g) α` over places, `α = 1 / (2 + g Σ a)` (Chattopadhay et al., 2018).

    This is their `α = g² / (2 g² + g³ Σ a)`, for an exponential of the score. It is meant for layers without negative
    outputs; where they have such a sum that `2 + g Σ a` vanishes, α is taken as 0. `layer` as for `GradCAM`.
    """

    def _weights(self, gradient: Tensor, activation: Tensor) -> Tensor:
        places = _places(gradient)
        below = 2 + gradient * activation.sum(places, keepdim=True)
        alpha = torch.where(below == 0, 0, 1 / below.where(below != 0, 1))
        return (gradient.relu() * alpha).sum(places, keepdim=True)


@dataclass(frozen=True)
class LayerCAM(_ActivationMap):
    """Each place of each channel has its own weight, `relu(g)` (Jiang et al., 2021); `layer` as for `GradCAM`.

    It can be asked of early layers too, whose maps are finer.
    """

    def _weights(self, gradient: Tensor, activation: Tensor) -> Tensor:
        return gradient.relu()


def enlarged(maps: Tensor, axes: Sequence[int]) -> Tensor:
    """Linear interpolation of maps `(…, *small)` to `(…, *axes)`, one axis after another."""
    for k, n in enumerate(axes):
        dim = k - len(axes)
        lines = maps.movedim(dim, -1)
        long = functional.interpolate(lines.reshape(1, -1, lines.shape[-1]), n, mode="linear", align_corners=False)
        maps = long.reshape(*lines.shape[:-1], n).movedim(-1, dim)
    return maps


def _cut_at(ask: Gradients, layer: Visit, items: Tensor) -> tuple[Tensor, list[Tensor]]:
    """What the layer gives for some items, cut off from what is before it, and the scores that follow from it."""
    calls: list[Tensor] = []

    def cut(module: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
        if module is not layer.module:
            return None
        calls.append(output.detach().requires_grad_())
        return calls[-1].clone() if len(calls) == layer.call + 1 else None  # what follows may work in place

    with torch.enable_grad(), hooked(register_module_forward_hook, cut):
        values = ask.scores(ask.x[items].clone(), items)
    ask.spent[items.cpu()] += 1
    return calls[layer.call], values


def _gradient(value: Tensor, activation: Tensor, explainer: _ActivationMap) -> Tensor:
    if value.requires_grad:
        (gradient,) = torch.autograd.grad(value.sum(), activation, retain_graph=True, allow_unused=True)
        if gradient is not None:
            return gradient
    raise ValueError(f"the explained output depends on the layer of {explainer}; this one does not. Name another.")


def _places(maps: Tensor) -> tuple[int, ...]:
    return tuple(range(2, maps.ndim))
