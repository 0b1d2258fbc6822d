"""Numbers to look at: mosaic, scale maps, exact contributions and the scale profile of an attribution.

Every function takes Coefficients `(batch, channel, size)` over any number of axes and computes; nothing is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import EllipsisType

import torch
from torch import Tensor

from wavelens.core import Band, Coefficients, Layout, Scale, band_sums, checked_axis, scale_sums, with_sign


@dataclass(frozen=True, eq=False)
class Profile:
    """Where an attribution comes from, scale by scale and band by band.

    `signed` and `share` have shape `(batch, scales)` in the order of `names`, coarsest scale first; `band_signed` and
    `band_share` have shape `(batch, bands)` in the order of `bands`, one band an orientation of a scale.

    Signed sums run over channels and positions, so they add up to the sum of all coefficients: for a path method to
    f(x) − f(x₀), up to its gap; of complex gradients, which have no sign, they are NaN. Shares are of Σ|γ| and add up
    to 1; an item with Σ|γ| = 0 has shares of 0.
    """

    names: tuple[str, ...]
    signed: Tensor
    share: Tensor
    bands: tuple[Band, ...]
    band_signed: Tensor
    band_share: Tensor


def profile(c: Coefficients, *, by_channel: bool = False) -> Profile:
    """The signed sum of each scale and orientation, and its share of Σ|γ|.

    `by_channel=True` keeps the channels apart (leads, spectral bands, modalities): every tensor has them after the
    batch, `(batch, channel, scales)`. Sums over channels are the profile without it.
    """
    signed = band_sums(c.map(lambda data: data.abs() * torch.nan) if c.data.is_complex() else c)
    magnitude = band_sums(c.map(torch.abs))
    total = magnitude.sum((-2, -1), keepdim=True)
    share = magnitude / total.where(total > 0, 1)
    signed, share = (signed, share) if by_channel else (signed.sum(-2), share.sum(-2))
    return Profile(
        names=tuple(c.layout.scales()),
        signed=scale_sums(signed, c.layout),
        share=scale_sums(share, c.layout),
        bands=c.layout.bands,
        band_signed=signed,
        band_share=share,
    )


@dataclass(frozen=True, eq=False)
class Marginal:
    """What several domains say of the same explanation: means, and standard deviations from one domain to another.

    `share` and `share_spread` have shape `(batch, scales)` in the order of `names`, coarsest scale first; `place` and
    `place_spread` have shape `(batch, *axes)` and are of spatial maps with total 1, or 0 where nothing is attributed.
    """

    names: tuple[str, ...]
    share: Tensor
    share_spread: Tensor
    place: Tensor
    place_spread: Tensor


def marginal(several: Sequence[Coefficients]) -> Marginal:
    """How scale shares and places hang on the choice of a domain, such as the wavelet and where its grid begins.

    `several` are attributions of the same signals in domains with the same scales, from one pass of gradients:
    `attribute(…, domain=[DWT("haar", 4), DWT("db4", 4), Shifted(DWT("haar", 4), (5,)), …])`. A spread is no error
    of the explanation; it says how much of a share is the domain's.

    >>> import torch, wavelens as wl
    >>> x, domains = torch.arange(16.0)[None, None], [wl.Shifted(wl.DWT("haar", 2), (k,)) for k in range(4)]
    >>> found = marginal([domain.analysis(x) for domain in domains])
    >>> found.names, found.share_spread.shape, found.place.sum()
    (('a2', 'd2', 'd1'), torch.Size([1, 3]), tensor(1.))
    """
    if len(several) < 2:
        raise ValueError(f"a marginal account takes two attributions or more; got {len(several)}.")
    first, *others = ((c.layout.signal_shape, c.data.shape[:-2], tuple(c.layout.scales())) for c in several)
    if odd := [one for one in others if one != first]:
        raise ValueError(
            f"attributions are of the same signals and in domains with the same scales; got {first[2]} of axes "
            f"{first[0]} and {odd[0][2]} of axes {odd[0][0]}. Give each domain as many levels."
        )
    axes = tuple(range(-len(first[0]), 0))
    maps = torch.stack([spatial_map(c) for c in several])
    total = maps.sum(axes, keepdim=True)
    places, shares = maps / total.where(total > 0, 1), torch.stack([profile(c).share for c in several])
    return Marginal(first[2], shares.mean(0), shares.std(0), places.mean(0), places.std(0))


def mosaic(c: Coefficients) -> Tensor:
    """The pyramid in one array `(*batch, *axes)`, laid out as `pywt.coeffs_to_array` lays it.

    The approximation sits in the first corner and each finer scale around it: in two dimensions horizontal details
    (key 'da') lower left, vertical ones (key 'ad') upper right. Where a padded mode leaves gaps there are zeros.
    `ValueError` in domains that are no such pyramid, see `has_mosaic`.
    """
    places = mosaic_slices(c.layout)
    shape = [max(piece.stop for piece in along) for along in zip(*places.values(), strict=True)]
    picture = c.data.new_zeros((*c.data.shape[:-1], *shape))
    for band, place in places.items():
        inside: tuple[EllipsisType | slice, ...] = (..., *place)
        picture[inside] = c[band]
    return picture


def has_mosaic(layout: Layout) -> bool:
    """Whether the bands are a pyramid: each by its letters along the axes, one of a kind at each level."""
    axes = len(layout.signal_shape)
    whole = len(layout.bands) == 1 and len(layout.bands[0].shape) == axes
    kinds = {(band.level, band.key) for band in layout.bands}
    by_axes = all(len(band.key) == len(band.shape) == axes and set(band.key) <= set("ad") for band in layout.bands)
    return whole or (layout.domain.pyramid and by_axes and len(kinds) == len(layout.bands))


def mosaic_slices(layout: Layout) -> dict[Band, tuple[slice, ...]]:
    """Where each band lies in the mosaic: one slice per axis."""
    if not has_mosaic(layout):
        raise ValueError(f"a mosaic shows a pyramid such as the DWT's; {layout.domain} is none. Try scale_maps.")
    places = {}
    corner = (0,) * len(layout.signal_shape)  # grows along the axes that a scale splits
    for bands in layout.scales().values():
        for band in bands:
            starts = [edge if letter == "d" else 0 for edge, letter in zip(corner, _letters(band), strict=True)]
            places[band] = tuple(slice(s, s + m) for s, m in zip(starts, band.shape, strict=True))
        stops = [[piece.stop for piece in along] for along in zip(*(places[band] for band in bands), strict=True)]
        corner = tuple(max(edge, *along) for edge, along in zip(corner, stops, strict=True))
    return places


def contributions(c: Coefficients) -> dict[str, Tensor]:
    """The part of the signal that each scale makes, `(batch, channel, *axes)`: they add up to `c.synthesis()`."""
    return {name: c.only(*bands).synthesis() for name, bands in c.layout.scales().items()}


def scale_maps(c: Coefficients, *, signed: bool = False, by_channel: bool = False) -> dict[str, Tensor]:
    """Where in the signal each scale matters: one map `(batch, *axes)` a scale, whose total is Σ|γ| of that scale.

    |γ| is summed over channels and orientations and brought to the signal's resolution by linear interpolation
    between the coefficients' centres, each coefficient spread with total weight 1. `signed=True` keeps the signs, and
    the totals are the signed sums of `profile`. `by_channel=True` keeps the channels apart, `(batch, channel, *axes)`.
    """
    summed = _summed(c, signed, by_channel)
    kept = slice(None) if by_channel else 0
    inside = (..., kept, *[slice(None)] * len(c.layout.signal_shape))
    scales = c.layout.scales().items()
    return {name: torch.stack([_spread_band(summed, band) for band in bands]).sum(0)[inside] for name, bands in scales}


def spatial_map(c: Coefficients, *, signed: bool = False, by_channel: bool = False) -> Tensor:
    """Where in the signal the attribution lies, `(batch, *axes)`: the sum of the scale maps, with total Σ|γ|.

    `by_channel=True` keeps the channels apart, `(batch, channel, *axes)`.
    """
    return torch.stack(list(scale_maps(c, signed=signed, by_channel=by_channel).values())).sum(0)


def scalogram(c: Coefficients, columns: int = 800, *, signed: bool = False, by_channel: bool = False) -> Tensor:
    """|γ| for each sample over time, `(batch, scales, columns)`, coarsest scale first; for signals with one axis.

    |γ| is summed over channels. A coefficient of a band of m stands for 1 / m of the time, over which it is spread
    evenly; a column shows the mean over its time. So the mean of a row, times the samples, is Σ|γ| of its scale.
    `signed=True` keeps the signs, and that product is the signed sum of `profile`. `by_channel=True` keeps the channels
    apart, `(batch, channel, scales, columns)`.
    """
    if len(c.layout.signal_shape) != 1:
        raise ValueError(f"a scalogram shows signals with one axis; got {c.layout.signal_shape}. Try scale_maps.")
    summed = _summed(c, signed, by_channel)
    rows = [
        torch.stack([_boxes(_over_time(summed, band), columns) for band in bands]).sum(0)
        for bands in c.layout.scales().values()
    ]
    values = torch.stack(rows, -2) * (columns / c.layout.signal_shape[0])
    return values if by_channel else values.squeeze(-3)


def _over_time(c: Coefficients, band: Band) -> Tensor:
    """A band's values at even steps: its coefficients, or samples where the domain says over which they lie."""
    values = _placed(c, band)
    own = c.layout.domain.spread(values, band, c.layout)
    return values if own is None else own


