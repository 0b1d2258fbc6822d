"""Layer-wise relevance propagation by Zennit, with the canonical form that it needs made for any network.

Zennit's rules belong to modules, and its own canonizers know the blocks of torchvision. Here the form is found by
watching a pass: each batch norm is merged into the layer that it follows, and sums, means and activations that are no
modules get their rule where they are called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from wavelens.attribution import Attribution
from wavelens.baselines.explainer import check_module, in_pieces, on_samples
from wavelens.baselines.functions import Rules
from wavelens.baselines.layers import LINEAR, Entrance, Visit, visits
from wavelens.engine.batchnorm_folding import lone_norms
from wavelens.engine.gradients import Gradients, Model
from wavelens.field_types import check_fields
from wavelens.optional import optional
from wavelens.targets import Target, scores

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
TINY = 1e-6  # Zennit's stabilizer


@dataclass(frozen=True)
class LRP:
    """Relevance by Zennit's `EpsilonPlusFlat`, `(batch, channel, size)` (Bach et al., 2015; Kohlbrenner et al., 2020).

    The flat rule in the first layer, z⁺ in convolutions, ε in linear layers, with batch norm merged and sums shared by
    contribution. It begins as `output ⊙ ∂f/∂output`, for a class its logit, and is read where the first layer takes the
    signal, behind normalisation; it adds up to the score, less what biases and silent places keep. For networks of
    affine layers, elementwise activations and pooling; `ValueError` names what else a model does. Needs the extra
    `baselines`.
    """

    def __post_init__(self) -> None:
        check_fields(self)

    def __call__(self, model: Model, x: Tensor, target: Target, *, batch_size: int | None = None) -> Attribution:
        module = check_module(model, self)
        with Gradients(model, x, target, batch_size=batch_size) as ask:
            score, entrance = ask.values(ask.x), Entrance(ask)  # rows are measured before the rules are there
            with _composite(ask, entrance).context(module):
                module.requires_grad_(False)  # Zennit's biases are new, and not frozen
                maps, _ = in_pieces(ask, lambda items: (_piece(ask, entrance, items), score[:, items]))
            return on_samples(ask, self, target, maps, score)


def _composite(ask: Gradients, entrance: Entrance) -> Any:
    """Zennit's EpsilonPlusFlat, whose first layer is the one that is called first."""
    order = visits(ask)
    calls: list[nn.Module] = [v.module for v in order if isinstance(v.module, LINEAR)]
    again = next((v.name for v in order if calls.count(v.module) > 1), None)
    if again is not None:
        raise ValueError(f"Zennit's rules hold for layers that run once in a pass; {again} runs more often.")
    composites, rules = (optional(f"zennit.{name}", "baselines") for name in ("composites", "rules"))
    first = composites.NameMapComposite([((entrance.first.name,), rules.Flat(stabilizer=TINY))])
    rest = composites.EpsilonPlus(epsilon=TINY, stabilizer=TINY)
    return composites.MixedComposite([first, rest], canonizers=[_merging(ask, order)])


def _merging(ask: Gradients, order: list[Visit]) -> Any:
    """Zennit's canonizer that merges each batch norm into the layer whose output it alone takes."""
    canonizers = optional("zennit.canonizers", "baselines")
    calls = [v.module for v in order]
    norms = {
        id(v.module.running_mean): v.name
        for v in order
        if isinstance(v.module, NORMS) and v.module.affine and calls.count(v.module) == 1
    }
    layers = {id(v.module.weight): v for v in order if isinstance(v.module, LINEAR)}
    kernels = [v.module.weight for v in layers.values()]
    read_by = lone_norms(lambda: ask.model(ask.x[:1].clone()), kernels)  # type: ignore[arg-type]
    pairs = [
        ((visit.name,), norms[id(read_by[kernel].mean)])
        for kernel, visit in layers.items()
        if kernel in read_by and id(read_by[kernel].mean) in norms
    ]
    return canonizers.NamedMergeBatchNorm(pairs)


def _piece(ask: Gradients, entrance: Entrance, items: Tensor) -> Tensor:
    """Relevances `(targets, items, channel, *axes)`."""
    with torch.enable_grad():
        with entrance, Relevance():
            output = ask.output(entrance.enter(items), items)
        if not isinstance(output, Tensor):
            raise TypeError(
                f"the model's output must be a tensor for {Relevance.explainer}; got {type(output).__name__}. Wrap the "
                "model in a module that returns its logits."
            )
        end = output.detach().requires_grad_()
        values = scores(ask.target, end, items)
        starts = [end.detach() * torch.autograd.grad(value.sum(), end, retain_graph=True)[0] for value in values]
    ask.spent[items.cpu()] += 1
    relevances = [entrance.on_signal(entrance.relevance(output, start)) for start in starts]
    return torch.stack(relevances).to(ask.dtype)


class Relevance(Rules):
    """While it is active: activations pass relevance on, sums and means share it by what each part contributes."""

    explainer = LRP()

    def activation(self, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        before = args[0]
        return _Pass.apply(before, function(before.detach().clone(), *args[1:], **kwargs))  # type: ignore[no-untyped-call]

    def sum(self, a: Tensor, b: Tensor, first: float, second: float) -> Any:
        return _Parts.apply(torch.stack([a, b]), lambda parts: first * parts[0] + second * parts[1])  # type: ignore[no-untyped-call]

    def mean(self, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        return _Parts.apply(args[0], lambda parts: function(parts, *args[1:], **kwargs))  # type: ignore[no-untyped-call]


class _Pass(torch.autograd.Function):
    """`y`, the activation of `u`; relevance goes through as it is."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, y: Tensor) -> Tensor:
        return y.clone()

    @staticmethod
    def backward(ctx: Any, relevance: Tensor) -> tuple[Tensor, None]:
        return relevance, None


class _Parts(torch.autograd.Function):
    """A linear function of parts, each of which gets relevance in proportion to what it contributes."""

    @staticmethod
    def forward(ctx: Any, parts: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.save_for_backward(parts)
        ctx.function = function
        return function(parts)

    @staticmethod
    def backward(ctx: Any, relevance: Tensor) -> tuple[Tensor, None]:
        (parts,) = ctx.saved_tensors
        with torch.enable_grad():
            given = parts.detach().requires_grad_()
            whole = ctx.function(given)
            away = torch.where(whole >= 0, TINY, -TINY)
            (share,) = torch.autograd.grad(whole, given, relevance / (whole + away).detach())
        return parts * share, None
