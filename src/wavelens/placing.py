"""Coefficients by their place in the signal: summed over what shares a place, and spread over the samples."""

from __future__ import annotations

import torch
from torch import Tensor

from wavelens.core import Band, Coefficients, with_sign


def summed(c: Coefficients, signed: bool, by_channel: bool) -> Coefficients:
    """|γ|, or γ where signs are kept, summed over channels to one unless they are kept apart."""
    data = with_sign(c.data) if signed else c.data.abs()
    return Coefficients(data if by_channel else data.sum(-2, keepdim=True), c.layout)


def scale_maps(c: Coefficients, *, signed: bool = False, by_channel: bool = False) -> dict[str, Tensor]:
    """Where in the signal each scale matters: one map `(batch, *axes)` per scale, with total Σ|γ|.

    |γ| is summed over channels and orientations and brought to the signal's resolution by linear interpolation
    between the coefficients' centres, each coefficient spread with total weight 1. `signed=True` keeps the signs, and
    the totals are the signed sums of `profile`. `by_channel=True` keeps the channels apart, `(batch, channel, *axes)`.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> {name: tuple(picture.shape) for name, picture in wl.maps.scale_maps(a).items()}
    {'a2': (1, 8, 8), 'd2': (1, 8, 8), 'd1': (1, 8, 8)}
    """
    sums = summed(c, signed, by_channel)
    kept = slice(None) if by_channel else 0
    inside = (..., kept, *[slice(None)] * len(c.layout.signal_shape))
    scales = c.layout.scales().items()
    return {name: torch.stack([spread_band(sums, band) for band in bands]).sum(0)[inside] for name, bands in scales}


def spatial_map(c: Coefficients, *, signed: bool = False, by_channel: bool = False) -> Tensor:
    """Where in the signal the attribution lies, `(batch, *axes)`: the sum of the scale maps, with total Σ|γ|.

    `by_channel=True` keeps the channels apart, `(batch, channel, *axes)`.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> wl.maps.spatial_map(a).shape
    torch.Size([1, 8, 8])
    """
    return torch.stack(list(scale_maps(c, signed=signed, by_channel=by_channel).values())).sum(0)


def placed(c: Coefficients, band: Band) -> Tensor:
    """The coefficients of a band by place, `(*batch, *places)`: those that share a place are added up."""
    shape, axes = band.shape, len(c.layout.signal_shape)
    if len(shape) == axes:
        return c[band]
    return c[band].reshape(*c.data.shape[:-1], -1, *shape[-axes:]).sum(-1 - axes)


def spread_band(c: Coefficients, band: Band) -> Tensor:
    """A band over the signal, `(*batch, *axes)`, with the same total."""
    values = placed(c, band)
    if (own := c.layout.domain.spread(values, band, c.layout)) is not None:
        return own
    centres = c.layout.domain.centres(band, c.layout)
    for k, n in enumerate(c.layout.signal_shape):
        dim = k - len(c.layout.signal_shape)
        values = spread(values.movedim(dim, -1), centres[k].to(values), n, c.layout.domain.circular).movedim(-1, dim)
    return values


def spread(values: Tensor, centres: Tensor, n: int, circular: bool = False) -> Tensor:
    """`(…, m)` coefficients at `centres` on `n` samples: linear interpolation, each coefficient with weight 1 in all.

    Sample t takes the part 1 − w of the knot before it and w of the one after it, and beyond the ends all of the
    last; `circular` knots that lie nearer to one end go round. Each knot is divided by the weights that it
    gives, so sums are kept.
    """
    knots, knot_of = torch.unique(knot_places(centres, n), return_inverse=True)
    samples = torch.arange(n, dtype=knots.dtype, device=knots.device)
    after = torch.searchsorted(knots, samples).clamp(min=1).clamp(max=len(knots) - 1)
    before = (after - 1).clamp(min=0)
    gap = (knots[after] - knots[before]).where(after > before, 1)  # 1 for a single knot
    w = ((samples - knots[before]) / gap).clamp(0, 1)
    if circular and _is_off_centre(knots, n):
        turns = (samples - knots[0]) * (len(knots) / n)
        before, w = turns.floor().long() % len(knots), turns - turns.floor()
        after = (before + 1) % len(knots)
    given = torch.zeros_like(knots).index_add(0, before, 1 - w).index_add(0, after, w)
    heights = values.new_zeros((*values.shape[:-1], len(knots))).index_add(-1, knot_of, values) / given
    spread_out: Tensor = heights[..., before] * (1 - w) + heights[..., after] * w
    return spread_out


def _is_off_centre(knots: Tensor, n: int) -> bool:
    """Whether knots lie evenly on the circle of `n` samples, and nearer to one end than to the other."""
    step = n / len(knots)
    even = len(knots) > 1 and torch.allclose(knots.diff(), knots.new_tensor(step), rtol=0, atol=1e-6 * step)
    return even and abs(float(knots[0]) + 0.5 - step / 2) > 1e-6 * step


def boxes(values: Tensor, centres: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """`(…, m)` coefficients at `centres` as boxes that fill `n` samples: values `(…, k)` and their k + 1 edges.

    A box reaches half-way to the next centre. Evenly spread centres go round, as the transforms that have them do: the
    box that hangs over one end of the signal is split, and goes on at the other.
    """
    ordered, order = torch.sort(knot_places(centres, n) + 0.5)
    values, m = values[..., order], len(ordered)
    step = n / m
    if m > 1 and not torch.allclose(ordered.diff(), ordered.new_tensor(step), rtol=0, atol=1e-6 * step):
        places, which = torch.unique(ordered, return_inverse=True)
        sums = values.new_zeros((*values.shape[:-1], len(places))).index_add(-1, which, values)
        return sums, torch.cat([places.new_zeros(1), (places[1:] + places[:-1]) / 2, places.new_full((1,), n)])
    over = (ordered[0] - step / 2) / step  # of the first box, at most half, before the start; above 0 of the last
    first, last = values[..., :1], values[..., -1:]
    if over < 0:
        parts = [first * (1 + over), values[..., 1:], first * -over]
    else:
        parts = [last * over, values[..., :-1], last * (1 - over)]
    inner = ordered + step / 2 if over < 0 else ordered - step / 2
    return torch.cat(parts, -1), torch.cat([inner.new_zeros(1), inner, inner.new_full((1,), n)])


def knot_places(centres: Tensor, n: int) -> Tensor:
    """Where the coefficients stand for interpolation: at their centres, but never too close to be seen.

    Padded modes crowd coefficients at the borders: those less than half a step from the outermost centre join it, or
    they would all lie on the last sample. Coefficients closer than the samples move to the nearest sample.
    """
    ordered = centres.sort().values
    half = ordered.diff().amax() / 2 if len(centres) > 1 else 0
    first, last = ordered[0], ordered[-1]
    joined = centres.where(centres - first >= half, first).where(last - centres >= half, last)
    return joined.round() if len(joined.unique()) > n else joined
