"""Means with 95 % intervals, by resampling items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000


def interval(
    values: Sequence[float], middle: Callable[..., Any] = np.mean, digits: int = 4, resamples: int = RESAMPLES
) -> list[float | None]:
    """The mean (or another `middle`) and its 95 % interval: percentile bootstrap over items; `None` for NaN alone."""
    array = np.asarray(values, dtype=float)
    array = array[np.isfinite(array)]
    if not array.size:
        return [None, None, None]
    middles = middle(array[_items(len(array), resamples)], axis=1)
    three = (middle(array), *np.quantile(middles, [0.025, 0.975]))
    return [round(float(value), digits) for value in three]


@cache
def _items(count: int, resamples: int) -> NDArray[np.int64]:
    """Items drawn with replacement, the same for all that is measured of as many."""
    return np.random.default_rng(0).integers(count, size=(resamples, count))
