"""A constant-Q transform along the last axis as a tight frame (Brown, 1991; Velasco et al., 2011)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import ClassVar

import torch
from torch import Tensor

from wavelens.core import Band, Coefficients, Domain, Extent, Layout, Scale, signal_axes
from wavelens.domains.linear import linear
from wavelens.domains.octaves import MAX_LEVELS, paired, single
from wavelens.whole_numbers import is_whole

MAX_PER_OCTAVE = 1000  # filters
DEFAULT_OCTAVES = 10
WHOLE = Extent(0.0, 0.5)


@dataclass(frozen=True)
class ConstantQ(Domain):
    """Analytic band-pass filters on a logarithmic frequency axis, over the last axis of `(batch, channel, *axes)`.

    Filter j is a half-wave of a cosine over log₂ f around its centre, `per_octave` centres in each of `octaves` from
    half the rate down; the highest is flat above its centre, and one low-pass holds what is below. Squares of
    neighbours add up to one, so the frame is tight for any length. Each filter's output is sampled as often as its
    width asks for, rounded up to a number whose Fourier transform is fast: about two real numbers per sample.
    Coefficients are complex, the modulus is the envelope of a band in time. Signals are taken as periodic.

    A band's shape is `(*other axes, places)`. Each filter is a scale, 'd2.1' the lower third of the second octave if
    there are three per octave; its extent reaches from one half-power (−3 dB) point to the other. `octaves=None` takes
    ten, as many as one hears, or those down to where filters are as narrow as the signal can tell apart; more than
    these are a `ValueError`.

    >>> tone = torch.sin(torch.arange(64.0))[None, None]
    >>> c = wl.ConstantQ(per_octave=2, octaves=3).analysis(tone)
    >>> bool((c.synthesis() - tone).abs().max() < 1e-5)
    True
    """

    circular: ClassVar[bool] = True

    per_octave: int = 3
    octaves: int | None = None

    def __post_init__(self) -> None:
        if not is_whole(self.per_octave, 1, MAX_PER_OCTAVE):
            raise ValueError(
                f"per_octave must be a whole number of filters from 1 to {MAX_PER_OCTAVE}; got {self.per_octave!r}."
            )
        if self.octaves is not None and not is_whole(self.octaves, 0, MAX_LEVELS):
            raise ValueError(
                f"octaves must be None or a whole number from 0 to {MAX_LEVELS}; got {self.octaves!r:.40}."
            )

    def within(self, signal_shape: tuple[int, ...]) -> ConstantQ:
        return self if self.octaves is None else replace(self, octaves=min(self.octaves, self._most(signal_shape[-1])))

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        *others, n = signal_shape
        sizes = [bins.stop - bins.start for bins, _ in _filters(self, n)]
        kinds = [(self._depth(n), "a", ""), *((octave, "d", f"{step}") for octave, step in self._steps(n))]
        bands = (Band(level, key, (*others, m), part) for (level, key, part), m in zip(kinds, sizes, strict=True))
        return Layout(self, signal_shape, tuple(bands), is_complex=True)

    def scales(self, layout: Layout) -> tuple[Scale, ...]:
        others = (WHOLE,) * (len(layout.signal_shape) - 1)
        return tuple(replace(scale, extent=(*others, *scale.extent)) for scale in self._scales(layout))

    def scales_along(self, layout: Layout, axis: int) -> tuple[Scale, ...]:
        if axis % len(layout.signal_shape) == len(layout.signal_shape) - 1:
            return self._scales(layout)
        return (Scale("a", layout.bands, 0, (WHOLE,), is_detail=False),)

    def centres(self, band: Band, layout: Layout) -> tuple[Tensor, ...]:
        n, m = layout.signal_shape[-1], band.shape[-1]
        *others, _ = super().centres(band, layout)
        return (*others, torch.arange(m, dtype=torch.float64, device="cpu") * (n / m))

    def analysis(self, x: Tensor) -> Coefficients:
        return self.adjoint(x, self.layout(signal_axes(x)))

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        return Coefficients(linear(g, partial(self._down, layout), partial(self._up, layout)), layout)

    def synthesis(self, c: Coefficients) -> Tensor:
        return linear(c.data, partial(self._up, c.layout), partial(self._down, c.layout))

    def _down(self, layout: Layout, x: Tensor) -> Tensor:
        axes, n = len(layout.signal_shape), layout.signal_shape[-1]
        wide = single(x)
        spectrum = torch.fft.rfft(wide, norm="ortho")
        spectrum[..., paired(n)] *= math.sqrt(2)
        packed = spectrum.new_empty((math.prod(x.shape[: x.ndim - axes]), layout.size))
        for (bins, gains), piece in zip(_filters(self, n), layout.slices.values(), strict=True):
            passed = spectrum[..., bins] * gains.to(wide)
            part = torch.fft.ifft(passed.roll(bins.start, -1), norm="ortho")  # bin k lies at k mod m
            packed[:, piece] = part.reshape(len(packed), -1)
        coefficients: Tensor = packed.reshape(*x.shape[: x.ndim - axes], layout.size)
        return coefficients

    def _up(self, layout: Layout, data: Tensor) -> Tensor:
        *others, n = layout.signal_shape
        spectrum = data.new_zeros((*data.shape[:-1], *others, n // 2 + 1), dtype=data.real.dtype.to_complex())
        for (bins, gains), (band, piece) in zip(_filters(self, n), layout.slices.items(), strict=True):
            part = torch.fft.fft(data[..., piece].unflatten(-1, band.shape), norm="ortho").roll(-bins.start, -1)
            spectrum[..., bins] += part * gains.to(data.real)
        spectrum[..., paired(n)] *= math.sqrt(0.5)
        signal: Tensor = torch.fft.irfft(spectrum, n, norm="ortho")
        return signal

    def _most(self, n: int) -> int:
        """The octaves that `n` samples can tell apart."""
        most = 0
        while n * self._centre((most + 1) * self.per_octave - 1) * self._width >= 1:
            most += 1
        return most

    def _depth(self, n: int) -> int:
        """The octaves of a signal of `n` samples; `ValueError` for more than it can tell apart."""
        most = self._most(n)
        if self.octaves is not None and self.octaves > most:
            raise ValueError(
                f"octaves={self.octaves} with {self.per_octave} filters each needs more than {n} samples along the "
                f"last axis. Pass at most octaves={most}, or fewer filters per octave."
            )
        return min(most, DEFAULT_OCTAVES) if self.octaves is None else self.octaves

    def _centre(self, q: int) -> float:
        """Of filter `q` from the top, in cycles per sample."""
        return 0.5 * 2 ** (-(q + 0.5) / self.per_octave)

    @property
    def _width(self) -> float:
        """From where a filter begins to where it ends, over its centre."""
        return 2 ** (1 / self.per_octave) - 2 ** (-1 / self.per_octave)

    def _steps(self, n: int) -> list[tuple[int, int]]:
        """Octave and place in it of each filter, from the lowest."""
        return [(octave, 1 + k) for octave in range(self._depth(n), 0, -1) for k in range(self.per_octave)]

    def _scales(self, layout: Layout) -> tuple[Scale, ...]:
        """Along the last axis alone."""
        n = layout.signal_shape[-1]
        steps, half = self._steps(n), 0.5 / self.per_octave
        centres = [self._centre(len(steps) - 1 - k) for k in range(len(steps))]
        edges = [0.0, *(c * 2**-half for c in centres), 0.5]
        names = [str(layout.bands[0]), *(f"d{a}.{b}" if self.per_octave > 1 else f"d{a}" for a, b in steps)]
        return tuple(
            Scale(name, (band,), rank, (Extent(low, high),), band.is_detail)
            for rank, (name, band, low, high) in enumerate(zip(names, layout.bands, edges, edges[1:], strict=False))
        )


@lru_cache(maxsize=64)
def _filters(domain: ConstantQ, n: int) -> tuple[tuple[slice, Tensor], ...]:
    """The bins of each filter and its gains there, the low-pass first, then from the lowest up."""
    bins = torch.arange(n // 2 + 1, dtype=torch.float64, device="cpu")
    count = len(domain._steps(n))
    if not count:
        return ((slice(0, n // 2 + 1), torch.ones_like(bins)),)
    ratio, centres = 2 ** (1 / domain.per_octave), [domain._centre(q) for q in range(count - 1, -1, -1)]

    def support(centre: float, low: float, high: float, wave: Callable[[Tensor], Tensor]) -> tuple[slice, Tensor]:
        """Of a filter that passes nothing outside of two frequencies: what is computed is as long as it is."""
        first, stop = math.floor(n * low), min(math.ceil(n * high) + 1, len(bins))
        place = domain.per_octave * torch.log2(bins[first:stop] / n / centre)
        return _support(torch.cos(wave(place) * (math.pi / 2)), 1e-9, first, len(bins))

    lowest, highest = centres[0], centres[-1]
    return (
        support(lowest, 0, lowest, lambda place: place.clamp(-1, 0) + 1),
        *(support(c, c / ratio, c * ratio, lambda place: place.clamp(-1, 1)) for c in centres[:-1]),
        support(highest, highest / ratio, 0.5, lambda place: place.clamp(-1, 0)),  # flat above its centre
    )


def _support(gains: Tensor, least: float, first: int, bins: int) -> tuple[slice, Tensor]:
    """The gains above `least`, in a row of a length that is fast; `gains` begin at bin `first`."""
    passed = (gains > least).nonzero()[:, 0].tolist()
    begin, end = passed[0], passed[-1] + 1
    count = _fast_length(end - begin)
    start = max(0, min(first + begin, bins - count))
    with torch.inference_mode(False):
        row = gains.new_zeros(min(count, bins - start))
        row[first + begin - start : first + end - start] = torch.where(gains > least, gains, 0.0)[begin:end]
    return slice(start, start + len(row)), row


def _fast_length(count: int) -> int:
    """The next number without prime factors above 7; Fourier transforms of others take several times as long."""
    rest = count
    for prime in (2, 3, 5, 7):
        while rest % prime == 0:
            rest //= prime
    return count if rest == 1 else _fast_length(count + 1)
