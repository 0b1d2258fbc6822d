"""Marginal accounts: what several domains say of the same explanation, on the scales that all of them tell apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from wavelens.core import Coefficients, Domain, Extent, Layout, Scale, band_sums, scale_sums
from wavelens.own import text_of
from wavelens.placing import spatial_map

Edge = tuple[float, ...]  # where a scale ends along each axis, in cycles per sample or in the geometry's unit


@dataclass(frozen=True)
class CommonScale:
    """A scale that several layouts have: in each of them one scale, or neighbouring ones that add up to it.

    `extent` is that of `Scale`. `parts` has for each layout the range of its own scales, coarsest first.
    """

    name: str
    extent: tuple[Extent, ...]
    parts: tuple[range, ...]


@dataclass(frozen=True, eq=False)
class Marginal:
    """What several domains say of the same explanation: means, and standard deviations from one domain to another.

    `share` and `share_spread` have shape `(batch, scales)` in the order of `names`, coarsest scale first, and so have
    the signed sums `signed` and `signed_spread`, which are NaN for complex gradients; `shares` has shape `(domains,
    batch, scales)`. What a scale spans is in `extents`. `place` and `place_spread` have shape `(batch, *axes)` and are
    of spatial maps with total 1, or 0 where nothing is attributed.
    """

    names: tuple[str, ...]
    extents: tuple[tuple[Extent, ...], ...]
    share: Tensor
    share_spread: Tensor
    shares: Tensor
    signed: Tensor
    signed_spread: Tensor
    place: Tensor
    place_spread: Tensor


def marginal(several: Sequence[Coefficients]) -> Marginal:
    """How scale shares and places depend on the choice of a domain, such as the wavelet and where its grid begins.

    `several` are attributions of the same signals in several domains, from one pass of gradients:
    `attribute(…, domain=[DWT("haar", 4), DWT("db4", 4), Shifted(DWT("haar", 4), (5,)), …])`. Where their scales differ,
    neighbouring ones are added up until all domains have the same: the approximation of three levels is that of four
    with its coarsest details, three tones of `ConstantQ(per_octave=3)` are an octave. A spread is not an error of the
    explanation; it says how much of a share is due to the domain.

    >>> import torch, wavelens as wl
    >>> x, domains = torch.arange(16.0)[None, None], [wl.Shifted(wl.DWT("haar", 2), (k,)) for k in range(4)]
    >>> account = marginal([domain.analysis(x) for domain in domains])
    >>> account.names, account.share_spread.shape, account.place.sum()
    (('a2', 'd2', 'd1'), torch.Size([1, 3]), tensor(1.))
    """
    if len(several) < 2:
        raise ValueError(f"a marginal account takes two attributions or more; got {len(several)}.")
    first, *others = ((c.layout.signal_shape, c.data.shape[:-2]) for c in several)
    if odd := [one for one in others if one != first]:
        raise ValueError(
            f"attributions must be of the same signals; got axes {first[0]} and {odd[0][0]} in batches of "
            f"{tuple(first[1])} and {tuple(odd[0][1])}. Take them from one call of attribute."
        )
    scales = common_scales([c.layout for c in several])
    axes = tuple(range(-len(first[0]), 0))
    maps = torch.stack([spatial_map(c) for c in several])
    total = maps.sum(axes, keepdim=True)
    places = maps / total.where(total > 0, 1)
    sizes = torch.stack([_sums(c.map(torch.abs), scales, k) for k, c in enumerate(several)])
    shares = sizes / (whole := sizes.sum(-1, keepdim=True)).where(whole > 0, 1)
    signed = torch.stack([_sums(_with_sign(c), scales, k) for k, c in enumerate(several)])
    return Marginal(
        names=tuple(scale.name for scale in scales),
        extents=tuple(scale.extent for scale in scales),
        share=shares.mean(0),
        share_spread=shares.std(0),
        shares=shares,
        signed=signed.mean(0),
        signed_spread=signed.std(0),
        place=places.mean(0),
        place_spread=places.std(0),
    )


def common_scales(layouts: Sequence[Layout]) -> tuple[CommonScale, ...]:
    """The scales that all layouts tell apart, coarsest first; `ValueError` where that is nothing at all.

    >>> import wavelens as wl
    >>> layouts = [wl.DWT("haar", levels).layout((32,)) for levels in (2, 3)]
    >>> [(scale.name, scale.parts) for scale in common_scales(layouts)]
    [('a2', (range(0, 1), range(0, 2))), ('d2', (range(1, 2), range(2, 3))), ('d1', (range(2, 3), range(3, 4)))]
    """
    own = [tuple(layout.scales().values()) for layout in layouts]
    edges = [_edges(scales) for scales in own]
    if len({tuple(scale.name for scale in scales) for scales in own}) == 1 and not _differ(edges):
        return tuple(CommonScale(one.name, one.extent, (range(k, k + 1),) * len(own)) for k, one in enumerate(own[0]))
    meeting = _meeting(edges)
    if not meeting:
        apart = next((k for k in range(1, len(edges)) if not _meeting([edges[0], edges[k]])), 1)
        pair = (layouts[0], layouts[apart])
        (one, names), (other, more) = ((layout.domain, ", ".join(layout.scales())) for layout in pair)
        raise ValueError(
            f"a marginal account must be over domains that tell the same scales apart; got {one} with {names} and "
            f"{other} with {more}. Give each domain as many levels, or leave out what has no scale in common."
        )
    return tuple(_common(own, [_range(ends, before, edge) for ends in edges]) for before, edge in _pairs(meeting))


def short_names(domains: Sequence[Domain]) -> list[str]:
    """A short name for each domain, no two alike: 'DualTree', 'DWT', 'DWT-2'."""
    return short_texts([text_of(domain) for domain in domains])


def short_texts(values: Sequence[str]) -> list[str]:
    """A short name for each value by its text, no two alike: 'GradCAM', 'SmoothGrad', 'SmoothGrad-2'."""
    names: list[str] = []
    for text in values:
        name = text.partition("(")[0].rpartition(":")[2].rpartition(".")[2]
        count = 1 + sum(other.partition("-")[0] == name for other in names)
        names.append(name if count == 1 else f"{name}-{count}")
    return names


def _common(own: Sequence[tuple[Scale, ...]], parts: Sequence[range]) -> CommonScale:
    """The scale that is made of these parts of each layout's scales, called as where it is one scale."""
    first, last = own[0][parts[0][0]], own[0][parts[0][-1]]
    names = [scales[part[0]].name for scales, part in zip(own, parts, strict=True) if len(part) == 1]
    extent = tuple(Extent(low.low, high.high, low.measure) for low, high in zip(first.extent, last.extent, strict=True))
    return CommonScale(names[0] if names else f"{first.name}–{last.name}", extent, tuple(parts))


