"""A path from the blurred signal to the signal itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wavelens.engine.gradients import Gradients, Items
from wavelens.field_types import check_fields
from wavelens.methods.averages import check_effort
from wavelens.methods.lift import Lift, Outcome


@dataclass(frozen=True)
class BlurredPath:
    """Integrated gradients from the signal behind a Gaussian to the signal itself (Xu et al., 2020).

    `sigma` is the standard deviation of the widest Gaussian, in samples; it shrinks to 0 in `steps` equal parts. Within
    each part the path is straight, and the gradient halfway is multiplied with what the part adds, in the domain. The
    attribution adds up to the score minus that of the blurred signal, the `baseline_score`. Every node is pulled back,
    since what is added changes from part to part. `CoarseToFine` is its counterpart by a domain's own scales. Several
    signals have no axis in common to blur along and are refused.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.BlurredPath(sigma=2.0, steps=64))
    >>> bool(a.gap.abs() < 1e-3)
    True
    """

    sigma: float = 20.0
    steps: int = 25

    def __post_init__(self) -> None:
        check_effort(steps=self.steps)
        check_width(self.sigma)
        check_fields(self)

    def __call__(self, ask: Gradients, lifts: list[Lift], baseline: Tensor | float | None) -> Outcome:
        if ask.parts:
            raise ValueError(f"{self} blurs one signal along its axes; got several. Take CoarseToFine.")
        score = ask.values(ask.x)  # first: these passes show what those for gradients can leave out
        shape = (ask.targets, *ask.x.shape[:2])
        data = [ask.x.new_zeros((*shape, lift.layout.size), dtype=ask.dtype) for lift in lifts]

        def corner(items: Items, k: int) -> Tensor:
            return blurred(ask.x[items].to(ask.dtype), self.sigma * (1 - k / self.steps))

        def point(items: Items, k: int) -> Tensor:
            return ((corner(items, k) + corner(items, k + 1)) / 2).to(ask.x.dtype)

        for place, k, g, _ in ask.each(point, self.steps):
            step = corner(place, k + 1) - corner(place, k)
            for whole, lift in zip(data, lifts, strict=True):
                whole[:, place] += lift.of(place).account(step, g)
        return Outcome(data, score, corner(slice(None), 0).to(ask.x.dtype))


def check_width(sigma: float) -> None:
    """`ValueError` unless the width of a Gaussian is finite and above 0."""
    if not (isinstance(sigma, int | float) and math.isfinite(sigma) and sigma > 0):
        raise ValueError(f"sigma, the blur's width in samples, must be finite and above 0; got sigma={sigma}.")


def blurred(x: Tensor, sigma: float) -> Tensor:
    """`x`, `(batch, channel, *axes)`, behind a Gaussian of standard deviation `sigma`, in samples; itself at 0.

    Near an end the weights of the samples that are there add up to 1.
    """
    for dim in range(2, x.ndim if sigma > 0 else 2):
        x = _along(x.movedim(dim, -1), sigma).movedim(-1, dim)
    return x


def _along(x: Tensor, sigma: float) -> Tensor:
    reach = min(math.ceil(4 * sigma), x.shape[-1] - 1)
    offsets = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)[None, None]
    wide = nn.functional.conv1d(x.reshape(-1, 1, x.shape[-1]), kernel, padding=reach)
    weight = nn.functional.conv1d(torch.ones_like(x[:1, 0].reshape(-1, 1, x.shape[-1])[:1]), kernel, padding=reach)
    return (wide / weight).reshape(x.shape)
