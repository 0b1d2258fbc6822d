"""How well an attribution finds what was planted."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from wavelens.core import Coefficients, Layout, Scale, band_sums, scale_sums
from wavelens.masks.ranking import importance, magnitude, order, signed
from wavelens.placing import spread_band
from wavelens.planted.truth import Truth

READINGS = {"magnitude": magnitude, "signed": signed}
"""How an attribution becomes an order of coefficients: by magnitude, or with its sign."""
Reading = Literal["magnitude", "signed"]


class Scores(NamedTuple):
    """How well one attribution of each item finds the pattern, `(batch,)` each, from 0 to 1; NaN where undefined.

    `precision` is the share of the truth among as many top coefficients, `mass` the share of all positive values that
    lies in the truth, `top1` whether the largest value does. `scale` says whether the scale with most positive mass is
    the planted one, the scale with most of the pattern's energy; `signed_scale` whether the scale with the largest
    signed sum is. Both are NaN in domains of one scale, the second also for complex gradients, which have no sign.
    `place` is whether the peak of the planted scale's map lies where the pattern is, within half of a coefficient's
    step; NaN in domains without places.
    """

    precision: Tensor
    mass: Tensor
    top1: Tensor
    scale: Tensor
    signed_scale: Tensor
    place: Tensor


def scores(attribution: Coefficients, truth: Truth, reading: Reading = "magnitude") -> Scores:
    """The scores of an attribution `(batch, channel, size)` by its magnitude or with its signs.

    Channels are put together by their mean, as metrics and masks do. `ValueError` where truth and attribution are of
    other domains or batches, and for signs of complex gradients.

    >>> centre, phase = torch.full((1, 2), 8.0), torch.zeros(1)
    >>> pattern = wl.planted.Wave(4.0, (1.0, 0.0), 2.0).at(wl.planted.grid((16, 16)), centre, phase)[:, None]
    >>> haar = wl.DWT("haar", levels=3)
    >>> scores = wl.planted.scores(haar.analysis(pattern), wl.planted.truth(pattern, haar))
    >>> scores.precision.item(), scores.scale.item(), scores.place.item()
    (1.0, 1.0, 1.0)
    """
    if reading not in READINGS:
        raise ValueError(f"reading must be one of {', '.join(READINGS)}; got {reading!r}.")
    if attribution.layout.bands != truth.layout.bands or len(attribution.data) != len(truth.mask):
        raise ValueError(
            f"truth and attribution must be of the same signals and domain; got {len(truth.mask)} in "
            f"{truth.layout.domain} and {len(attribution.data)} in {attribution.layout.domain}."
        )
    values = importance(attribution, READINGS[reading]).double()
    ranked = truth.mask.gather(-1, order(attribution, reduce=READINGS[reading]))[:, 0]
    places = torch.arange(ranked.shape[-1], device=ranked.device)
    hits = (ranked & (places < truth.count[:, None])).sum(-1)
    positive = values.clamp_min(0)
    total = positive.sum((-2, -1))
    mass = (positive * truth.mask).sum((-2, -1)) / total.where(total > 0, 1)
    read = Coefficients(values, attribution.layout)
    return Scores(
        hits / truth.count,
        mass,
        ranked[:, 0].double(),
        _scale(Coefficients(positive, attribution.layout), truth),
        torch.full_like(mass, torch.nan) if attribution.data.is_complex() else _scale(_with_signs(attribution), truth),
        _place(read, truth),
    )


def planted_scale(truth: Truth) -> Tensor:
    """The number of the scale with most of the pattern's energy, `(batch,)`, counted from the coarsest."""
    return _sums(Coefficients(truth.energy, truth.layout)).argmax(-1)


def _with_signs(attribution: Coefficients) -> Coefficients:
    return Coefficients(importance(attribution, signed).double(), attribution.layout)


def _sums(c: Coefficients) -> Tensor:
    """The sum of each scale, `(batch, scales)`."""
    return scale_sums(band_sums(c), c.layout).sum(-2)


def _scale(values: Coefficients, truth: Truth) -> Tensor:
    sums = _sums(values)
    if sums.shape[-1] < 2:
        return torch.full_like(sums[:, 0], torch.nan)
    return (sums.argmax(-1) == planted_scale(truth)).double()


def _place(values: Coefficients, truth: Truth) -> Tensor:
    """Whether the peak of the planted scale's map lies at the pattern."""
    number, scales = planted_scale(truth), list(values.layout.scales().values())
    hits = torch.full((len(values.data),), torch.nan, dtype=torch.float64, device=values.data.device)
    positive = values.map(lambda data: data.clamp_min(0))
    for k in number.unique().tolist():
        rows = (number == k).nonzero()[:, 0]
        if _has_places(values.layout, scales[k]):
            own = Coefficients(positive.data[rows], values.layout.at(rows))
            heat = torch.stack([spread_band(own, band) for band in scales[k]]).sum((0, 2)).flatten(1)
            near = _widened(truth.samples[rows], _tolerance(values.layout, scales[k])).flatten(1)
            hits[rows] = near.gather(1, heat.argmax(1, keepdim=True))[:, 0].double()
    return hits


def _has_places(layout: Layout, scale: Scale) -> bool:
    axes = len(layout.signal_shape)
    return all(math.prod(band.shape[-axes:]) > 1 for band in scale)


def _tolerance(layout: Layout, scale: Scale) -> tuple[int, ...]:
    """Half a coefficient's step along each axis, in samples, rounded up; 0 where coefficients are samples."""
    axes = len(layout.signal_shape)
    if layout.domain.bound_tensors():
        return (0,) * axes
    steps = [max(n / band.shape[k - axes] for band in scale) for k, n in enumerate(layout.signal_shape)]
    return tuple(math.ceil(step / 2) if step > 1 else 0 for step in steps)


def _widened(samples: Tensor, tolerance: tuple[int, ...]) -> Tensor:
    """The samples `(batch, *axes)` and those within the tolerance along each axis."""
    wide = samples
    for k, reach in enumerate(tolerance):
        lines = wide.movedim(k + 1, -1)
        flat = lines.reshape(-1, 1, lines.shape[-1]).float()
        wide = functional.max_pool1d(flat, 2 * reach + 1, 1, reach).bool().view(lines.shape).movedim(-1, k + 1)
    return wide
