"""NAdam (Dozat, 2016) for rows that are optimised side by side, each with its own count of steps."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

BETAS, EPSILON, DECAY = (0.9, 0.999), 1e-8, 4e-3  # those of torch.optim.NAdam, whose steps these are


def descend(values: Tensor, gradient: Tensor, mean: Tensor, square: Tensor, steps: Tensor, lr: float) -> None:
    """One step of each row, in place; all are `(rows, …)`, `taken`, the steps before, `(rows,)` on the CPU.

    `mean` and `square` are the moments, zero before the first step; `gradient` is spent.
    """
    column = (-1, *[1] * (values.ndim - 1))
    weights = _weights(int(steps.max()) + 1)[steps].to(values)
    now, ahead, epsilon = (part.view(column) for part in weights.unbind(1))
    mean.lerp_(gradient, 1 - BETAS[0])
    square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
    direction = gradient.mul_(now).addcmul_(mean, ahead)
    values.addcdiv_(direction, square.sqrt().add_(epsilon), value=-lr)


def _weights(steps: int) -> Tensor:
    """What each step weighs gradient and mean with, and its epsilon, for at least so many steps.

    All are divided by the root of what the mean square is weighed with, 1 / (1 - β₂ᵗ): a pass less over the rows.
    """
    return _table(1 << max(9, (steps - 1).bit_length()))


@lru_cache(maxsize=4)
def _table(steps: int) -> Tensor:
    t = torch.arange(1, steps + 2, dtype=torch.float64, device="cpu")
    momentum = BETAS[0] * (1 - 0.5 * 0.96 ** (t * DECAY))
    product = momentum.cumprod(0)
    now = (1 - momentum) / (1 - product)
    ahead = momentum[1:] / (1 - product[1:])
    root = (1 - BETAS[1] ** t[:-1]).sqrt()
    return torch.stack([now[:-1], ahead, torch.full_like(ahead, EPSILON)], 1) * root[:, None]