def _boxes(values: Tensor, columns: int) -> Tensor:
    """`(…, m)` values, each spread over 1 / m of the time, summed in `columns`: differences of the running sum."""
    m = values.shape[-1]
    running = torch.nn.functional.pad(values.cumsum(-1, dtype=torch.float64), (1, 0))
    edges = torch.linspace(0, m, columns + 1, dtype=torch.float64, device=values.device)
    whole = edges.floor().clamp(max=m - 1).long()
    return (running[..., whole] + (edges - whole) * values[..., whole]).diff(dim=-1)


def along(layout: Layout, axis: int) -> dict[str, Scale]:
    """The bands by their scale along one axis: 'a', all that have no detail along it, then its details, coarsest first.

    In a video with time as axis 0, 'a' is what stays over the frames that each coefficient spans, 'd1' what changes
    from frame to frame, whatever the scale in space. Domains that tell nothing apart along one axis have 'a' alone.
    """
    return {scale.name: scale for scale in layout.domain.scales_along(layout, checked_axis(axis, layout))}


def courses(c: Coefficients, axis: int, *, signed: bool = False, by_channel: bool = False) -> dict[str, Tensor]:
    """How each scale along one axis runs along it: `(batch, n)` a scale of `along`, whose total is its Σ|γ|.

    |γ| is summed over channels and the other axes and spread as in `scale_maps`, so all courses add up to the sum of
    `spatial_map` over the other axes. `signed=True` keeps the signs, `by_channel=True` the channels apart.
    """
    axes = len(c.layout.signal_shape)
    axis = checked_axis(axis, c.layout)
    summed = _summed(c, signed, by_channel)
    n, sums = c.layout.signal_shape[axis], {}
    for name, bands in along(c.layout, axis).items():
        parts = []
        for band in bands:
            lead, places = summed.data.ndim - 1, _placed(summed, band)
            own = c.layout.domain.spread(places, band, c.layout)
            along_axis = (places if own is None else own).movedim(axis - axes, lead)
            values = along_axis.reshape(*along_axis.shape[: lead + 1], -1).sum(-1)
            if own is None:
                values = _spread(values, c.layout.domain.centres(band, c.layout)[axis].to(values), n)
            parts.append(values)
        sums[name] = torch.stack(parts).sum(0)
    return sums if by_channel else {name: course.squeeze(-2) for name, course in sums.items()}


