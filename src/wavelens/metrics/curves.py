"""Insertion and deletion: the score along a path from a start to the signal, most important coefficients first.

Insertion of the top k is deletion of all but them, so the area under insertion is that under deletion of the *least*
important first, read from its end. Insertion less deletion is therefore the symmetric relevance gain of Blücher et al.
(2024), for the chosen fill, spacing and score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict, Unpack

import torch
from torch import Tensor

from wavelens.core import Coefficients, Domain
from wavelens.engine.given import with_given
from wavelens.engine.gradients import Gradients, Model
from wavelens.masks.ranking import Reduce, counts_along, descending, importance, magnitude
from wavelens.methods.averages import check_effort
from wavelens.metrics.perturbation import Features, chunks, features, probability, single
from wavelens.metrics.several import takes_signals
from wavelens.metrics.starts import CurveFill, check_fill, counted, starts
from wavelens.targets import Target

NORMALIZE = (None, "max")
SCORES = ("probability", "logit")
INSERTION, DELETION = 1, -1


@dataclass(frozen=True, eq=False)
class Curves:
    """The insertion and the deletion curve of each item.

    `fraction` is the true part of the coefficients that was inserted or deleted, `(steps + 1,)` from 0 to 1, or
    `(batch, steps + 1)` where items count coefficients of their own; `insertion` and `deletion` are the scores there,
    `(batch, steps + 1)`. Insertion begins at the start's score and ends at the signal's own, deletion the other way
    round. `position` is what areas are taken over: the fraction itself, or for `fractions="log"` its even steps from 0
    to 1 on the logarithmic axis.
    """

    fraction: Tensor
    insertion: Tensor
    deletion: Tensor
    position: Tensor | None = None

    @property
    def insertion_area(self) -> Tensor:
        """The area under the insertion curve, `(batch,)`; more is better."""
        return torch.trapezoid(self.insertion, self._positions)

    @property
    def deletion_area(self) -> Tensor:
        """The area under the deletion curve, `(batch,)`; less is better."""
        return torch.trapezoid(self.deletion, self._positions)

    @property
    def faithfulness(self) -> Tensor:
        """Insertion less deletion, the symmetric relevance gain for the chosen fill, `(batch,)`; more is better."""
        return self.insertion_area - self.deletion_area

    @property
    def _positions(self) -> Tensor:
        return self.fraction if self.position is None else self.position


class Options(TypedDict, total=False):
    """The options of `curves`, which its areas share."""

    steps: int
    fractions: str
    domain: Domain | None
    baseline: Tensor | float
    fill: CurveFill
    samples: int
    seed: int
    score: str
    reduce: Reduce
    normalize: str | None
    given: Sequence[Tensor]
    batch_size: int | None


@takes_signals("reduce", "baseline", "fill")
def curves(
    model: Model,
    x: Tensor,
    target: Target,
    attribution: Coefficients,
    *,
    steps: int = 64,
    fractions: str = "uniform",
    domain: Domain | None = None,
    baseline: Tensor | float = 0.0,
    fill: CurveFill = "zero",
    samples: int = 4,
    seed: int = 0,
    score: str = "probability",
    reduce: Reduce = magnitude,
    normalize: str | None = None,
    given: Sequence[Tensor] = (),
    batch_size: int | None = None,
) -> Curves:
    """Both curves from `2 steps` passes: `p(x₀ + S(m_k ⊙ d))` and `p(x - S(m_k ⊙ d))`, `d = W(x - x₀)`, `m_k` the top.

    Step k takes the `⌊k N / steps⌋` most important of N coefficients (Petsiuk et al., 2018; WAM's equations 13 to 15);
    its ends are the start and the untouched signal, exactly. `p` is the softmax probability of a class target, or the
    number that any other target gives; with `score="logit"` it is the explained number itself. `domain` is the domain
    that is perturbed, by default the attribution's own; see `translate` for how an attribution is read in another.
    `reduce` ranks as in `masks.order`: by the mean of `|γ|` over channels. `normalize="max"` divides each curve by its
    maximum, as the authors of WAM did. `given` are tensors with one entry per item that the model is called with after
    the signal. `batch_size` bounds the rows of a forward pass (`None`: measured from memory).

    `fill` says what takes the place of coefficients that are deleted or not inserted yet:

    - "zero": those of `baseline`, a number, a signal or one for each item;
    - "shuffled": the item's own, permuted within their bands: a start with the signal's statistics by scale;
    - "blur", "noise", "mean": those of the blurred signal (`masks.Blur()`), noise with the mean and deviation of each
      band (`masks.Noise`), the mean of each band and channel;
    - a tensor `(number, channel, *axes)`: those of other signals; a function: those of what it makes of the signals,
      such as `masks.Blur(2.0)`.

    "shuffled" and "noise" are drawn `samples` times from `seed` and the number of the sample, each item alike, and the
    curves of all starts (of all other signals) are averaged: `samples` times the passes.

    `fractions` says which parts are taken: "uniform" as above; "nonzero" likewise of the N coefficients that are not
    zero, where the fill leaves zeros as they are ("zero" and "shuffled"), so that the order of padding does not count;
    "log" takes `(1 + N)^(k / steps) - 1` of these, rounded, and areas are then taken over the logarithmic axis.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> curves = wl.metrics.curves(model, x, 1, a, steps=4)
    >>> [round(score, 2) for score in curves.insertion[0].tolist()]
    [0.5, 0.67, 0.68, 0.72, 0.72]
    """
    named = Options(
        steps=steps,
        fractions=fractions,
        domain=domain,
        baseline=baseline,
        fill=fill,
        samples=samples,
        seed=seed,
        score=score,
        reduce=reduce,
        normalize=normalize,
        given=given,
        batch_size=batch_size,
    )
    sides = (INSERTION, DELETION)
    fraction, position, (inserted, deleted) = _scores_along(model, x, target, attribution, sides, **named)
    return Curves(fraction, inserted, deleted, position)


@takes_signals("reduce", "baseline", "fill")
def insertion(model: Model, x: Tensor, target: Target, attribution: Coefficients, **options: Unpack[Options]) -> Tensor:
    """The area under the insertion curve, `(batch,)`, in [0, 1] for a probability; more is better.

    Options are those of `curves`; half of its passes are made.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> [round(score, 3) for score in wl.metrics.insertion(model, x, 1, a, steps=8).tolist()]
    [0.675]
    """
    _, position, (curve,) = _scores_along(model, x, target, attribution, (INSERTION,), **options)
    return torch.trapezoid(curve, position)


@takes_signals("reduce", "baseline", "fill")
def deletion(model: Model, x: Tensor, target: Target, attribution: Coefficients, **options: Unpack[Options]) -> Tensor:
    """The area under the deletion curve, `(batch,)`, in [0, 1] for a probability; less is better.

    Options are those of `curves`; half of its passes are made.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> [round(score, 3) for score in wl.metrics.deletion(model, x, 1, a, steps=8).tolist()]
    [0.589]
    """
    _, position, (curve,) = _scores_along(model, x, target, attribution, (DELETION,), **options)
    return torch.trapezoid(curve, position)


@takes_signals("reduce", "baseline", "fill")
def faithfulness(
    model: Model, x: Tensor, target: Target, attribution: Coefficients, **options: Unpack[Options]
) -> Tensor:
    """Insertion less deletion, `(batch,)`; more is better (Muzellec et al., 2024; WAM's equation 9).

    This is the symmetric relevance gain of Blücher et al. (2024) for the chosen fill: from zero it rewards compression,
    from shuffled starts on log-spaced fractions it does so less. Options are those of `curves`.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> [round(score, 3) for score in wl.metrics.faithfulness(model, x, 1, a, steps=8).tolist()]
    [0.086]
    """
    return curves(model, x, target, attribution, **options).faithfulness


def ranks(attribution: Coefficients, reduce: Reduce = magnitude, counted: Tensor | None = None) -> Tensor:
    """The rank of each coefficient, 0 for the most important, `(batch, 1 or channel, size)`: `ranks < k` is the top.

    Those that are not `counted`, `(batch, size)`, come last.
    """
    scores = importance(attribution, reduce)
    if counted is not None:
        scores = scores.where(counted[:, None], -torch.inf)
    places = descending(scores)
    numbers = torch.arange(places.shape[-1], device=places.device, dtype=torch.int32).expand_as(places)
    return torch.empty_like(numbers, memory_format=torch.contiguous_format).scatter_(-1, places, numbers)


def _scores_along(
    model: Model,
    x: Tensor,
    target: Target,
    attribution: Coefficients,
    sides: tuple[int, ...],
    *,
    steps: int = 64,
    fractions: str = "uniform",
    domain: Domain | None = None,
    baseline: Tensor | float = 0.0,
    fill: CurveFill = "zero",
    samples: int = 4,
    seed: int = 0,
    score: str = "probability",
    reduce: Reduce = magnitude,
    normalize: str | None = None,
    given: Sequence[Tensor] = (),
    batch_size: int | None = None,
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """The fractions, the positions that areas are taken over, and the curve of each side."""
    check_effort(steps=steps)
    if normalize not in NORMALIZE:
        raise ValueError(f"normalize must be None or 'max'; got {normalize!r}.")
    if score not in SCORES:
        raise ValueError(f"score must be one of {', '.join(SCORES)}; got {score!r}.")
    check_fill(fill, baseline, samples, seed)
    parts = features(x, attribution, domain, baseline)
    present = counted(parts, fill) if fractions != "uniform" else None
    rank = ranks(parts.attribution, reduce, present)
    totals = torch.tensor([parts.layout.size], device="cpu") if present is None else present.sum(1).cpu()
    counts = counts_along(totals, steps, fractions)
    read = probability(target) if score == "probability" else single(target)
    with Gradients(with_given(model, given), x, read, batch_size=batch_size) as ask:
        last = ask.values(parts.x)[0]
        each = [curves_of_ranks(ask, one, rank, counts, sides, last) for one in starts(parts, fill, samples, seed)]
    both = list(torch.stack(each).mean(0))
    both = [curve / curve.amax(1, keepdim=True) if normalize == "max" else curve for curve in both]
    even = torch.arange(steps + 1, device=last.device).to(last) / steps
    fraction = counts.to(last) / totals[:, None].to(last)
    fraction = fraction[0] if present is None else torch.where(fraction.isfinite(), fraction, even)
    return fraction, even if fractions == "log" else fraction, both


def curves_of_ranks(
    ask: Gradients, parts: Features, rank: Tensor, counts: Tensor, sides: tuple[int, ...], last: Tensor
) -> Tensor:
    """The curves of one start, `(sides, batch, counts)`: what has a rank below the count is inserted or deleted.

    `counts` go from nothing to all, `(1 or batch, counts)` on the CPU, and `last` is the score of the signal itself.
    Steps at which no item takes more are not asked again.
    """
    first = ask.values(parts.start)[0]
    new = (counts[:, 1:-1] > counts[:, :-2]).any(0)
    between = _between(ask, parts, rank, counts[:, 1:-1][:, new].to(rank), sides)
    own = torch.cat([new.new_zeros(1), new]).cumsum(0).to(last.device)
    ends = [(first, last) if side == INSERTION else (last, first) for side in sides]
    curves = [torch.cat([a[:, None], b], 1)[:, own] for (a, _), b in zip(ends, between, strict=True)]
    return torch.stack([torch.cat([a, b[:, None]], 1) for a, (_, b) in zip(curves, ends, strict=True)])


def _between(ask: Gradients, parts: Features, rank: Tensor, counts: Tensor, sides: tuple[int, ...]) -> Tensor:
    """The curves without their ends, `(sides, batch, counts)`; one synthesis serves all sides of a chunk.

    A chunk is some items at some counts, so that nothing is copied for each row but what is new in it.
    """
    pairs = max(1, ask.rows // len(sides))
    items = torch.arange(len(parts.x), device=parts.x.device)
    counts = counts.expand(len(items), -1)
    scores = ask.x.new_empty(len(sides), *counts.shape, dtype=ask.dtype)
    for some in chunks(len(items), max(1, pairs // max(1, counts.shape[1]))):
        for few in chunks(counts.shape[1], pairs):
            masks = rank[some, None] < counts[some, few, None, None]
            part = parts.part((some, None), masks)
            points = part.new_empty(len(sides), *part.shape)
            for side, out in zip(sides, points, strict=True):
                torch.add((parts.start if side == INSERTION else parts.x)[some, None], part, alpha=side, out=out)
            rows = items[some, None].expand(points.shape[:3])
            values = ask.values(points.flatten(0, 2), rows.flatten())[0]
            scores[:, some, few] = values.view(rows.shape)
    return scores
