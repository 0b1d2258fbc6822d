"""Masks by rank: the coefficients that matter most."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import overload

import torch
from torch import Tensor

from wavelens.core import Coefficients, with_sign
from wavelens.masks.mask import Mask

FRACTIONS = ("uniform", "nonzero", "log")

Reduce = Callable[[Tensor], Tensor]  # (…, channel, size) to (…, 1 or channel, size)


def magnitude(data: Tensor) -> Tensor:
    """The mean of `|γ|` over channels, `(…, channel, size)` to `(…, 1, size)`: how much a place matters."""
    return data.abs().mean(-2, keepdim=True)


def signed(data: Tensor) -> Tensor:
    """The mean of `γ` over channels, `(…, channel, size)` to `(…, 1, size)`: what supports the target ranks first.

    `ValueError` for complex gradients, which have no sign.
    """
    return with_sign(data).mean(-2, keepdim=True)


def importance(attribution: Coefficients, reduce: Reduce = magnitude) -> Tensor:
    """What coefficients are ranked by, `(…, 1 or channel, size)`; `ValueError` where it is NaN or infinite."""
    return finite(reduce(attribution.data.detach()))


def finite(scores: Tensor) -> Tensor:
    """`found`, or the error of `importance`."""
    if not scores.isfinite().all():
        raise ValueError(
            "an attribution that is ranked must be finite; got NaN or infinity. Look at the model's gradient."
        )
    return scores


def order(attribution: Coefficients, *, reduce: Reduce = magnitude) -> Tensor:
    """Places of the coefficients from most to least important, `(…, 1 or channel, size)`.

    The sort is stable: equal coefficients keep their order in the layout. `reduce` says what is ranked: `magnitude`,
    `signed`, or `torch.abs` to rank each channel by itself.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> wl.masks.order(a)[0, 0, :3].tolist()
    [12, 43, 36]
    """
    return descending(importance(attribution, reduce))


@overload
def top(attribution: Coefficients, fraction: float | Fraction, *, reduce: Reduce = ...) -> Mask: ...


@overload
def top(
    attribution: Mapping[str, Coefficients], fraction: float | Fraction, *, reduce: Reduce = ...
) -> dict[str, Mask]: ...


def top(
    attribution: Coefficients | Mapping[str, Coefficients],
    fraction: float | Fraction,
    *,
    reduce: Reduce = magnitude,
) -> Mask | dict[str, Mask]:
    """Keeps exactly the `⌊fraction · size⌋` most important coefficients of each item, ranked as `order` ranks them.

    `fraction` is taken as the decimal that is written: 0.29 of 100 coefficients are 29. A `Fraction` is taken exactly.
    The coefficients of several signals are ranked together, and each signal has its own mask; to keep a fraction of
    each signal, call this for each by itself.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> mask = wl.masks.top(a, 0.25)
    >>> int(mask.data.sum()), mask.apply(x).shape
    (16, torch.Size([1, 1, 8, 8]))
    """
    if isinstance(attribution, Mapping):
        return _together(attribution, fraction, reduce)
    count = math.floor(_fraction(fraction) * attribution.layout.size)
    scores = importance(attribution, reduce)
    return Mask(torch.zeros_like(scores).scatter_(-1, descending(scores)[..., :count], 1.0), attribution.layout)


def _together(several: Mapping[str, Coefficients], fraction: float | Fraction, reduce: Reduce) -> dict[str, Mask]:
    """The top of several signals' coefficients, of all of them; a channel of 1 where all signals have one."""
    ranked = [importance(c, reduce) for c in several.values()]
    flat = torch.cat([one.flatten(-2) for one in ranked], -1)
    count = math.floor(_fraction(fraction) * flat.shape[-1])
    kept = torch.zeros_like(flat).scatter_(-1, descending(flat)[..., :count], 1.0)
    pieces = kept.split([one.shape[-2] * one.shape[-1] for one in ranked], -1)
    triples = zip(several.items(), ranked, pieces, strict=True)
    return {name: Mask(piece.reshape(one.shape), c.layout) for (name, c), one, piece in triples}


def threshold(attribution: Coefficients, ratio: float, *, reduce: Reduce = magnitude) -> Mask:
    """Keeps the coefficients whose importance is at least `ratio` of the item's largest, and above 0.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> mask = wl.masks.threshold(a, 0.5)
    >>> mask.data.unique().tolist()
    [0.0, 1.0]
    """
    if not 0 <= ratio <= 1:
        raise ValueError(f"ratio, a part of the largest importance, must lie between 0 and 1; got {ratio}.")
    scores = importance(attribution, reduce)
    kept = (scores >= ratio * scores.amax((-2, -1), keepdim=True)) & (scores > 0)
    return Mask(kept.to(scores.dtype), attribution.layout)


def descending(scores: Tensor) -> Tensor:
    """Places from the largest score to the least, of equal ones the first first."""
    return scores.sort(dim=-1, descending=True, stable=True).indices


def counts_along(totals: Tensor, steps: int, fractions: str) -> Tensor:
    """How many of so many coefficients each step takes, `(items, steps + 1)`, on the CPU."""
    if fractions not in FRACTIONS:
        raise ValueError(f"fractions must be one of {', '.join(FRACTIONS)}; got {fractions!r}.")
    k = torch.arange(steps + 1, device="cpu")
    if fractions != "log":
        return k * totals[:, None] // steps
    return ((1 + totals[:, None].double()) ** (k.double() / steps) - 1).round().long()


def _fraction(fraction: float | Fraction) -> Fraction:
    try:
        share = Fraction(str(fraction))
    except ValueError:
        share = Fraction(-1)
    if not 0 <= share <= 1:
        raise ValueError(f"fraction, the part of the coefficients to keep, must lie between 0 and 1; got {fraction}.")
    return share
