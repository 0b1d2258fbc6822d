"""Numbers to look at: mosaic, scale maps, exact contributions and the scale profile of an attribution.

Every function takes Coefficients `(batch, channel, size)` over any number of axes and computes; nothing is drawn.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any

import torch
from torch import Tensor

from wavelens.core import Band, Coefficients, Layout, Scale, band_sums, checked_axis, scale_sums
from wavelens.counts import with_minus
from wavelens.marginal import Marginal, marginal
from wavelens.optional import installed
from wavelens.placing import placed, scale_maps, spatial_map, spread, summed
from wavelens.rose import Rose, has_rose, rose
from wavelens.scalogram import TimeFrequency, scalogram, time_frequency

__all__ = [
    "Marginal",
    "Profile",
    "Rose",
    "TimeFrequency",
    "along",
    "contributions",
    "courses",
    "density",
    "has_mosaic",
    "has_places",
    "has_rose",
    "marginal",
    "mosaic",
    "mosaic_slices",
    "profile",
    "rose",
    "scale_maps",
    "scaled_axes",
    "scalogram",
    "spatial_map",
    "striped",
    "time_frequency",
]


MAX_PRINTED = 3  # items, or items and channels, of a profile that is printed


@dataclass(frozen=True, eq=False, repr=False)
class Profile:
    """Where an attribution comes from, scale by scale and band by band.

    `signed` and `share` have shape `(batch, scales)` in the order of `names`, coarsest scale first; `band_signed` and
    `band_share` have shape `(batch, bands)` in the order of `bands`, where each band is one orientation of a scale.

    Signed sums run over channels and positions, so they add up to the sum of all coefficients: for a path method to
    f(x) − f(x₀), up to its gap; for complex gradients, which have no sign, they are NaN. Shares are of Σ|γ| and add up
    to 1; an item with Σ|γ| = 0 has shares of 0. Printed, a profile is a table of its first items.
    """

    names: tuple[str, ...]
    signed: Tensor
    share: Tensor
    bands: tuple[Band, ...]
    band_signed: Tensor
    band_share: Tensor

    def __repr__(self) -> str:
        sums, shares = (values.detach().flatten(0, -2).tolist() for values in (self.signed, self.share))
        channels = self.signed.shape[1] if self.signed.ndim == 3 else 1
        lines = []
        for k, (own, parts) in enumerate(zip(sums[:MAX_PRINTED], shares[:MAX_PRINTED], strict=True)):
            if len(sums) > 1:
                lines.append(f"item {k // channels}" + (f", channel {k % channels}" if channels > 1 else ""))
            lines += _table(self.names, own, parts)
        more = [f"… and {len(sums) - MAX_PRINTED} more; to_frame() has all."] if len(sums) > MAX_PRINTED else []
        return "\n".join([*lines, *more])

    def to_frame(self) -> Any:
        """A `pandas.DataFrame` with one row per item and scale: `item`, `scale`, `signed`, `share`, and `channel`.

        There is a `channel` only where channels are kept apart. `ImportError` without pandas.

        >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
        >>> frame = wl.maps.profile(a).to_frame()
        >>> list(frame.columns), frame.scale.tolist()
        (['item', 'scale', 'signed', 'share'], ['a2', 'd2', 'd1'])
        """
        pandas = installed("pandas")
        signed, share = (values.detach().cpu().double() for values in (self.signed, self.share))
        places = list(itertools.product(*map(range, signed.shape)))
        columns: dict[str, Any] = {"item": [place[0] for place in places]}
        if signed.ndim == 3:
            columns["channel"] = [place[1] for place in places]
        columns["scale"] = [self.names[place[-1]] for place in places]
        return pandas.DataFrame(columns | {"signed": signed.flatten().tolist(), "share": share.flatten().tolist()})


def _table(names: Sequence[str], sums: Sequence[float], shares: Sequence[float]) -> list[str]:
    """A line per scale: its name, its signed sum and its share."""
    width = max(map(len, ("scale", *names)))
    rows = [
        (name, "—" if math.isnan(total) else with_minus(f"{total:+.4g}"), f"{part:.1%}")
        for name, total, part in zip(names, sums, shares, strict=True)
    ]
    return [
        f"{name:{width}}  {total:>10}  {part:>12}"
        for name, total, part in [("scale", "signed sum", "share of |γ|"), *rows]
    ]


def profile(c: Coefficients, *, by_channel: bool = False) -> Profile:
    """The signed sum of each scale and orientation, and its share of Σ|γ|.

    `by_channel=True` keeps the channels apart (leads, spectral bands, modalities): every tensor has them after the
    batch, `(batch, channel, scales)`. Sums over channels are the profile without it.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> profile = wl.maps.profile(a)
    >>> profile.names, [round(share, 3) for share in profile.share[0].tolist()]
    (('a2', 'd2', 'd1'), [0.001, 0.253, 0.746])
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


def mosaic(c: Coefficients) -> Tensor:
    """The pyramid in one array `(*batch, *axes)`, laid out as `pywt.coeffs_to_array` lays it.

    The approximation sits in the first corner and each finer scale around it: in two dimensions horizontal details
    (key 'da') lower left, vertical ones (key 'ad') upper right. Where a padded mode leaves gaps there are zeros.
    `ValueError` in domains that are no such pyramid, see `has_mosaic`.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> wl.maps.mosaic(a).shape
    torch.Size([1, 1, 8, 8])
    """
    places = mosaic_slices(c.layout)
    shape = [max(piece.stop for piece in along) for along in zip(*places.values(), strict=True)]
    picture = c.data.new_zeros((*c.data.shape[:-1], *shape))
    for band, place in places.items():
        inside: tuple[EllipsisType | slice, ...] = (..., *place)
        picture[inside] = c[band]
    return picture


