"""Segments: coefficients that are removed together, the most relevant segment first."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wavelens.core import Coefficients, Domain
from wavelens.engine.given import with_given
from wavelens.engine.gradients import Gradients, Model
from wavelens.masks.ranking import Reduce, descending, importance, magnitude
from wavelens.methods.averages import check_effort
from wavelens.metrics.curves import DELETION, curves_of_ranks
from wavelens.metrics.perturbation import features, probability
from wavelens.metrics.removals import cells
from wavelens.metrics.several import takes_signals
from wavelens.metrics.starts import CurveFill, check_fill, starts
from wavelens.targets import Target


@takes_signals("reduce", "baseline", "fill")
def irof(
    model: Model,
    x: Tensor,
    target: Target,
    attribution: Coefficients,
    *,
    grid: int = 8,
    segments: Tensor | None = None,
    domain: Domain | None = None,
    baseline: Tensor | float = 0.0,
    fill: CurveFill = "mean",
    samples: int = 4,
    seed: int = 0,
    reduce: Reduce = magnitude,
    given: Sequence[Tensor] = (),
    batch_size: int | None = None,
) -> Tensor:
    """The area over the curve of `p / p(x)` while segments are removed, `(batch,)`, at most 1; more is better.

    (Iterative removal of features, Rieger and Hansen, 2020, with the area divided by the number of segments.) Segments
    are removed one after another, the one with the largest mean of `|γ|` first; `p` as in `curves`. By default they are
    the cells of `mu_fidelity`, `grid` along each axis of the mosaic. `segments` are others: whole numbers from 0, one
    per coefficient of the domain that is perturbed, `(size,)` or `(batch, size)`, such as superpixels of a photo,
    flattened, in `Identity()`. What is removed takes the mean of its band and channel, or another `fill`, with
    `baseline`, `samples` and `seed`, as in `curves`. `domain`, `reduce`, `given` and `batch_size` as there too.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> round(wl.metrics.irof(model, x, 1, a, grid=4).item(), 2)
    0.15
    """
    check_effort(grid=grid)
    check_fill(fill, baseline, samples, seed)
    parts = features(x, attribution, domain, baseline)
    labels = _labels(parts.layout.size, len(x), cells(parts.layout, grid) if segments is None else segments)
    rank, totals = _segment_ranks(importance(parts.attribution, reduce).mean(1), labels.to(x.device))
    counts = torch.arange(int(totals.max()) + 1, device="cpu").minimum(totals[:, None])
    with Gradients(with_given(model, given), x, probability(target), batch_size=batch_size) as ask:
        whole = ask.values(parts.x)[0]
        each = [
            curves_of_ranks(ask, one, rank[:, None], counts, (DELETION,), whole)[0]
            for one in starts(parts, fill, samples, seed)
        ]
    curve = torch.stack(each).mean(0) / whole[:, None]
    return 1 - torch.trapezoid(curve, counts.to(curve) / totals[:, None].to(curve))


def _labels(size: int, batch: int, segments: Tensor) -> Tensor:
    """The segment of each coefficient, `(batch, size)`, numbered from 0 without gaps item by item."""
    whole = isinstance(segments, Tensor) and not (segments.is_floating_point() or segments.is_complex())
    if not whole or tuple(segments.shape) not in ((size,), (batch, size)):
        got = (
            f"{tuple(segments.shape)} of {segments.dtype}" if isinstance(segments, Tensor) else type(segments).__name__
        )
        raise ValueError(
            f"segments must be whole numbers, one per coefficient, ({size},) or ({batch}, {size}); got {got}. Number "
            "them in the layout of the domain that is perturbed."
        )
    return torch.stack([row.unique(return_inverse=True)[1] for row in segments.expand(batch, size)])


def _segment_ranks(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Each coefficient's rank of its segment, 0 for the largest mean, and how many segments an item has.

    Of equal ones the first in number comes first.
    """
    totals = labels.amax(1) + 1
    shape = (len(labels), int(totals.max()))
    counts = scores.new_zeros(shape).scatter_add_(1, labels, torch.ones_like(scores))
    means = scores.new_zeros(shape).scatter_add_(1, labels, scores) / counts.clamp_min(1)
    places = descending(means.where(counts > 0, -torch.inf))
    numbers = torch.arange(shape[1], device=labels.device).expand(shape)
    ranks = torch.empty_like(places).scatter_(1, places, numbers)
    return ranks.gather(1, labels).to(torch.int32), totals.cpu()
