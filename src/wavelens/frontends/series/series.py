"""`Series`: channels over time, with what a file says of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wavelens.grid import Grid
from wavelens.untrusted import excerpt

Array = NDArray[Any]

MAX_DECIMALS = 9  # of times in seconds
MAX_VALUES = 2**31  # samples × channels of a series: 8 GiB in memory
SLOW_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "days": 86400.0}  # seconds in each, for steps of a second or more


class SeriesError(ValueError):
    """An error that a reader raises itself, rather than a library."""


@dataclass(frozen=True, eq=False)
class Series:
    """Channels over time: `data` `(1, channel, samples)`, its `rate` in Hz, and the channels' names and `units`.

    `rate` is None where a file does not say it; scales are then named in samples. `begin` is the time of the first
    sample as ISO 8601, '' where it is not known. `positions` has (x, y, z) in metres per channel, towards the right,
    the front and the top of the head, NaN for a channel without an electrode; it is empty where none has one.

    >>> series = wl.frontends.Series(torch.zeros(1, 2, 500), rate=250.0, channels=("I", "II"))
    >>> series.seconds, series.grid.units
    (2.0, ('Hz',))
    """

    data: Tensor
    rate: float | None = None
    channels: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    begin: str = ""
    positions: tuple[tuple[float, float, float], ...] = ()

    def __post_init__(self) -> None:
        if self.data.ndim != 3 or len(self.data) != 1 or not self.data.numel():
            raise ValueError(f"a series must be (1, channel, samples) and not empty; got {tuple(self.data.shape)}.")
        if self.rate is not None and not (math.isfinite(self.rate) and self.rate > 0):
            raise ValueError(
                f"rate must be in Hz, finite and above 0, or None where it is not known; got {self.rate!r}."
            )
        count = self.data.shape[1]
        for name in ("channels", "units", "positions"):
            if len(getattr(self, name)) not in (0, count):
                raise ValueError(f"{name} must have one entry per channel; got {len(getattr(self, name))} for {count}.")

    @property
    def samples(self) -> int:
        return self.data.shape[2]

    @property
    def seconds(self) -> float | None:
        return None if self.rate is None else self.samples / self.rate

    @property
    def names(self) -> tuple[str, ...]:
        """The channels' names, by number where they have none."""
        return self.channels or tuple(f"channel {k + 1}" for k in range(self.data.shape[1]))

    @property
    def grid(self) -> Grid:
        return series_grid(self.rate)


def series_grid(rate: float | None) -> Grid:
    """Scales in Hz; in seconds, minutes, hours or days where samples lie a second or more apart, or in samples."""
    if rate is None:
        return Grid.plain(1)
    if rate > 1:
        return Grid.sound(rate)
    unit = max((name for name in SLOW_UNITS if SLOW_UNITS[name] * rate <= 1 + 1e-9), key=SLOW_UNITS.__getitem__)
    return Grid((1 / (rate * SLOW_UNITS[unit]),), (unit,))


def check_length(path: Path, samples: int, channels: int) -> None:
    """`ValueError` for a series that is too large to be read as a whole."""
    if samples * channels > MAX_VALUES:
        raise SeriesError(
            f"a series has at most {MAX_VALUES} values, samples × channels; {path} has {samples} × {channels}. Cut it."
        )


@contextmanager
def reading_errors(path: Path, noun: str) -> Iterator[None]:
    """Turns whatever a library raises on broken bytes into a `ValueError` that names the file."""
    try:
        yield
    except (MemoryError, ImportError, SeriesError):
        raise
    except Exception as error:
        reason = excerpt(str(error)).rstrip(".") or type(error).__name__
        raise SeriesError(
            f"{path} cannot be read as {noun}: {reason}. Get a fresh copy, or check what it is."
        ) from error


def checked_values(path: Path, data: Tensor, names: Sequence[str], rate: float | None) -> Tensor:
    """`data` `(channel, samples)` in float32, or `ValueError` for a channel without values or with some missing."""
    if not data.numel():
        raise SeriesError(
            f"a series has samples; {path} has {data.shape[0]} channels of {data.shape[1]}. Name another."
        )
    values = data.float()
    finite = values.isfinite()
    for name, channel in zip(names, finite, strict=True):
        label = name if name.startswith("channel ") else f"channel {name}"
        if not channel.any():
            raise SeriesError(f"{label} of {path} is empty: none of its {len(channel)} values is a number.")
        if not channel.all():
            first, missing = int((~channel).nonzero()[0]), int((~channel).sum())
            when = "" if rate is None else f", {first / rate:.4g} s"
            raise SeriesError(
                f"{path}: {missing} NaN or infinite {'value' if missing == 1 else 'values'} in {label}, the first at "
                f"sample {first}{when}. Interpolate them, or cut the series there."
            )
    return values


def whole_rate(times: Array) -> float:
    """The rate in Hz of evenly spaced times in seconds, or a round rate if the rounding of the times explains the rest.

    Times are written with few decimals, so the rate computed from them may be 360.008 Hz where 360 Hz is meant.
    """
    seconds = float(times[-1] - times[0])
    rate = (len(times) - 1) / seconds
    nearest = round(rate) if rate >= 1 else 1 / round(1 / rate)
    decimals = next((d for d in range(MAX_DECIMALS) if np.abs(times - times.round(d)).max() < 1e-9), MAX_DECIMALS)
    return float(nearest) if abs(nearest / rate - 1) * seconds <= 10.0**-decimals else rate


def one_rate(path: Path, rates: Sequence[float], names: Sequence[str]) -> float:
    """The rate that all channels share; `ValueError` for several."""
    if len(set(rates)) > 1:
        first = dict(zip(reversed(rates), reversed(names), strict=True))
        each = ", ".join(f"{name} {rate:g} Hz" for rate, name in sorted(first.items(), reverse=True))
        raise SeriesError(
            f"channels of a series share one rate; those of {path} have {len(set(rates))}: {each}. "
            "Resample them to one, or save the channels of each rate apart."
        )
    return rates[0]


def series_of(
    path: Path,
    data: Tensor,
    rate: float | None,
    names: Sequence[str] = (),
    units: Sequence[str] = (),
    begin: str = "",
    positions: Sequence[tuple[float, float, float]] = (),
) -> Series:
    """The series that a reader makes of `(channel, samples)`, its values checked."""
    made = Series(torch.zeros(1, len(data), 1), None, tuple(names))
    values = checked_values(path, data, made.names, rate)
    return Series(values[None], rate, tuple(names), tuple(units), begin, tuple(positions))
