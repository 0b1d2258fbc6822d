"""Controls that every table of metrics carries: attributions that know nothing of the model."""

from __future__ import annotations

import torch
from torch import Tensor

from wavelens.core import Coefficients, Domain, signal_axes
from wavelens.engine.gradients import HALF
from wavelens.methods.averages import generator
from wavelens.methods.paths import starting_points


def random_order(x: Tensor, domain: Domain, *, seed: int = 0) -> Coefficients:
    """Coefficients in random order, `(batch, 1, size)`: the same for every item, and for a seed.

    >>> order = wl.metrics.random_order(x, wl.DWT("haar", levels=2))
    >>> wl.metrics.insertion(model, x, 1, order, steps=8).shape
    torch.Size([1])
    """
    layout = domain.bind(x.detach()).layout(signal_axes(x))
    draw = torch.randperm(layout.size, generator=generator(seed, 0, torch.device("cpu")), device="cpu") + 1
    draw = draw.to(x.device, torch.float32 if x.dtype in HALF else x.dtype)  # half precision has not enough numbers
    return Coefficients(draw.expand(len(x), 1, -1), layout)


def energy_order(x: Tensor, domain: Domain, *, baseline: Tensor | float = 0.0) -> Coefficients:
    """The coefficients of the signal over the baseline, `W(x - x₀)`, `(batch, channel, size)`: largest first.

    >>> order = wl.metrics.energy_order(x, wl.DWT("haar", levels=2))
    >>> [round(score, 3) for score in wl.metrics.insertion(model, x, 1, order, steps=8).tolist()]
    [0.697]
    """
    x = x.detach()
    return domain.bind(x).analysis(x - starting_points(x, baseline))
