"""What suffices: coefficients entered greedily, the most useful of each moment first (after Mallat and Zhang, 1993)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from wavelens.core import Coefficients, Domain, Layout, real_product, signal_axes
from wavelens.engine.given import with_given
from wavelens.engine.gradients import Gradients, Model
from wavelens.masks.fills import Fixed, mixed
from wavelens.masks.mask import Mask
from wavelens.masks.ranking import counts_along, descending
from wavelens.methods.averages import check_effort
from wavelens.signals import packed, packed_baseline
from wavelens.targets import Several, Target


@dataclass(frozen=True, eq=False)
class Pursuit:
    """The order in which coefficients were entered, and the score on the way.

    `order`, `(batch, 1, size)`, is largest for the coefficient that was entered first, so that metrics, `masks.top` and
    plots take it like an attribution. `counts` are the sizes at which gradients were taken, from none to all, `scores`
    the explained number there, `(batch, sizes)`.
    """

    order: Coefficients
    counts: tuple[int, ...]
    scores: Tensor

    def sufficient(self, share: float = 1.0) -> Tensor:
        """The least of `counts` whose score has come `share` of the way from the start to the signal, `(batch,)`."""
        if not 0 <= share <= 1:
            raise ValueError(f"share, a part of the way to the signal's score, must lie between 0 and 1; got {share}.")
        first, last = self.scores[:, :1], self.scores[:, -1:]
        reached = (self.scores - first) * (last - first) >= share * (last - first) ** 2
        reached[:, -1] = True
        return torch.tensor(self.counts, device=reached.device)[reached.int().argmax(1)]

    def mask(self, share: float = 1.0) -> Mask:
        """The coefficients that suffice for `share` of the way, as many as each item needs, `(batch, 1, size)`."""
        data = self.order.data
        least = data.shape[-1] - self.sufficient(share).to(data)[:, None, None]
        return Mask((data > least).to(self.scores), self.order.layout)


def pursuit(
    model: Model,
    x: Tensor | Mapping[str, Tensor],
    target: Target,
    *,
    domain: Domain | Mapping[str, Domain],
    steps: int = 25,
    baseline: float | Tensor | Mapping[str, float | Tensor] = 0.0,
    given: Sequence[Tensor] = (),
    batch_size: int | None = None,
) -> Pursuit:
    """Enters the coefficients with the largest `g · d` first, in at most `steps` groups of growing size.

    The start is `baseline`, a number, a signal or one for each item, and `d = W(x - x₀)`. At each of the sizes `(1 +
    N)^(k / steps) - 1`, rounded, the gradient `P g` is taken at the signal with the coefficients entered so far, and
    those with the largest `Re(conj(d) ⊙ P g)`, summed over channels, enter next. One gradient per step and item. `x` is
    a signal `(batch, channel, *axes)`, several by name, as in `minimal`; `given` and `batch_size` too.

    This is a ceiling for insertion, not an explanation: it is optimised for what insertion measures. On planted tasks
    such orders find almost none of the decisive pattern, yet insertion rates them highly. Read a measure between this
    ceiling and its floors, `metrics.energy_order` and `metrics.random_order`.

    >>> found = wl.masks.pursuit(model, x, 1, domain=wl.DWT("haar", levels=2), steps=8)
    >>> found.counts, int(found.sufficient(0.9))
    ((0, 1, 2, 4, 7, 13, 22, 38, 64), 22)
    """
    if isinstance(x, Mapping):
        model, one, joint = packed(model, x, domain)
        options: dict[str, Any] = {"steps": steps, "given": given, "batch_size": batch_size}
        return pursuit(model, one, target, domain=joint, baseline=packed_baseline(joint, x, baseline, 0.0), **options)
    if isinstance(domain, Mapping) or isinstance(baseline, Mapping):
        raise ValueError("one signal must have one domain and one baseline; got them by name. Give x by name too.")
    if isinstance(target, Several):
        raise ValueError("a pursuit must have one target; got targets.Several. Make a call for each of them.")
    check_effort(steps=steps)
    with Gradients(with_given(model, given), x, target, batch_size=batch_size) as ask:
        bound = domain.bind(ask.x)
        layout = bound.layout(signal_axes(ask.x))
        sizes = counts_along(torch.tensor([layout.size], device="cpu"), steps, "log")[0]
        counts = sizes.unique().tolist()
        fill = Fixed(ask.x, bound, baseline, ask.dtype)
        order = ask.x.new_zeros(len(ask.x), layout.size, dtype=torch.float64)  # 0 for what has not entered
        scores = []
        for before, after in pairwise(counts):
            gains, score = _gains(ask, layout, fill, order > 0)
            places = descending(gains.where(order == 0, -torch.inf))[:, : after - before]
            numbers = torch.arange(before, after, device=order.device, dtype=order.dtype)
            order.scatter_(1, places, (layout.size - numbers).expand_as(places))
            scores.append(score)
        scores.append(ask.values(ask.x)[0])
    return Pursuit(Coefficients(order[:, None], layout), tuple(counts), torch.stack(scores, 1))


def _gains(ask: Gradients, layout: Layout, fill: Fixed, entered: Tensor) -> tuple[Tensor, Tensor]:
    """`Re(conj(d) ⊙ P g)` summed over channels, `(batch, size)`, and the score, where these have entered."""
    items = torch.arange(len(ask.x), device=ask.x.device)
    z0, step = fill(items, items)
    gains, score = torch.empty_like(entered, dtype=ask.dtype), ask.x.new_empty(len(items), dtype=ask.dtype)

    def points(rows: slice) -> Tensor:
        mask = entered[rows, None].to(ask.dtype)
        base = None if z0 is None else z0[rows]
        return mixed(mask, base, step[rows], layout.at(items[rows])).to(ask.x.dtype)

    for rows, g, values in ask.rows_at(items, points):
        own = layout.at(items[rows])
        gains[rows] = real_product(step[rows], own.domain.adjoint(g[0], own).data).sum(1)
        score[rows] = values[0]
    return gains, score
