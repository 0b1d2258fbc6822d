"""Means with 95 % intervals over items, and what records say that were made with intervals of another kind.

A record says `"intervals": "BCa"` where its intervals are those of `interval`. Records without it have percentiles of
the bootstrap, and no values of single items from which others could be made. `expanded` moves their ends, and `p_value`
tests them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wavelens.metrics.correlation import student
from wavelens.runs.statistics.intervals import FEWEST, bca

RESAMPLES = 2000
KIND = "BCa"
NORMAL = NormalDist()
Z = NORMAL.inv_cdf(0.975)
Interval = Sequence[float | None]  # a mean and its two ends
COUNTS = (  # how a record calls the number of its items; where it has two, the first here
    "items",
    "pictures",
    "photos",
    "patients",
    "pairs",
    "objects",
    "picks",
    "records",
    "patches",
    "leads",
    "crops",
)
SHARES = frozenset(  # names of what lies between 0 and 1, as does all below them
    "insertion deletion fid_in probability empty filled accuracy share shares hits hit pointing mass right".split()
)


def interval(
    values: Sequence[float], middle: Callable[..., Any] = np.mean, digits: int = 4, resamples: int = RESAMPLES
) -> list[float | None]:
    """The mean (or median) and its 95 % interval over items, corrected for bias and skewness (BCa; Efron, 1987).

    The ends are `None` for fewer than six items, and all three for NaN alone.
    """
    array = np.asarray(values, dtype=float)
    array = array[np.isfinite(array)]
    if not array.size:
        return [None, None, None]
    draws = middle(array[_items(len(array), resamples)], axis=1)
    e = bca(float(middle(array)), draws, array if middle is np.mean else None, len(array))
    return [round(float(number), digits) if math.isfinite(number) else None for number in (e.value, e.low, e.high)]


@cache
def _items(count: int, resamples: int) -> NDArray[np.int64]:
    """Items drawn with replacement, the same for all that is measured of as many."""
    return np.random.default_rng(0).integers(count, size=(resamples, count))


def expanded(three: Interval, items: int, is_share: bool = False) -> list[float | None]:
    """A percentile interval with ends as far from the mean as Student's t asks for (Hesterberg, 2015).

    The bootstrap's percentiles are too narrow by √((n − 1)/n) and by the normal quantile in the place of t's. Fewer
    than six items have no interval. One of shares ends at 0 and 1.
    """
    mean, low, high = three
    if mean is None or low is None or high is None or items < FEWEST:
        return [mean, None, None]
    t = float(student(0.95, torch.tensor(items - 1.0)))
    wider = t / Z * math.sqrt(items / (items - 1))
    low, high = mean - wider * (mean - low), mean + wider * (high - mean)
    return [mean, max(low, 0.0), min(high, 1.0)] if is_share else [mean, low, high]


def p_value(three: Interval, items: int, digits: int = 4) -> float:
    """A two-sided p-value for a mean of 0, from the arm of its percentile interval that points to 0, by Student's t.

    Ends are known to `digits`, so an arm has at least half of the last digit.
    """
    mean, low, high = three
    if mean is None or low is None or high is None or items < FEWEST or mean == 0:
        return 1.0
    arm = max(mean - low if mean > 0 else high - mean, 0.5 * 10**-digits)
    t, free = abs(mean) / (arm / Z * math.sqrt(items / (items - 1))), items - 1
    z = (8 * free + 1) / (8 * free + 3) * math.sqrt(free * math.log1p(t * t / free))  # Wallace, 1959
    return 2 * NORMAL.cdf(-z)


def with_expanded(record: Any, items: int | None = None, counts: Sequence[str] = COUNTS, is_share: bool = False) -> Any:
    """A record with the intervals that it should have: as they are where it says `KIND`, else `expanded`.

    The number of items is that of the nearest entry around an interval whose name is one of `counts`, else `items`;
    `ValueError` where neither is there.
    """
    if isinstance(record, dict):
        if record.get("intervals") == KIND:
            return record
        items = next((record[name] for name in counts if isinstance(record.get(name), int)), items)
        return {key: with_expanded(value, items, counts, is_share or key in SHARES) for key, value in record.items()}
    if not is_interval(record):
        every = record if isinstance(record, list) else []
        return [with_expanded(value, items, counts, is_share) for value in every] if every else record
    if items is None:
        raise ValueError(f"the interval {record} is over items whose number the record has as one of {counts}.")
    return expanded(record, items, is_share)


def is_interval(value: Any) -> bool:
    """Whether a value of a record is a number between two others."""
    if not isinstance(value, list) or len(value) != 3 or not all(isinstance(one, int | float) for one in value):
        return False
    return bool(value[1] <= value[0] <= value[2])


def has_intervals(record: Any) -> bool:
    """Whether an interval is in a record."""
    values = record.values() if isinstance(record, dict) else record if isinstance(record, list) else ()
    return is_interval(record) or any(map(has_intervals, values))