def _edges(scales: Sequence[Scale]) -> list[Edge]:
    """Where each scale ends, axis by axis; nothing where they do not follow one another from the coarsest up."""
    for before, after in pairwise(scales):
        pairs = list(zip(before.extent, after.extent, strict=False))
        if not pairs or not all(_close(low.high, high.low) or low == high for low, high in pairs):
            return []
    return [tuple(one.high for one in scale.extent) for scale in scales]


def _meeting(edges: Sequence[list[Edge]]) -> list[Edge]:
    """Where scales of all layouts end; none where that is not between the lowest scale and the highest of all."""
    shared = [edge for edge in edges[0] if all(_place(edge, others) is not None for others in edges[1:])]
    return shared if len(shared) > 1 and all(_meet(shared[-1], ends[-1]) for ends in edges) else []


def _differ(edges: Sequence[list[Edge]]) -> bool:
    """Whether scales of the same names are known to span something else."""
    known = [ends for ends in edges if ends]
    return any(not all(map(_meet, known[0], ends)) for ends in known[1:])


def _pairs(meeting: Sequence[Edge]) -> list[tuple[Edge | None, Edge]]:
    return list(zip([None, *meeting[:-1]], meeting, strict=True))


def _range(ends: Sequence[Edge], before: Edge | None, edge: Edge) -> range:
    """The scales between two edges that a layout has."""
    start, stop = -1 if before is None else _place(before, ends), _place(edge, ends)
    assert start is not None
    assert stop is not None
    return range(start + 1, stop + 1)


def _place(edge: Edge, ends: Sequence[Edge]) -> int | None:
    return next((k for k, end in enumerate(ends) if _meet(edge, end)), None)


def _meet(edge: Edge, end: Edge) -> bool:
    return len(edge) == len(end) and all(map(_close, edge, end))


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-9)


def _with_sign(c: Coefficients) -> Coefficients:
    return c.map(lambda data: data.abs() * torch.nan) if c.data.is_complex() else c


def _sums(c: Coefficients, scales: Sequence[CommonScale], k: int) -> Tensor:
    """Sums over the channels and over each common scale of the k-th layout, `(batch, scales)`."""
    own = scale_sums(band_sums(c).sum(-2), c.layout)
    return torch.stack([own[..., scale.parts[k].start : scale.parts[k].stop].sum(-1) for scale in scales], -1)
