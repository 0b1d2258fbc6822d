"""Remove and debias: deletion in which neighbours stand in for what is removed (ROAD; Rong et al., 2022)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from wavelens.core import Coefficients, Domain, Layout
from wavelens.domains.joint import Joint
from wavelens.engine.given import with_given
from wavelens.engine.gradients import Gradients, Model
from wavelens.masks.ranking import Reduce, magnitude
from wavelens.methods.averages import check_effort, check_noise
from wavelens.metrics.curves import ranks
from wavelens.metrics.infidelity import coefficient_noise, coefficient_ranges
from wavelens.metrics.perturbation import answers, every_pair, features, probability
from wavelens.metrics.several import takes_signals
from wavelens.targets import Target

MAX_ITERATIONS = 2000  # of conjugate gradients; a hole of n samples across takes about n


@takes_signals("reduce")
def road(
    model: Model,
    x: Tensor,
    target: Target,
    attribution: Coefficients,
    *,
    steps: int = 10,
    sigma: float = 0.01,
    domain: Domain | None = None,
    seed: int = 0,
    reduce: Reduce = magnitude,
    given: Sequence[Tensor] = (),
    batch_size: int | None = None,
) -> Tensor:
    """The mean of `p` while the most important coefficients give way to their neighbours, `(batch,)`; less is better.

    (ROAD, most relevant first, Rong et al., 2022, with the probability in place of the share of right answers.) Of N
    coefficients the top `⌊k N / steps⌋`, k from 1 to `steps - 1`, are removed. Each takes the weighted mean of its
    neighbours in the band, removed ones at their own solution, plus Gaussian noise of `sigma` times the item's range
    `max x - min x`, so that neither the value nor the shape of what is removed tells the class. Neighbours are those of
    places along the signal's axes, with half the weight for each further axis in which they differ. A band that is
    removed whole, or that has no neighbours as in `Fourier()`, goes to zero. `p`, `domain`, `reduce`, `given` and
    `batch_size` as in `curves`; noise depends on `seed` and the step alone.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> round(wl.metrics.road(model, x, 1, a, steps=5).item(), 2)
    0.59
    """
    check_effort(steps=steps)
    check_noise(sigma)
    if steps < 2:
        raise ValueError(f"steps must be two or more, the last of which is not taken; got steps={steps}.")
    parts = features(x, attribution, domain)
    rank = ranks(parts.attribution, reduce)
    counts = torch.tensor([k * parts.layout.size // steps for k in range(1, steps)], device=x.device)
    items, number = every_pair(len(x), steps - 1, x.device)
    scale = sigma * coefficient_ranges(parts)

    def points(rows: slice) -> Tensor:
        own, which = items[rows], number[rows]
        removed = rank[own] < counts[which, None, None]
        layout = parts.layout.at(own)
        filled = imputed(Coefficients(parts.step[own], layout), removed)
        noise = torch.stack([coefficient_noise(parts, seed, k) for k in which.tolist()]) * scale[own]
        data = torch.where(removed, filled + noise, parts.step[own])
        return Coefficients(data, layout).synthesis().to(x.dtype)

    with Gradients(with_given(model, given), x, probability(target), batch_size=batch_size) as ask:
        return answers(ask, items, points).view(-1, steps - 1).mean(1)


def imputed(c: Coefficients, removed: Tensor) -> Tensor:
    """Coefficients `(rows, channel, size)`, in which each removed one is the weighted mean of its neighbours.

    `removed` is `(rows, 1 or channel, size)`. The means are one linear system per row and channel, `L u = b` with the
    graph Laplacian of the removed places, solved by conjugate gradients to rounding.
    """
    removed = removed.expand(c.data.shape)
    if isinstance(joint := c.layout.domain, Joint):
        holes = joint.split(Coefficients(removed.to(c.data.real.dtype), c.layout))
        each = {name: (part, holes[name].data > 0.5) for name, part in joint.split(c).items()}
        return joint.joined({name: Coefficients(imputed(*pair), pair[0].layout) for name, pair in each.items()}).data
    if c.data.is_complex():
        real, imaginary = (imputed(c.map(part), removed) for part in (torch.real, torch.imag))
        return torch.complex(real, imaginary)
    known = c.data.where(~removed, 0)
    degrees = _neighbour_sums(torch.ones_like(c.data[:1, :1]), c.layout)
    right = _neighbour_sums(known, c.layout).where(removed, 0)
    return torch.where(removed, _solved(right, degrees, removed, c.layout), c.data)


def _solved(right: Tensor, degrees: Tensor, removed: Tensor, layout: Layout) -> Tensor:
    """`u` on the removed places with `degrees · u - Σ neighbours = right`, each row and channel by itself."""
    guess = torch.zeros_like(right)
    residual, direction = right.clone(), right.clone()
    square = residual.square().sum(-1, keepdim=True)
    enough = square * torch.finfo(right.dtype).eps ** 1.5
    for _ in range(MAX_ITERATIONS):
        active = square > enough
        if not active.any():
            break
        image = (degrees * direction - _neighbour_sums(direction, layout)).where(removed, 0)
        slope = (direction * image).sum(-1, keepdim=True)
        step = torch.where(active & (slope > 0), square / slope.where(slope > 0, 1), 0)
        guess = guess + step * direction
        residual = residual - step * image
        after = residual.square().sum(-1, keepdim=True)
        direction = residual + torch.where(active, after / square.where(square > 0, 1), 0) * direction
        square = torch.where(active, after, square)
    return guess


def _neighbour_sums(data: Tensor, layout: Layout) -> Tensor:
    """The weighted sum of each coefficient's neighbours in its band, `(rows, channel, size)`."""
    axes, sums = len(layout.signal_shape), []
    for band, piece in layout.slices.items():
        values = data[..., piece].unflatten(-1, band.shape)
        total = torch.zeros_like(values)
        for offset in itertools.product((-1, 0, 1), repeat=axes):
            if moved := sum(map(abs, offset)):
                here, there = total, values
                for axis, step in enumerate(offset, -axes):
                    length = band.shape[axis] - abs(step)
                    here = here.narrow(axis, max(0, -step), max(0, length))
                    there = there.narrow(axis, max(0, step), max(0, length))
                here += there * (0.5 ** (moved - 1) * _weight(axes))
        sums.append(total.flatten(-len(band.shape)))
    return torch.cat(sums, -1)


def _weight(axes: int) -> float:
    """That of a neighbour along one axis: all weights add up to 1, so 1 / 6 in two axes as published."""
    return 1 / sum(2 * math.comb(axes, moved) for moved in range(1, axes + 1))
