"""What the studies of domains measure: shares by octave, sparsity, and scores along an order of the coefficients."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

import wavelens as wl
from wavelens.core import Coefficients, Scale
from wavelens.metrics.curves import ranks
from wavelens.metrics.perturbation import features

ROUNDING = 1e-9  # of an octave's edge


def octave(scale: Scale, levels: int) -> int:
    """The level whose octave holds a scale's upper edge, 1 for the finest; levels + 1 for all that is coarser."""
    high = max(extent.high for extent in scale.extent)
    return min(1 + math.floor(math.log2(0.5 / high) + ROUNDING), levels + 1)


def octave_shares(c: Coefficients, levels: int) -> Tensor:
    """The share of Σ|γ| in each octave, `(batch, levels + 1)`, coarsest first, so that domains can be compared."""
    places = [levels + 1 - octave(scale, levels) for scale in c.layout.domain.scales(c.layout)]
    return _gathered(wl.maps.profile(c).share, places, levels + 1)


def marginal_shares(several: Sequence[Coefficients]) -> tuple[Tensor, Tensor]:
    """`share` and `share_spread` of `maps.marginal`, without its maps, which take longest."""
    shares = torch.stack([wl.maps.profile(c).share for c in several])
    return shares.mean(0), shares.std(0)


def octave_sums(c: Coefficients, levels: int) -> Tensor:
    """The signed sum of each octave, `(batch, levels + 1)`, coarsest first."""
    places = [levels + 1 - octave(scale, levels) for scale in c.layout.domain.scales(c.layout)]
    return _gathered(wl.maps.profile(c).signed, places, levels + 1)


def _gathered(values: Tensor, places: list[int], count: int) -> Tensor:
    return values.new_zeros(len(values), count).index_add(1, torch.tensor(places), values)


def total_variation(a: Tensor, b: Tensor) -> Tensor:
    """Half the sum of absolute differences along the last axis: the part of the shares that has moved."""
    return (a - b).abs().sum(-1) / 2


def coefficients_for(c: Coefficients, part: float) -> Tensor:
    """How many coefficients per sample hold `part` of Σ|γ|, `(batch,)`; `|γ|` is the mean over channels.

    A complex coefficient counts as two numbers.
    """
    size = c.data.abs().mean(-2).double().sort(-1, descending=True).values
    needed = (size.cumsum(-1) < part * size.sum(-1, keepdim=True)).sum(-1) + 1
    numbers = 2 if c.layout.is_complex else 1
    return numbers * needed / math.prod(c.layout.signal_shape)


def shuffled(c: Coefficients, seed: int) -> Tensor:
    """The signal of coefficients that changed places within their bands, the same places in all channels."""
    source = torch.Generator().manual_seed(seed)
    draws = [torch.randperm(band.size, generator=source) + c.layout.slices[band].start for band in c.layout.bands]
    return Coefficients(c.data[..., torch.cat(draws)], c.layout).synthesis()


def scores_along(
    model: nn.Module, x: Tensor, target: int, order: Coefficients, fractions: Sequence[float], baseline: Tensor | float
) -> tuple[Tensor, Tensor]:
    """The class probability with the top fractions of an order inserted, and with them deleted, `(fractions,)` each.

    For one signal `(1, channel, *axes)`. As `wavelens.metrics.curves` has it, at any fractions.
    """
    parts = features(x, order, None, baseline)
    counts = torch.tensor([int(fraction * parts.layout.size) for fraction in fractions])
    masks = ranks(parts.attribution) < counts[:, None, None]
    part = parts.part(torch.zeros(len(counts), dtype=torch.long), masks)
    with torch.no_grad():
        logits = model(torch.cat([parts.start + part, parts.x - part]).contiguous())
    inserted, deleted = logits.softmax(1)[:, target].view(2, len(counts)).unbind()
    return inserted, deleted


def area(values: Tensor, places: Sequence[float]) -> float:
    """The mean height of a curve over its places, by the trapezoid; places in logarithms for log-spaced fractions."""
    at = torch.tensor(places, dtype=torch.float64)
    return (torch.trapezoid(values.double(), at) / (at[-1] - at[0])).item()
