"""Transfer: whether the order that one network's explanation gives works on another network."""

from __future__ import annotations

from typing import Unpack

from torch import Tensor

from wavelens.core import Coefficients
from wavelens.engine.gradients import Model
from wavelens.metrics.curves import Options, faithfulness
from wavelens.targets import Target


def transfer(
    model: Model, x: Tensor, target: Target, attribution: Coefficients, *, other: Model, **options: Unpack[Options]
) -> Tensor:
    """`faithfulness` of the attribution on `other`, `(batch,)`; more is better.

    `other` is a network of the same input and classes. Whatever one network's mask keeps and another network needs as
    well lies in the signal, or in what both have learnt; an order that transfers no better than the energy order may be
    specific to its network. Options are those of `curves`; `given` is what the other network is given.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> other = lambda x: x.square().flatten(1) @ torch.ones(64, 2, dtype=x.dtype).tril()
    >>> wl.metrics.transfer(model, x, 1, a, other=other, steps=4).shape
    torch.Size([1])
    """
    return faithfulness(other, x, target, attribution, **options)
