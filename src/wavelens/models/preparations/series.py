"""How a series becomes a network's input: its channels by name, its rate, a window of it, and its scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar

from torch import Tensor

from wavelens.field_types import check_fields
from wavelens.frontends.audio import resample
from wavelens.frontends.series import Series, series_grid
from wavelens.grid import Grid
from wavelens.models.preparations.named_parts import listed, places_by_count, places_by_name
from wavelens.whole_numbers import is_whole

SCALINGS = ("none", "standard", "peak", "median-peak")
FITS = ("window", "whole")
MAX_RATE_PART = 10_000  # of a fraction that stands for the ratio of two rates


@dataclass(frozen=True)
class Traces:
    """Brings a `Series` to what a network takes: `(1, channels, samples)`, as `shape` says, at `rate` Hz.

    `channels` picks channels by their names, in the network's order; capitals do not matter, and a name may be the end
    of the file's ('Z' for 'NC.PAB..HHZ') where that is one channel alone. Without it, and of files without
    names, channels are taken as they are. Series of another rate are resampled; `given_rate` is the rate of those that
    do not say theirs, and without a `rate` samples are taken as they come. The network is given the samples from
    `start` on, in seconds (or in samples, where no rate is known), or with `fit='whole'` the series whole. `scaling` is
    by channel, over what the network is given: 'standard', minus the mean and divided by the deviation; 'peak', minus
    the mean and divided by the largest magnitude; 'median-peak', minus the median and so divided. A channel that is
    constant there, as a dead sensor's, becomes 0; where all are, nothing can be scaled: `ValueError`.

    >>> x = wl.models.Traces((1, 100), rate=50)(wl.frontends.Series(torch.rand(1, 1, 500), rate=100))
    >>> x.shape
    torch.Size([1, 1, 100])
    """

    shape: tuple[int, int]
    rate: float | None = None
    channels: tuple[str, ...] = ()
    scaling: str = "none"
    start: float = 0.0
    fit: str = "window"
    given_rate: float | None = None
    kind: ClassVar[str] = "series"

    def __post_init__(self) -> None:
        check_fields(self)
        if len(self.shape) != 2 or not all(is_whole(n, 1) for n in self.shape):
            raise ValueError(f"shape must be (channels, samples); got {self.shape!r}.")
        for name in ("rate", "given_rate"):
            rate = getattr(self, name)
            if rate is not None and not (math.isfinite(rate) and rate > 0):
                raise ValueError(f"{name} must be in Hz, finite and above 0; got {rate!r}.")
        if self.channels and len(self.channels) != self.shape[0]:
            raise ValueError(f"channels must name each of {self.shape[0]} channels; got {len(self.channels)}.")
        if self.scaling not in SCALINGS or self.fit not in FITS:
            raise ValueError(
                f"scaling must be one of {', '.join(SCALINGS)} and fit one of {', '.join(FITS)}; got {self.scaling!r} "
                f"and {self.fit!r}."
            )
        if not (math.isfinite(self.start) and self.start >= 0):
            raise ValueError(f"start must be in seconds from the series' first sample, from 0; got {self.start!r}.")

    def __call__(self, series: Series) -> Tensor:
        if not isinstance(series, Series):
            raise TypeError(
                f"a series must be a Series, which knows its rate; got {type(series).__name__}. Wrap it in "
                "Series(data, rate)."
            )
        x = self._resampled(series.data[:, self._picked(series)], series)
        return self._scaled(x if self.fit == "whole" else self._window(x, series), series)

    def grid(self, series: Series) -> Grid:
        """Time between the samples of the prepared input, its scales in Hz where there is more than one per second."""
        return series_grid(self.rate or self._own_rate(series))

    def names(self, series: Series) -> tuple[str, ...]:
        """What the channels of the input are called."""
        return self.channels or series.names

    def positions(self, series: Series) -> tuple[tuple[float, float, float], ...]:
        """Where the electrodes of the input's channels are; empty where the file does not say it."""
        return tuple(series.positions[k] for k in self._picked(series)) if series.positions else ()

    def rated(self, rate: float) -> Traces:
        """The same for files that do not say their rate."""
        return replace(self, given_rate=float(rate))

    def _own_rate(self, series: Series) -> float | None:
        if series.rate is not None and self.given_rate is not None and series.rate != self.given_rate:
            raise ValueError(
                f"--rate is for series that do not say theirs; this one says {series.rate:g} Hz, and "
                f"{self.given_rate:g} Hz was given. Leave it out."
            )
        rate = series.rate or self.given_rate
        if rate is None and self.rate is not None:
            raise ValueError(
                f"the network takes {self.rate:g} samples per second, and the series does not say its rate. Give it: "
                "--rate 250, or a column called time."
            )
        return rate

    def _picked(self, series: Series) -> list[int]:
        if not (self.channels and series.channels):  # without names a file's order is all there is
            advice = "Save those that it takes, or name them in Traces(channels=…)."
            count, available = self.shape[0], series.data.shape[1]
            return places_by_count(count, available, series.names, parts="channels", signal="series", advice=advice)
        return places_by_name(
            self.channels,
            series.names,
            channel_index,
            parts="channels",
            signal="series",
            advice="Rename its channels, or record the others.",
        )

    def _resampled(self, x: Tensor, series: Series) -> Tensor:
        own = self._own_rate(series)
        if own is None or self.rate is None or own == self.rate:
            return x
        ratio = Fraction(self.rate / own).limit_denominator(MAX_RATE_PART)
        if not ratio:
            raise ValueError(
                f"a series must have at most {MAX_RATE_PART} times the network's rate; got {own:g} and {self.rate:g} "
                "Hz. Resample it first."
            )
        return resample(x, ratio.denominator, ratio.numerator)

    def _window(self, x: Tensor, series: Series) -> Tensor:
        rate = self.rate or self._own_rate(series)
        first, count = round(self.start * (rate or 1)), self.shape[1]
        if first + count > x.shape[-1]:
            there, needed = (_length(n, rate) for n in (x.shape[-1], first + count))
            raise ValueError(
                f"the network takes {needed}{' from the start' if first else ''}; the series has {there}. Record "
                "more, or take a network for shorter ones."
            )
        return x[..., first : first + count]

    def _scaled(self, x: Tensor, series: Series) -> Tensor:
        if self.scaling == "none":
            return x
        centre = x.median(-1, keepdim=True).values if self.scaling == "median-peak" else x.mean(-1, keepdim=True)
        moved = x - centre
        size = moved.square().mean(-1, keepdim=True).sqrt() if self.scaling == "standard" else _peak(moved)
        varies = x.amax(-1, keepdim=True) > x.amin(-1, keepdim=True)  # a constant's mean is rounded, its range is not
        if not varies.any():
            raise ValueError(
                f"channels are scaled by how far they vary; {listed(self.names(series))} are constant where the "
                "network looks. Take another window, or another record."
            )
        return (moved / size).where(varies, 0)


def _peak(x: Tensor) -> Tensor:
    return x.abs().amax(-1, keepdim=True)


def channel_index(name: str, names: Sequence[str]) -> int | None:
    """The place of the channel of that name, or of the one alone whose name ends in it; capitals do not matter."""
    folded, own = name.casefold(), [one.casefold() for one in names]
    if folded in own:
        return own.index(folded)
    ending = [k for k, one in enumerate(own) if one.endswith(folded)]
    return ending[0] if len(ending) == 1 else None


def _length(samples: int, rate: float | None) -> str:
    return f"{samples} samples" + ("" if rate is None else f" ({samples / rate:.4g} s)")


def as_series(series: Series) -> Traces:
    """The preparation that hands a series to a network as it is: its own channels, all its samples, its own rate."""
    _, channels, samples = series.data.shape
    return Traces((channels, samples), fit="whole")
