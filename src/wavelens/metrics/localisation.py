"""Localisation: whether an attribution points at the object."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wavelens.core import Coefficients, signal_axes
from wavelens.engine.gradients import Model
from wavelens.maps import spatial_map
from wavelens.masks.ranking import descending
from wavelens.metrics.correlation import rounded
from wavelens.metrics.perturbation import check_attribution
from wavelens.targets import Target

ROUNDING = 64  # units in the last place, the step to which ranks are rounded too

SampleBox = Sequence[Sequence[int]]  # (start, stop) along each axis


def pointing_game(
    model: Model, x: Tensor, target: Target, attribution: Coefficients, *, region: Tensor, tolerance: float = 0.0
) -> Tensor:
    """1 where the attribution's highest place lies in the region, else 0, `(batch,)`; the mean is the accuracy.

    (Zhang et al., 2018; WAM's table 8.) The place is the first maximum of `maps.spatial_map`, which needs no model.
    Places that are equal but for rounding count as equal: the map of a cosine transform is its own mirror image.
    `region` is true inside the object, `(batch, *axes)`: a segmentation, or `boxes`. `tolerance`, in samples, is how
    far from the region a place still counts as a hit (15 pixels as first published).

    >>> region = wl.metrics.boxes(x, [[((0, 4), (0, 8))]])
    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> wl.metrics.pointing_game(model, x, 1, a, region=region).tolist()
    [1.0]
    """
    _check_region(x, attribution, region)
    if not tolerance >= 0:
        raise ValueError(f"tolerance, in samples, must be at least 0; got {tolerance}.")
    heat = spatial_map(attribution)
    hits = [_distance(one, mask) <= tolerance for one, mask in zip(heat, region.to(heat.device), strict=True)]
    return torch.stack(hits).to(heat.dtype)


def relevance_mass(model: Model, x: Tensor, target: Target, attribution: Coefficients, *, region: Tensor) -> Tensor:
    """The share of the map that lies in the region, `(batch,)`, from 0 to 1; more is better (Arras et al., 2022).

    The map is `maps.spatial_map`, `|γ|` spread over the signal; `region` as in `pointing_game`. The share of an even
    map is that of the region. NaN for a map of zeros.

    >>> region = wl.metrics.boxes(x, [[((0, 4), (0, 8))]])
    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> round(wl.metrics.relevance_mass(model, x, 1, a, region=region).item(), 3)
    0.504
    """
    _check_region(x, attribution, region)
    heat = spatial_map(attribution).flatten(1)
    total = heat.sum(1)
    return (heat * region.to(heat.device).flatten(1)).sum(1) / total.where(total > 0, torch.nan)


def relevance_rank(model: Model, x: Tensor, target: Target, attribution: Coefficients, *, region: Tensor) -> Tensor:
    """The share of the map's highest places, as many as the region has, that lies in it, `(batch,)`; more is better.

    (Arras et al., 2022.) Map and region as in `relevance_mass`; of places that are equal but for rounding the first
    come first. The share of a random order is that of the region.

    >>> region = wl.metrics.boxes(x, [[((0, 4), (0, 8))]])
    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> wl.metrics.relevance_rank(model, x, 1, a, region=region).item()
    0.5
    """
    _check_region(x, attribution, region)
    heat, inside = spatial_map(attribution).flatten(1), region.flatten(1)
    size = inside.sum(1).to(heat.device)
    places = descending(rounded(heat))
    first = torch.arange(heat.shape[1], device=heat.device) < size[:, None]
    return (inside.to(heat.device).gather(1, places) & first).sum(1) / size.to(heat.dtype)


def _check_region(x: Tensor, attribution: Coefficients, region: Tensor) -> None:
    """`ValueError` unless the region is a mask with an object in each item, and the attribution one of this batch."""
    check_attribution(x, attribution)
    axes = signal_axes(x)
    if region.shape != (len(x), *axes) or region.dtype != torch.bool or not region.flatten(1).any(1).all():
        raise ValueError(
            f"region must be a boolean mask {(len(x), *axes)} with an object in each item; got {tuple(region.shape)} "
            f"of {region.dtype}. Make one of boxes with metrics.boxes(x, …)."
        )


def boxes(x: Tensor, items: Sequence[Sequence[SampleBox]]) -> Tensor:
    """The mask of boxes, `(batch, *axes)`: for each item a list of boxes, each `(start, stop)` in samples by axis.

    One box of a photo is `((top, bottom), (left, right))`; `stop` is the first sample outside.

    >>> wl.metrics.boxes(x, [[((0, 4), (0, 2))]]).sum().item()
    8
    """
    axes = signal_axes(x)
    mask = torch.zeros(len(x), *axes, dtype=torch.bool, device=x.device)
    if len(items) != len(x):
        raise ValueError(f"boxes must be given as one list for each of {len(x)} items; got {len(items)}.")
    for one, given in zip(mask, items, strict=True):
        for box in given:
            pairs = [tuple(pair) for pair in box]
            fits = len(pairs) == len(axes) and all(len(pair) == 2 for pair in pairs)
            if not fits or any(not 0 <= a < b <= n for (a, b), n in zip(pairs, axes, strict=True)):
                raise ValueError(f"a box must be (start, stop) for each of the axes {axes}, inside them; got {box}.")
            one[tuple(slice(a, b) for a, b in pairs)] = True
    return mask


def _distance(heat: Tensor, mask: Tensor) -> Tensor:
    """From the map's first maximum to the nearest sample of the mask, in samples."""
    flat = heat.flatten()
    highest = flat >= flat.amax() * (1 - ROUNDING * torch.finfo(heat.dtype).eps)
    peak = torch.stack(torch.unravel_index(highest.int().argmax(), heat.shape))
    distances: Tensor = (mask.nonzero() - peak).double().norm(dim=1)
    return distances.amin()
