"""Complexity: how few coefficients an attribution rests on. The model is not evaluated."""

from __future__ import annotations

import torch
from torch import Tensor

from wavelens.core import Coefficients
from wavelens.engine.gradients import Model
from wavelens.masks.ranking import importance
from wavelens.metrics.perturbation import check_attribution
from wavelens.metrics.several import takes_signals
from wavelens.targets import Target


@takes_signals()
def sparseness(model: Model, x: Tensor, target: Target, attribution: Coefficients) -> Tensor:
    """The Gini index of the mean of `|γ|` over channels, `(batch,)`: 0 for an even map, 1 - 1 / N for one coefficient.

    (Hurley and Rickard, 2009; Chalasani et al., 2020.) A map of zeros counts as even.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> [round(score, 3) for score in wl.metrics.sparseness(model, x, 1, a).tolist()]
    [0.592]
    """
    size = _size(x, attribution)
    count = size.shape[1]
    weights = 2 * torch.arange(1, count + 1, device=size.device, dtype=size.dtype) - count - 1
    total = size.sum(1)
    return (size.sort(1).values * weights).sum(1) / (count * total.where(total > 0, 1))


@takes_signals()
def complexity(model: Model, x: Tensor, target: Target, attribution: Coefficients) -> Tensor:
    """The entropy of each coefficient's share of `|γ|`, in nats, `(batch,)`: log N for an even map, 0 for one.

    (Bhatt et al., 2020.) `|γ|` is the mean over channels; a map of zeros counts as even.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> [round(score, 3) for score in wl.metrics.complexity(model, x, 1, a).tolist()]
    [3.547]
    """
    size = _size(x, attribution)
    total = size.sum(1, keepdim=True)
    share = torch.where(total > 0, size / total, 1 / size.shape[1])
    return -torch.xlogy(share, share).sum(1)


def _size(x: Tensor, attribution: Coefficients) -> Tensor:
    """`|γ|`, `(batch, size)`, in float64, as a sum over all coefficients is taken."""
    check_attribution(x, attribution)
    return importance(attribution)[:, 0].double()
