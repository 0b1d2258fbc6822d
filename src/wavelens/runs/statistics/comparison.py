"""Runs side by side: means with paired bootstrap intervals, differences, ranks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavelens.runs.store.reading import Results, Run

Array = NDArray[np.float64]

LOWER = ("deletion", "infidelity", "max_sensitivity", "complexity")  # less is better
MEDIAN = ("ff",)  # a set is judged by its median, by all others by its mean
METRICS = (
    "insertion",
    "deletion",
    "faithfulness",
    "mu_fidelity",
    "infidelity",
    "ff",
    "fid_in",
    "max_sensitivity",
    "sparseness",
    "complexity",
    "pointing_game",
)
RESAMPLES = 2000
MAX_RESAMPLES = 10**6  # as many means of each run are held in memory
LEVEL = (2.5, 97.5)  # percentiles


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """One run by one metric: the mean (or median) over the items, its distance to the best run's, its rank from 1.

    The interval of a rank is that of its values over the resamples.
    """

    metric: str
    run: str
    items: int
    value: Estimate
    difference: Estimate
    rank: Estimate


@dataclass(frozen=True, eq=False)
class Comparison:
    """`rows` for each metric and run, `curves` the mean curves `(steps + 1,)` of each run.

    `items` are in every run; `of` is how many are in any. `left_out` counts for each metric those where it is not a
    number for some run.
    """

    runs: tuple[str, ...]
    items: int
    of: int
    rows: tuple[Row, ...]
    curves: dict[str, dict[str, Array]]
    left_out: dict[str, int]

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.metric for row in self.rows))

    def row(self, metric: str, run: str) -> Row | None:
        return next((row for row in self.rows if (row.metric, row.run) == (metric, run)), None)


def compare(folders: Sequence[str | Path], *, resamples: int = RESAMPLES, seed: int = 0) -> Comparison:
    """Compares runs over the items that all of them have, metric by metric, those that all of them have.

    Intervals are percentiles of a paired bootstrap (Efron, 1979): items are drawn with replacement, the same for every
    run, so that what items have in common does not blur a difference. `ValueError` for runs without common items.
    """
    runs = [Run.open(folder) for folder in folders]
    names = _names([run.folder for run in runs])
    found = [run.read() for run in runs]
    sets = [set(r.names) for r in found]
    common = [name for name in found[0].names if all(name in own for own in sets)]
    if not common:
        raise ValueError(f"runs are compared over the items that all have; {', '.join(names)} have none in common.")
    places = [_places(results, common) for results in found]
    rows: list[Row] = []
    left_out = {}
    for metric in _metrics(found):
        table = np.stack([r.values[metric].double().numpy()[p] for r, p in zip(found, places, strict=True)])
        known = np.isfinite(table).all(0)
        left_out[metric] = int((~known).sum())
        if known.any():
            rows += _rows(metric, names, table[:, known], resamples, seed)
    curves = {
        name: {key: value.double().numpy()[p].mean(0) for key, value in r.values.items() if " curve" in key}
        for name, r, p in zip(names, found, places, strict=True)
    }
    every = {name for results in found for name in results.names}
    return Comparison(tuple(names), len(common), len(every), tuple(rows), curves, left_out)


def base(metric: str) -> str:
    """The name of a metric without its options."""
    return metric.partition("(")[0]


def _names(folders: Sequence[Path]) -> list[str]:
    short = [folder.resolve().name for folder in folders]
    names = short if len(set(short)) == len(short) else [str(folder) for folder in folders]
    if len(set(names)) < len(names):
        raise ValueError(f"each run is compared once; got {', '.join(names)}.")
    return names


def _places(results: Results, common: Sequence[str]) -> NDArray[np.int64]:
    where = {name: place for place, name in enumerate(results.names)}
    return np.array([where[name] for name in common])


def _metrics(found: Sequence[Results]) -> list[str]:
    """The metrics that all runs have, in the order of `METRICS`."""
    common = set.intersection(*[set(results.values) for results in found])
    return sorted((n for n in common if base(n) in METRICS), key=lambda n: (METRICS.index(base(n)), n))


def _rows(metric: str, names: Sequence[str], table: Array, resamples: int, seed: int) -> list[Row]:
    """`table` is `(runs, items)`."""
    middle = np.median if base(metric) in MEDIAN else np.mean
    sign = 1.0 if base(metric) in LOWER else -1.0
    values = middle(table, axis=1)
    draws = bootstrap(table, middle, resamples, seed)
    best = int(np.argmin(sign * values))
    ranks, drawn_ranks = _ranks(sign * values), _ranks(sign * draws)
    return [
        Row(
            metric,
            name,
            table.shape[1],
            _estimate(values[i], draws[i]),
            _estimate(values[i] - values[best], draws[i] - draws[best]),
            _estimate(ranks[i], drawn_ranks[i]),
        )
        for i, name in enumerate(names)
    ]


def bootstrap(table: Array, middle: Callable[..., Array], resamples: int, seed: int) -> Array:
    """`(runs, resamples)` means or medians of items drawn with replacement, the same items for every run."""
    if not 1 <= resamples <= MAX_RESAMPLES:
        raise ValueError(f"resamples is a whole number from 1 to {MAX_RESAMPLES:,}; got {resamples}.")
    random = np.random.default_rng(seed)
    count = table.shape[1]
    rows = max(1, 2**20 // table.size)  # resamples at a time, in bounded memory
    sizes = [min(rows, resamples - done) for done in range(0, resamples, rows)]
    return np.concatenate([middle(table[:, random.integers(count, size=(n, count))], axis=2) for n in sizes], axis=1)


def _ranks(costs: Array) -> Array:
    """From 1, the least cost first; equals share the better rank."""
    better: Array = (costs[None, :] < costs[:, None]).sum(1).astype(float)
    return 1 + better


def _estimate(value: float, draws: Array) -> Estimate:
    low, high = np.percentile(draws, LEVEL)
    return Estimate(float(value), float(low), float(high))
