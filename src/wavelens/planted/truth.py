"""The truth about a planted pattern in a domain: the fewest coefficients that hold most of its energy."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wavelens.core import Coefficients, Domain, Layout, signal_axes

ROUNDING = 64  # units in the last place by which a share may be missed


@dataclass(frozen=True, eq=False)
class Truth:
    """What an explanation of planted signals is held against, in one domain.

    `mask`, `(batch, 1, size)`, are the fewest coefficients with the `share` of the pattern's energy, `energy` the
    pattern's `|z|²` summed over channels, and `samples`, `(batch, *axes)`, the fewest samples with that share.
    """

    mask: Tensor
    energy: Tensor
    samples: Tensor
    layout: Layout

    @property
    def count(self) -> Tensor:
        """How many coefficients are true, `(batch,)`."""
        return self.mask.sum((-2, -1))


def truth(pattern: Tensor, domain: Domain, share: float = 0.9) -> Truth:
    """The fewest coefficients of `domain` that hold `share` of the energy of patterns `(batch, channel, *axes)`.

    Any domain: in a complex one a coefficient's energy is its squared modulus, in a redundant one the share is of the
    sum over all coefficients. A domain that depends on items must be bound to the signals. `ValueError` for a pattern
    that is zero: where nothing is planted there is no truth.

    >>> centre, phase = torch.full((1, 2), 8.0), torch.zeros(1)
    >>> pattern = wl.planted.Wave(4.0, (1.0, 0.0), 2.0).at(wl.planted.grid((16, 16)), centre, phase)[:, None]
    >>> known = wl.planted.truth(pattern, wl.DWT("haar", levels=3))
    >>> known.mask.shape, known.count.tolist()
    (torch.Size([1, 1, 256]), [20])
    """
    if not 0 < share < 1:
        raise ValueError(f"share, the part of the pattern's energy, must lie between 0 and 1; got {share}.")
    axes = signal_axes(pattern)
    pattern = pattern.detach()
    if not pattern.isfinite().all() or not (pattern.flatten(1) != 0).any(1).all():
        raise ValueError(
            "a pattern must be finite and not zero in each signal; got one that is. Leave out the signals without a "
            "pattern."
        )
    c = domain.analysis(pattern)
    energy = _energy(c.data)
    samples = _fewest(_energy(pattern.flatten(2)), share).unflatten(-1, axes)[:, 0]
    return Truth(_fewest(energy, share), energy, samples, c.layout)


def of_attribution(pattern: Tensor, attribution: Coefficients, share: float = 0.9) -> Truth:
    """The truth in the domain of an attribution of the signals that hold the pattern."""
    return truth(pattern, attribution.layout.domain, share)


def _energy(data: Tensor) -> Tensor:
    """`(batch, channel, size)` to squared moduli `(batch, 1, size)`, in double precision."""
    energy: Tensor = data.abs().double().square().sum(1, keepdim=True)
    return energy


def _fewest(energy: Tensor, share: float) -> Tensor:
    """The largest entries of each row that together hold the share, as a mask; of equal ones the first."""
    ordered, places = energy.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(-1) - ordered
    limit = share * energy.sum(-1, keepdim=True) * (1 - ROUNDING * torch.finfo(energy.dtype).eps)
    return torch.zeros_like(energy, dtype=torch.bool).scatter(-1, places, before < limit)
