"""Sharing ratio decomposition (Han, Kim and Kwak, ICLR 2024): relevance shared among vectors, not neurons.

The channels at one place of a layer form a vector. Between two layers of activations a network is affine, so a vector
before its activation, `u_q`, is a sum of what the vectors `v_p` of the layer before contribute, `A_qp v_p`, and of a
bias. The share of p in q is the part of q that it makes, along q:

    μ_qp = <A_qp v_p, u_q> / <u_q, u_q>                    R_p = Σ_q μ_qp R_q

It is measured before the activation, so that channels that stay silent count too. Since `Σ_q μ_qp R_q` is
`<v_p, (Aᵀ w)_p>` with `w_q = R_q u_q / |u_q|²`, all shares of a layer cost one backward pass through its affine part:
autograd does it, with one rule for activations. From `g`, what arrives at the vector `y_q` behind the activation, the
rule makes `R_q = <y_q, g_q>` and hands on `w_q`. Convolutions, normalisation, residual sums, means and the classifier
keep their own backward passes, in any number of axes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from wavelens.attribution import Attribution
from wavelens.baselines.explainer import check_module, in_pieces, on_samples
from wavelens.baselines.functions import Rules
from wavelens.baselines.layers import Entrance
from wavelens.engine.gradients import Gradients, Model
from wavelens.field_types import check_fields
from wavelens.targets import Target, scores


@dataclass(frozen=True)
class SRD:
    """The relevance of each place of the signal by sharing ratios, `(batch, 1, size)`, signed, in units of the score.

    It begins as each vector's own contribution to the score, and is read where the first layer takes the signal, behind
    normalisation. It adds up to the score, less what the biases on the way keep. For networks of affine layers,
    elementwise activations and max pooling, as ResNets and VGG are; `ValueError` names what else a model does.

    Where the paper leaves a choice: a bias has no place, and keeps its share; a residual sum is part of the affine
    step, so both branches are measured against the sum; a maximum over places is a layer of its own, whose shares are
    the channels that each place wins; relevance passes every layer on its way, those of a deep classifier too.
    """

    def __post_init__(self) -> None:
        check_fields(self)

    def __call__(self, model: Model, x: Tensor, target: Target, *, batch_size: int | None = None) -> Attribution:
        check_module(model, self)
        with Gradients(model, x, target, batch_size=batch_size) as ask:
            entrance = Entrance(ask)
            maps, score = in_pieces(ask, lambda items: _piece(ask, entrance, items))
            return on_samples(ask, self, target, maps, score)


def _piece(ask: Gradients, entrance: Entrance, items: Tensor) -> tuple[Tensor, Tensor]:
    """Relevances `(targets, items, 1, *axes)` and scores `(targets, items)`."""
    with torch.enable_grad():
        with entrance, Sharing():
            output = ask.output(entrance.enter(items), items)
        values = scores(ask.target, output, items)
    ask.spent[items.cpu()] += 1
    shares = [entrance.relevance(value.sum()) * entrance.seen for value in values]
    relevances = [entrance.on_signal(share.sum(1, keepdim=True)) for share in shares]
    return torch.stack(relevances).to(ask.dtype), torch.stack(values).detach().to(ask.dtype)


class Sharing(Rules):
    """While it is active, activations and maxima pass back relevance by sharing ratios."""

    explainer = SRD()

    def activation(self, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        before = args[0]
        return _Share.apply(before, function(before.detach().clone(), *args[1:], **kwargs))  # type: ignore[no-untyped-call]

    def maximum(self, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        output = function(*args, **kwargs)
        return _Share.apply(output, output.detach())  # type: ignore[no-untyped-call]


class _Share(torch.autograd.Function):
    """`y`, the activation of `u`, with the rule for relevance as its backward pass."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(u, y)
        return y.clone()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        u, y = ctx.saved_tensors
        relevance, length = (y * g).sum(1, keepdim=True), (u * u).sum(1, keepdim=True)
        return u * torch.where(length > 0, relevance / length.where(length > 0, 1), 0), None
