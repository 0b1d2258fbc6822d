"""A signal rebuilt from what a mask keeps of it, scale by scale (as WAM's figures 2, 4 and 7 show images)."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate

from torch import Tensor

from wavelens.core import Scale
from wavelens.masks.bands import stems
from wavelens.masks.mask import Mask


@dataclass(frozen=True, eq=False)
class Decomposed:
    """What a mask keeps of each scale, as signals `(batch, channel, *axes)` by name, coarsest first ('a3', 'd3', …).

    `alone` has each scale by itself; with `dropped`, what the mask leaves out, they add up to the signal. `kept` is
    the share of the scale's coefficients that is left, the mean of the mask there, `(batch,)`. `scales` are those of
    the domain.
    """

    alone: dict[str, Tensor]
    dropped: Tensor
    kept: dict[str, Tensor]
    scales: dict[str, Scale] = field(default_factory=dict)

    @property
    def so_far(self) -> dict[str, Tensor]:
        """Each scale with all coarser ones; the last is all that the mask keeps, `mask.apply(x)`."""
        return dict(zip(self.alone, accumulate(self.alone.values()), strict=True))


def decompose(x: Tensor, mask: Mask) -> Decomposed:
    """`x`, `(batch, channel, *axes)`, rebuilt from what the mask keeps, one scale after another.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> parts = wl.masks.decompose(x, wl.masks.top(a, 0.5))
    >>> list(parts.alone), bool((sum(parts.alone.values()) + parts.dropped - x).abs().max() < 1e-9)
    (['a2', 'd2', 'd1'], True)
    """
    alone = stems(x, mask)
    dropped = alone.pop("residue")
    return Decomposed(
        alone, dropped, {name: kept.expand(len(x)) for name, kept in mask.by_scale().items()}, mask.layout.scales()
    )
