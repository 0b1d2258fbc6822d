"""Scales joined by octave: fewer groups, for domains whose scales are too many for accounts of interventions."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from functools import cached_property

from wavelens.core import Extent, Layout, Scale

ROUNDING = 1e-9  # of an octave: a centre that lies on an octave's lower end belongs to it


@dataclass(frozen=True)
class OctaveLayout(Layout):
    """A layout whose scales are those of its domain joined by octave, from 1/2^(j+1) to 1/2^j cycles per sample."""

    joined: tuple[Scale, ...] = field(default=(), repr=False)

    @cached_property
    def _scales(self) -> dict[str, Scale]:
        return {scale.name: scale for scale in self.joined}


def joined_by_octave(layout: Layout) -> OctaveLayout | None:
    """The layout with its scales joined by octave; None where that joins none, or where they have no frequencies.

    A scale belongs to the octave of its centre, the geometric mean of its ends, along the axis where that is highest.
    'd1' is the octave from 1/4 to 1/2 cycles per sample; a scale that begins at 0 stays by itself, as 'a' and the
    number of the lowest octave. Neighbours alone are joined: None where an octave lies apart in a domain's sequence.

    >>> from wavelens import ConstantQ
    >>> list(joined_by_octave(ConstantQ(per_octave=12, octaves=3).layout((4096,))).scales())
    ['a3', 'd3', 'd2', 'd1']
    """
    scales = list(layout.scales().values())
    if not all(scale.extent and all(one.measure == "frequency" for one in scale.extent) for scale in scales):
        return None
    runs = [(octave, list(several)) for octave, several in itertools.groupby(scales, _octave)]
    octaves = [octave for octave, _ in runs]
    if len(runs) == len(scales) or len(set(octaves)) < len(runs):
        return None
    lowest = max((octave for octave in octaves if octave is not None), default=0)
    joined = tuple(
        Scale(
            f"a{lowest or ''}" if octave is None else f"d{octave}",
            tuple(band for scale in several for band in scale),
            rank,
            tuple(map(_whole, zip(*(scale.extent for scale in several), strict=True))),
            octave is not None,
        )
        for rank, (octave, several) in enumerate(runs)
    )
    return OctaveLayout(layout.domain, layout.signal_shape, layout.bands, layout.is_complex, joined)


def _octave(scale: Scale) -> int | None:
    """The octave of a scale's centre, 1 for the highest; None for a scale that begins at 0 along every axis."""
    centre = max(math.sqrt(one.low * one.high) for one in scale.extent)
    return math.floor(-math.log2(centre) - ROUNDING) if centre else None


def _whole(extents: tuple[Extent, ...]) -> Extent:
    """From the lowest to the highest frequency."""
    return Extent(min(one.low for one in extents), max(one.high for one in extents))