def density(c: Coefficients) -> Coefficients:
    """|γ| for each sample that a coefficient stands for, `(batch, 1, size)`: what scale maps and mosaic share.

    A coefficient of a band of m in a signal of n samples stands for n / m of them, so |γ| is summed over channels and
    multiplied by m / n. The mean of a scale's bands, orientations added, is then proportional to its share.
    """
    samples = math.prod(c.layout.signal_shape)
    total = c.data.abs().sum(-2, keepdim=True)
    weights = [total.new_full((band.size,), band.size / samples) for band in c.layout.bands]
    return Coefficients(total * torch.cat(weights), c.layout)


def _summed(c: Coefficients, signed: bool, by_channel: bool) -> Coefficients:
    """|γ|, or γ where signs are kept, summed over channels to one unless they are kept apart."""
    data = with_sign(c.data) if signed else c.data.abs()
    return Coefficients(data if by_channel else data.sum(-2, keepdim=True), c.layout)


def _placed(c: Coefficients, band: Band) -> Tensor:
    """The coefficients of a band by place, `(*batch, *places)`: those that share a place are added up."""
    shape, axes = band.shape, len(c.layout.signal_shape)
    if len(shape) == axes:
        return c[band]
    return c[band].reshape(*c.data.shape[:-1], -1, *shape[-axes:]).sum(-1 - axes)


