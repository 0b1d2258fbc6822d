"""Attributions of pictures by the orientation of lines."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wavelens.core import Coefficients, Layout, band_sums
from wavelens.precision import full_precision

HALF_TURN = 180.0  # degrees: a line has no sense


@dataclass(frozen=True, eq=False)
class Rose:
    """Shares of Σ|γ| by scale and by the orientation of lines.

    `share` has shape `(batch, scales, angles)` and follows `names`, coarsest first; columns are centred at `angles`,
    degrees counterclockwise from horizontal, above −90 and up to 90. Scales without orientations, such as an
    approximation, are left out, so shares add up to that of the oriented bands.
    """

    names: tuple[str, ...]
    share: Tensor
    angles: tuple[float, ...]


def has_rose(layout: Layout) -> bool:
    """Whether a domain tells orientations apart: two or more in some scale of a picture.

    >>> has_rose(wl.Shearlets(2).layout((32, 32))), has_rose(wl.Cosine().layout((32, 32)))
    (True, False)
    """
    angles = layout.orientations()
    return any(len({angle for band in scale for angle in angles[band]}) > 1 for scale in layout.scales().values())


def rose(c: Coefficients, angles: int = 90) -> Rose:
    """The share of Σ|γ| that each scale has in lines of each orientation, in `angles` equal steps over half a turn.

    A band's share lies evenly over the orientations nearer to its own than to those of its scale's other bands; a band
    that cannot tell several orientations apart, such as the diagonal details of the DWT, gives each an equal part.
    `ValueError` for domains that know no orientations, see `has_rose`.

    >>> lines = torch.sin(torch.arange(32.0) * 1.5).expand(1, 1, 32, 32)  # vertical
    >>> result = rose(wl.Shearlets(2).analysis(lines), angles=6)
    >>> result.angles, result.share.sum(1).argmax().item()
    ((-60.0, -30.0, 0.0, 30.0, 60.0, 90.0), 5)
    """
    layout = c.layout
    if not has_rose(layout):
        raise ValueError(f"a rose shows orientations of lines in pictures; {layout.domain} knows none. Try profile.")
    magnitude = band_sums(c.map(torch.abs)).sum(-2)
    total = magnitude.sum(-1, keepdim=True)
    shares = dict(zip(layout.bands, (magnitude / total.where(total > 0, 1)).unbind(-1), strict=True))
    oriented = {band: own for band, own in layout.orientations().items() if own}
    rows = {}
    for name, scale in layout.scales().items():
        if bands := [band for band in scale if band in oriented]:
            weights = _weights([oriented[band] for band in bands], angles).to(magnitude)
            with full_precision(weights):
                rows[name] = torch.stack([shares[band] for band in bands], -1) @ weights
    step = HALF_TURN / angles
    centres = tuple(step * (k + 1) - HALF_TURN / 2 for k in range(angles))
    return Rose(tuple(rows), torch.stack(list(rows.values()), 1), centres)


def _weights(oriented: list[tuple[float, ...]], count: int) -> Tensor:
    """`(bands, count)`: the part of each band in each of `count` steps from −90 + step / 2 to 90 + step / 2."""
    own = torch.tensor(sorted({angle for angles in oriented for angle in angles}), dtype=torch.float64, device="cpu")
    low = (own + own.roll(1)) / 2  # half-way to the one before
    low[0] -= HALF_TURN / 2
    high = low.roll(-1)
    high[-1] += HALF_TURN
    step = HALF_TURN / count
    edges = step * (torch.arange(count + 1, dtype=own.dtype, device="cpu") + 0.5) - HALF_TURN / 2
    parts = (
        sum(
            torch.minimum(high[:, None], edges[1:] + turn)
            .sub(torch.maximum(low[:, None], edges[:-1] + turn))
            .clamp(min=0)
            for turn in (-HALF_TURN, 0, HALF_TURN)
        )
        / (high - low)[:, None]
    )
    given = [[(angle in angles) / len(angles) for angle in own.tolist()] for angles in oriented]
    return parts.new_tensor(given) @ parts
