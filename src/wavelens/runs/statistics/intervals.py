"""95 % intervals of means and medians over items: bias-corrected and accelerated bootstraps (Efron, 1987)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from wavelens.whole_numbers import is_whole

Array = NDArray[np.float64]

MAX_RESAMPLES = 10**6  # as many means of each run are held in memory
TAILS = (0.025, 0.975)
FEWEST = 6  # items of an interval: of fewer, draws of the bootstrap repeat a handful of values
FEW = 20  # items below which intervals are too narrow as a rule, which is said
NORMAL = NormalDist()


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval, NaN where there are too few items for one."""

    value: float
    low: float
    high: float

    @property
    def has_interval(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)


def bootstrap(table: Array, middle: Callable[..., Array], resamples: int, seed: int) -> Array:
    """`(runs, resamples)` means or medians of items drawn with replacement, the same items for every run."""
    if not is_whole(resamples, 1, MAX_RESAMPLES):
        raise ValueError(f"resamples must be a whole number from 1 to {MAX_RESAMPLES:,}; got {resamples}.")
    random = np.random.default_rng(seed)
    count = table.shape[1]
    rows = max(1, 2**20 // table.size)  # resamples at a time, in bounded memory
    sizes = [min(rows, resamples - done) for done in range(0, resamples, rows)]
    return np.concatenate([middle(table[:, random.integers(count, size=(n, count))], axis=2) for n in sizes], axis=1)


def bca(value: float, draws: Array, items: Array | None, count: int) -> Estimate:
    """The interval of a number by its `draws` over `count` items, corrected for their bias and skewness.

    `items` are the values whose mean the number is; None for a median, which is corrected for bias alone, since its
    jackknife says nothing of skewness. Fewer than `FEWEST` items have no interval.
    """
    if count < FEWEST:
        return Estimate(float(value), math.nan, math.nan)
    size = len(draws)
    below = ((draws < value).sum() + 0.5 * (draws == value).sum()) / size
    shift = NORMAL.inv_cdf(float(np.clip(below, 0.5 / size, 1 - 0.5 / size)))
    skew = 0.0 if items is None else _acceleration(items)
    ends = [NORMAL.cdf(shift + (shift + z) / (1 - skew * (shift + z))) for z in map(NORMAL.inv_cdf, TAILS)]
    low, high = np.quantile(draws, ends)
    return Estimate(float(value), float(low), float(high))


def percentiles(value: float, draws: Array, count: int) -> Estimate:
    """The interval of a rank, which has few values: 95 % of its draws."""
    if count < FEWEST:
        return Estimate(float(value), math.nan, math.nan)
    low, high = np.quantile(draws, TAILS)
    return Estimate(float(value), float(low), float(high))


def _acceleration(items: Array) -> float:
    """Of a mean, by its jackknife: a sixth of the skewness over √n; 0 for values that are all alike."""
    apart = items - items.mean()
    spread = float((apart**2).sum())
    return float((apart**3).sum()) / (6 * spread**1.5) if spread > 1e-24 * max(float((items**2).sum()), 1e-300) else 0.0


def flips(differences: Array, resamples: int, seed: int) -> float:
    """A two-sided p-value for paired differences, `(items,)`, being as often above 0 as below: signs are drawn.

    The share of draws whose mean is as far from 0 as that of the items (Fisher, 1935), these counted as one draw.
    """
    random = np.random.default_rng(seed)
    rows = max(1, 2**20 // max(1, differences.size))
    observed = abs(float(differences.mean()))
    extreme, done = 0, 0
    while done < resamples:
        n = min(rows, resamples - done)
        drawn = random.integers(0, 2, size=(n, differences.size)) * 2 - 1
        extreme += int((np.abs(drawn @ differences) / differences.size >= observed * (1 - 1e-9)).sum())
        done += n
    return (1 + extreme) / (1 + resamples)


def signs(differences: Array) -> float:
    """A two-sided p-value for paired differences being as often above 0 as below, by their signs alone; zeros left out.

    >>> from wavelens.runs.statistics.intervals import signs
    >>> signs(np.array([1.0, 2.0, 0.5, 3.0, 0.1, 0.0]))
    0.0625
    """
    above, below = int((differences > 0).sum()), int((differences < 0).sum())
    count = above + below
    tail = sum(math.comb(count, k) for k in range(min(above, below) + 1))
    return min(1.0, 2 * tail / (1 << count))


def holm(p_values: list[float]) -> list[float]:
    """p-values adjusted for as many tests (Holm, 1979): that any true null is rejected at 5 % has at most 5 % chance.

    >>> from wavelens.runs.statistics.intervals import holm
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, least = [0.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = least
    return adjusted
