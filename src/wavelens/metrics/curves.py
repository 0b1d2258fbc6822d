"""Insertion and deletion: the score along a path from the baseline to the signal, most important coefficients first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict, Unpack

import torch
from torch import Tensor

from wavelens.core import Coefficients, Domain
from wavelens.engine.given import with_given
from wavelens.engine.gradients import Gradients, Model
from wavelens.masks.ranking import Reduce, magnitude, order
from wavelens.methods.averages import check_effort
from wavelens.metrics.perturbation import Features, chunks, features, probability
from wavelens.metrics.several import takes_signals
from wavelens.targets import Target

NORMALIZE = (None, "max")
INSERTION, DELETION = 1, -1


@dataclass(frozen=True, eq=False)
class Curves:
    """The insertion and the deletion curve of each item.

    `fraction` is the true part of the coefficients that was inserted or deleted, `(steps + 1,)` from 0 to 1;
    `insertion` and `deletion` are the scores there, `(batch, steps + 1)`. Insertion begins at the baseline's score and
    ends at the signal's own, deletion the other way round.
    """

    fraction: Tensor
    insertion: Tensor
    deletion: Tensor

    @property
    def insertion_area(self) -> Tensor:
        """The area under the insertion curve, `(batch,)`; more is better."""
        return torch.trapezoid(self.insertion, self.fraction)

    @property
    def deletion_area(self) -> Tensor:
        """The area under the deletion curve, `(batch,)`; less is better."""
        return torch.trapezoid(self.deletion, self.fraction)

    @property
    def faithfulness(self) -> Tensor:
        """Insertion less deletion, `(batch,)`; more is better."""
        return self.insertion_area - self.deletion_area


class Options(TypedDict, total=False):
    """The options of `curves`, which its areas share."""

    steps: int
    domain: Domain | None
    baseline: Tensor | float
    reduce: Reduce
    normalize: str | None
    given: Sequence[Tensor]
    batch_size: int | None


@takes_signals("reduce", "baseline")
def curves(
    model: Model,
    x: Tensor,
    target: Target,
    attribution: Coefficients,
    *,
    steps: int = 64,
    domain: Domain | None = None,
    baseline: Tensor | float = 0.0,
    reduce: Reduce = magnitude,
    normalize: str | None = None,
    given: Sequence[Tensor] = (),
    batch_size: int | None = None,
) -> Curves:
    """Both curves from `2 steps` passes: `p(x₀ + S(m_k ⊙ d))` and `p(x - S(m_k ⊙ d))`, `d = W(x - x₀)`, `m_k` the top.

    Step k takes the `⌊k N / steps⌋` most important of N coefficients (Petsiuk et al., 2018; WAM's equations 13 to 15);
    its ends are the baseline and the untouched signal, exactly. `p` is the softmax probability of a class target, or
    the number that any other target gives. `domain` is the domain that is perturbed, by default the attribution's own;
    see `translate` for how an attribution is read in another. `baseline` is a number, a signal or one for each item.
    `reduce` ranks as in `masks.order`: by the mean of `|γ|` over channels. `normalize="max"` divides each curve by its
    maximum, as the authors of WAM did. `given` are tensors with one entry per item that the model is called with after
    the signal. `batch_size` bounds the rows of a forward pass (`None`: measured from memory).

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> curves = wl.metrics.curves(model, x, 1, a, steps=4)
    >>> [round(score, 2) for score in curves.insertion[0].tolist()]
    [0.5, 0.67, 0.68, 0.72, 0.72]
    """
    named = Options(
        steps=steps,
        domain=domain,
        baseline=baseline,
        reduce=reduce,
        normalize=normalize,
        given=given,
        batch_size=batch_size,
    )
    return Curves(*_scores_along(model, x, target, attribution, (INSERTION, DELETION), **named))


@takes_signals("reduce", "baseline")
def insertion(model: Model, x: Tensor, target: Target, attribution: Coefficients, **options: Unpack[Options]) -> Tensor:
    """The area under the insertion curve, `(batch,)`, in [0, 1] for a probability; more is better.

    Options are those of `curves`; half of its passes are made.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> [round(score, 3) for score in wl.metrics.insertion(model, x, 1, a, steps=8).tolist()]
    [0.675]
    """
    fraction, curve = _scores_along(model, x, target, attribution, (INSERTION,), **options)
    return torch.trapezoid(curve, fraction)


@takes_signals("reduce", "baseline")
def deletion(model: Model, x: Tensor, target: Target, attribution: Coefficients, **options: Unpack[Options]) -> Tensor:
    """The area under the deletion curve, `(batch,)`, in [0, 1] for a probability; less is better.

    Options are those of `curves`; half of its passes are made.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> [round(score, 3) for score in wl.metrics.deletion(model, x, 1, a, steps=8).tolist()]
    [0.589]
    """
    fraction, curve = _scores_along(model, x, target, attribution, (DELETION,), **options)
    return torch.trapezoid(curve, fraction)


@takes_signals("reduce", "baseline")
def faithfulness(
    model: Model, x: Tensor, target: Target, attribution: Coefficients, **options: Unpack[Options]
) -> Tensor:
    """Insertion less deletion, `(batch,)`; more is better (Muzellec et al., 2024; WAM's equation 9).

    Options are those of `curves`.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> [round(score, 3) for score in wl.metrics.faithfulness(model, x, 1, a, steps=8).tolist()]
    [0.086]
    """
    return curves(model, x, target, attribution, **options).faithfulness


def ranks(attribution: Coefficients, reduce: Reduce = magnitude) -> Tensor:
    """The rank of each coefficient, 0 for the most important, `(batch, 1 or channel, size)`: `ranks < k` is the top."""
    places = order(attribution, reduce=reduce)
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
    domain: Domain | None = None,
    baseline: Tensor | float = 0.0,
    reduce: Reduce = magnitude,
    normalize: str | None = None,
    given: Sequence[Tensor] = (),
    batch_size: int | None = None,
) -> list[Tensor]:
    """The fractions, then the curve of each side."""
    check_effort(steps=steps)
    if normalize not in NORMALIZE:
        raise ValueError(f"normalize is None or 'max'; got {normalize!r}.")
    parts = features(x, attribution, domain, baseline)
    size = parts.layout.size
    counts = torch.tensor([k * size // steps for k in range(steps + 1)], dtype=torch.int32, device=x.device)
    with Gradients(with_given(model, given), x, probability(target), batch_size=batch_size) as ask:
        first, last = ask.values(parts.start)[0], ask.values(parts.x)[0]
        between = _between(ask, parts, ranks(parts.attribution, reduce), counts[1:-1], sides)
    ends = [(first, last) if side == INSERTION else (last, first) for side in sides]
    curves = [torch.cat([a[:, None], b, c[:, None]], 1) for (a, c), b in zip(ends, between, strict=True)]
    curves = [curve / curve.amax(1, keepdim=True) if normalize == "max" else curve for curve in curves]
    return [counts.to(first.dtype) / size, *curves]


def _between(ask: Gradients, parts: Features, rank: Tensor, counts: Tensor, sides: tuple[int, ...]) -> Tensor:
    """The curves without their ends, `(sides, batch, counts)`; one synthesis serves all sides of a chunk.

    A chunk is some items at some counts, so that nothing is copied for each row but what is new in it.
    """
    pairs = max(1, ask.rows // len(sides))
    items = torch.arange(len(parts.x), device=parts.x.device)
    scores = ask.x.new_empty(len(sides), len(items), len(counts), dtype=ask.dtype)
    for some in chunks(len(items), max(1, pairs // max(1, len(counts)))):
        for few in chunks(len(counts), pairs):
            masks = rank[some, None] < counts[few, None, None]
            part = parts.part((some, None), masks)
            points = part.new_empty(len(sides), *part.shape)
            for side, out in zip(sides, points, strict=True):
                torch.add((parts.start if side == INSERTION else parts.x)[some, None], part, alpha=side, out=out)
            rows = items[some, None].expand(points.shape[:3])
            values = ask.values(points.flatten(0, 2), rows.flatten())[0]
            scores[:, some, few] = values.view(rows.shape)
    return scores