def _letters(band: Band) -> str:
    return band.key if len(band.key) == len(band.shape) else "a" * len(band.shape)


def _spread_band(c: Coefficients, band: Band) -> Tensor:
    values = _placed(c, band)
    if (own := c.layout.domain.spread(values, band, c.layout)) is not None:
        return own
    centres = c.layout.domain.centres(band, c.layout)
    for k, n in enumerate(c.layout.signal_shape):
        dim = k - len(c.layout.signal_shape)
        values = _spread(values.movedim(dim, -1), centres[k].to(values), n).movedim(-1, dim)
    return values


def _spread(values: Tensor, centres: Tensor, n: int) -> Tensor:
    """`(…, m)` coefficients at `centres` on `n` samples: linear interpolation, each coefficient with weight 1 in all.

    Sample t takes the part 1 − w of the knot before it and w of the one after it, and beyond the ends all of the
    last. Each knot is divided by the weights that it gives, so sums are kept.
    """
    knots, knot_of = torch.unique(_knots(centres, n), return_inverse=True)
    samples = torch.arange(n, dtype=knots.dtype, device=knots.device)
    after = torch.searchsorted(knots, samples).clamp(min=1).clamp(max=len(knots) - 1)
    before = (after - 1).clamp(min=0)
    gap = (knots[after] - knots[before]).where(after > before, 1)  # 1 for a single knot
    w = ((samples - knots[before]) / gap).clamp(0, 1)
    given = torch.zeros_like(knots).index_add(0, before, 1 - w).index_add(0, after, w)
    heights = values.new_zeros((*values.shape[:-1], len(knots))).index_add(-1, knot_of, values) / given
    spread: Tensor = heights[..., before] * (1 - w) + heights[..., after] * w
    return spread


def _knots(centres: Tensor, n: int) -> Tensor:
    """Where the coefficients stand for interpolation: at their centres, but never too close to be seen.

    Padded modes crowd coefficients at the borders: those less than half a step from the outermost centre join it, or
    they would all lie on the last sample. Coefficients closer than the samples move to the nearest sample.
    """
    ordered = centres.sort().values
    half = ordered.diff().amax() / 2 if len(centres) > 1 else 0
    first, last = ordered[0], ordered[-1]
    joined = centres.where(centres - first >= half, first).where(last - centres >= half, last)
    return joined.round() if len(joined.unique()) > n else joined