def has_mosaic(layout: Layout) -> bool:
    """Whether the bands are a pyramid: each by its letters along the axes, one of a kind at each level.

    >>> wl.maps.has_mosaic(wl.DWT("haar", levels=2).layout((8, 8))), wl.maps.has_mosaic(wl.Fourier().layout((8, 8)))
    (True, False)
    """
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


def has_places(layout: Layout) -> bool:
    """Whether coefficients lie at places of the signal; those of a Fourier transform have none, and flat maps.

    >>> wl.maps.has_places(wl.DWT("haar", 2).layout((8, 8))), wl.maps.has_places(wl.Fourier().layout((8, 8)))
    (True, False)
    """
    axes, samples = len(layout.signal_shape), math.prod(layout.signal_shape)
    return samples == 1 or any(math.prod(band.shape[-axes:]) > 1 for band in layout.bands)


def scaled_axes(layout: Layout) -> tuple[int, ...]:
    """The axes along which scales are known to differ: of a picture in `ConstantQ` or `STFT` the last alone.

    >>> wl.maps.scaled_axes(wl.DWT("haar", 2).layout((8, 8))), wl.maps.scaled_axes(wl.STFT("hann", 4).layout((8, 8)))
    ((0, 1), (1,))
    """
    extents = [scale.extent for scale in layout.scales().values()]
    axes = range(len(layout.signal_shape))
    return tuple(k for k in axes if all(extents) and len({extent[k] for extent in extents}) > 1)


def striped(layout: Layout) -> str:
    """A line on why maps of a picture are striped, where scales lie along some of its axes alone; else empty.

    >>> wl.maps.striped(wl.STFT("hann", 8).layout((16, 32)))[:40]
    'These scales lie along axis 2 of 2 alone'
    >>> wl.maps.striped(wl.DWT("haar", levels=2).layout((16, 32)))
    ''
    """
    scaled, axes = scaled_axes(layout), len(layout.signal_shape)
    if not 0 < len(scaled) < axes:
        return ""
    named = " and ".join(str(k + 1) for k in scaled)
    where = f"These scales lie along axis {named} of {axes} alone"
    return f"{where}: each line along it is read by itself, so maps are striped."


def contributions(c: Coefficients) -> dict[str, Tensor]:
    """The part of the signal that each scale makes, `(batch, channel, *axes)`: they add up to `c.synthesis()`.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> {name: tuple(part.shape) for name, part in wl.maps.contributions(a).items()}
    {'a2': (1, 1, 8, 8), 'd2': (1, 1, 8, 8), 'd1': (1, 1, 8, 8)}
    """
    return {name: c.only(*bands).synthesis() for name, bands in c.layout.scales().items()}


def along(layout: Layout, axis: int) -> dict[str, Scale]:
    """The bands by their scale along one axis: 'a', all that have no detail along it, then its details, coarsest first.

    In a video with time as axis 0, 'a' is what stays over the frames that each coefficient spans, 'd1' what changes
    from frame to frame, whatever the scale in space. Domains that separate nothing along a single axis have only 'a'.

    >>> layout = wl.DWT("haar", levels=(1, 2)).layout((8, 8))
    >>> list(wl.maps.along(layout, 1))
    ['a', 'd2', 'd1']
    """
    return {scale.name: scale for scale in layout.domain.scales_along(layout, checked_axis(axis, layout))}


def courses(c: Coefficients, axis: int, *, signed: bool = False, by_channel: bool = False) -> dict[str, Tensor]:
    """The course of each scale along one axis: `(batch, n)` per scale of `along`, with that scale's Σ|γ| as its total.

    |γ| is summed over channels and the other axes and spread as in `scale_maps`, so all courses add up to the sum of
    `spatial_map` over the other axes. `signed=True` keeps the signs, `by_channel=True` the channels apart.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> {name: tuple(course.shape) for name, course in wl.maps.courses(a, 0).items()}
    {'a': (1, 8), 'd2': (1, 8), 'd1': (1, 8)}
    """
    axes = len(c.layout.signal_shape)
    axis = checked_axis(axis, c.layout)
    together = summed(c, signed, by_channel)
    n, sums = c.layout.signal_shape[axis], {}
    for name, bands in along(c.layout, axis).items():
        parts = []
        for band in bands:
            lead, places = together.data.ndim - 1, placed(together, band)
            own = c.layout.domain.spread(places, band, c.layout)
            along_axis = (places if own is None else own).movedim(axis - axes, lead)
            values = along_axis.reshape(*along_axis.shape[: lead + 1], -1).sum(-1)
            if own is None:
                centres = c.layout.domain.centres(band, c.layout)[axis].to(values)
                values = spread(values, centres, n, c.layout.domain.circular)
            parts.append(values)
        sums[name] = torch.stack(parts).sum(0)
    return sums if by_channel else {name: course.squeeze(-2) for name, course in sums.items()}


def density(c: Coefficients) -> Coefficients:
    """|γ| for each sample that a coefficient stands for, `(batch, 1, size)`: what scale maps and mosaic share.

    A coefficient of a band with m coefficients, in a signal of n samples, stands for n / m samples, so |γ| is summed
    over channels and multiplied by m / n. The mean of a scale's bands, orientations added, is then proportional to its
    share.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> wl.maps.density(a).data.shape
    torch.Size([1, 1, 64])
    """
    samples = math.prod(c.layout.signal_shape)
    total = c.data.abs().sum(-2, keepdim=True)
    weights = [total.new_full((band.size,), band.size / samples) for band in c.layout.bands]
    return Coefficients(total * torch.cat(weights), c.layout)


def _letters(band: Band) -> str:
    return band.key if len(band.key) == len(band.shape) else "a" * len(band.shape)
