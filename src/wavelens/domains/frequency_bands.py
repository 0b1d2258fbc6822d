"""Bands of frequencies with names of one's own, along the last axis, as a tight frame: δ, θ, α, β, γ of an EEG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor

from wavelens.core import Band, Coefficients, Domain, Extent, Layout, Scale, signal_axes
from wavelens.domains.linear import linear
from wavelens.domains.octaves import single
from wavelens.field_types import check_fields

MAX_EDGES = 1000
CROSSING = 0.25  # octaves at each side of an edge, over which two bands share; less where edges lie closer
WHOLE = Extent(0.0, 0.5)
NAMED: dict[str, tuple[tuple[float, ...], tuple[str, ...]]] = {  # edges in Hz, and names (Niedermeyer, 2005)
    "eeg": ((0.5, 4.0, 8.0, 13.0, 30.0), ("slow", "δ", "θ", "α", "β", "γ")),
}


@dataclass(frozen=True)
class FrequencyBands(Domain):
    """The parts of a signal `(batch, channel, *axes)` between `edges`, over the last axis: a sample of each per sample.

    `edges` are frequencies in the unit of `rate`, samples per second where they are in Hz, from the lowest up: one band
    below the first, one above the last and one between each two. Or they are the field's own: 'eeg' for δ (from 0.5
    Hz), θ (4), α (8), β (13) and γ (30), with what is slower. `names` has one per band; by default they are their
    frequencies. Around an edge two neighbours share, as cosine and sine over half an octave, so squares add up to one:
    the frame is tight for any length. Signals are taken as periodic. Half-precision signals are transformed in float32
    and rounded once, at the end.

    >>> tone = torch.sin(torch.arange(64.0))[None, None]
    >>> c = wl.FrequencyBands("eeg", rate=100).analysis(tone)
    >>> list(c.layout.scales()), bool((c.synthesis() - tone).abs().max() < 1e-5)
    (['slow', 'δ', 'θ', 'α', 'β', 'γ'], True)
    """

    edges: tuple[float, ...] | str = (0.0625, 0.125, 0.25)
    rate: float = 1.0
    names: tuple[str, ...] = ()
    pyramid: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_fields(self)
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise ValueError(f"rate must be in samples per second, finite and above 0; got {self.rate!r}.")
        if isinstance(self.edges, str) and self.edges not in NAMED:
            raise ValueError(f"edges must be frequencies, or one of {', '.join(map(repr, NAMED))}; got {self.edges!r}.")
        low, high, edges = 0.0, self.rate / 2, self._edges
        if not edges or len(edges) > MAX_EDGES or not all(a < b for a, b in pairwise((low, *edges, high))):
            raise ValueError(
                f"edges must rise from above 0 to below half the rate, {high:g}, and number at most {MAX_EDGES}; got "
                f"{', '.join(f'{edge:g}' for edge in edges) or 'none'}. Leave out those beyond."
            )
        if len(self._names) != len(edges) + 1 or len(set(self._names)) < len(self._names):
            raise ValueError(
                f"names must differ, one for each of {len(edges) + 1} bands; got {', '.join(map(repr, self._names))}."
            )

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        count = len(self._names)
        bands = (Band(count - k, "d" if k else "a", signal_shape, name) for k, name in enumerate(self._names))
        return Layout(self, signal_shape, tuple(bands))

    def scales(self, layout: Layout) -> tuple[Scale, ...]:
        return self._scales(layout, (WHOLE,) * (len(layout.signal_shape) - 1))

    def scales_along(self, layout: Layout, axis: int) -> tuple[Scale, ...]:
        if axis % len(layout.signal_shape) != len(layout.signal_shape) - 1:
            return (Scale("a", layout.bands, 0, (WHOLE,), is_detail=False),)
        return self._scales(layout, ())

    def analysis(self, x: Tensor) -> Coefficients:
        return self.adjoint(x, self.layout(signal_axes(x)))

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        return Coefficients(linear(g, partial(self._down, layout), partial(self._up, layout)), layout)

    def synthesis(self, c: Coefficients) -> Tensor:
        return linear(c.data, partial(self._up, c.layout), partial(self._down, c.layout))

    def _down(self, layout: Layout, x: Tensor) -> Tensor:
        wide, n, axes = single(x), layout.signal_shape[-1], len(layout.signal_shape)
        spectrum = torch.fft.rfft(wide)
        parts = [torch.fft.irfft(spectrum * gains.to(wide), n).flatten(x.ndim - axes) for gains in _gains(self, n)]
        return torch.cat(parts, -1).to(x.dtype)

    def _up(self, layout: Layout, data: Tensor) -> Tensor:
        wide, n = single(data), layout.signal_shape[-1]
        pieces = wide.split([band.size for band in layout.bands], -1)
        spectra = (
            torch.fft.rfft(piece.unflatten(-1, layout.signal_shape)) * gains.to(wide)
            for piece, gains in zip(pieces, _gains(self, n), strict=True)
        )
        total = next(spectra)
        for one in spectra:
            total = total + one
        signal: Tensor = torch.fft.irfft(total, n).to(data.dtype)
        return signal

    @property
    def _edges(self) -> tuple[float, ...]:
        return NAMED[self.edges][0] if isinstance(self.edges, str) else tuple(map(float, self.edges))

    @property
    def _names(self) -> tuple[str, ...]:
        if self.names or isinstance(self.edges, str):
            return self.names or NAMED[str(self.edges)][1]
        return tuple(f"{low:g}–{high:g}" for low, high in pairwise((0.0, *self._edges, self.rate / 2)))

    def _scales(self, layout: Layout, others: tuple[Extent, ...]) -> tuple[Scale, ...]:
        """Each band as a scale, from one edge to the next in cycles per sample."""
        ends = [0.0, *(edge / self.rate for edge in self._edges), 0.5]
        return tuple(
            Scale(name, (band,), rank, (*others, Extent(low, high)), rank > 0)
            for rank, (name, band, low, high) in enumerate(
                zip(self._names, layout.bands, ends[:-1], ends[1:], strict=True)
            )
        )


@lru_cache(maxsize=64)
def _gains(domain: FrequencyBands, n: int) -> tuple[Tensor, ...]:
    """The gain of each band at each frequency of a one-sided transform of `n` samples."""
    edges = torch.tensor([edge / domain.rate for edge in domain._edges], dtype=torch.float64, device="cpu").log2()
    apart = edges.diff() / 2
    before, after = (torch.nn.functional.pad(apart, side, value=CROSSING) for side in ((1, 0), (0, 1)))
    places = (torch.arange(n // 2 + 1, dtype=torch.float64, device="cpu") / n).log2()  # the mean lies at −∞
    with torch.inference_mode(False):
        above = [
            ((places - edge) / (2 * min(float(width), CROSSING)) + 0.5).clamp(0, 1) * (math.pi / 2)
            for edge, width in zip(edges, torch.minimum(before, after), strict=True)
        ]
        rising = [torch.ones_like(places), *(angle.sin() for angle in above)]
        falling = [*(angle.cos() for angle in above), torch.ones_like(places)]
        return tuple(up * down for up, down in zip(rising, falling, strict=True))
