"""Runs side by side: means with paired bootstrap intervals, differences, ranks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavelens.baselines.controls import CEILINGS, FLOORS
from wavelens.metrics.metric import Column
from wavelens.runs.statistics.columns import number_columns, recorded_columns
from wavelens.runs.store.reading import Results, Run
from wavelens.whole_numbers import is_whole

Array = NDArray[np.float64]

RESAMPLES = 2000
MAX_RESAMPLES = 10**6  # as many means of each run are held in memory
LEVEL = (2.5, 97.5)  # percentiles
ROLES = {cls.__name__: "floor" for cls in FLOORS} | {cls.__name__: "ceiling" for cls in CEILINGS}


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """One run by one metric: the mean (or median) over the items, its distance to the best run's, its rank from 1.

    The interval of a rank is that of its values over the resamples. Where neither more nor less is better there is no
    rank, and the distance is that to the first run. A ceiling, which is made for a measure, has no rank and is not the
    best.
    """

    metric: str
    run: str
    items: int
    value: Estimate
    difference: Estimate
    rank: Estimate | None


@dataclass(frozen=True, eq=False)
class Comparison:
    """`rows` for each metric and run, `curves` the mean curves `(steps + 1,)` of each run.

    `columns` says of each metric which way is better. `items` are in every run; `of` is how many are in any. `left_out`
    counts for each metric those where it is not a number for some run. `missing` are metrics that some run lacks.
    `roles` says which runs are controls, a "floor" or a "ceiling".
    """

    runs: tuple[str, ...]
    items: int
    of: int
    rows: tuple[Row, ...]
    curves: dict[str, dict[str, Array]]
    left_out: dict[str, int]
    columns: dict[str, Column]
    missing: tuple[str, ...] = ()
    roles: dict[str, str] = field(default_factory=dict)

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.metric for row in self.rows))

    def row(self, metric: str, run: str) -> Row | None:
        return next((row for row in self.rows if (row.metric, row.run) == (metric, run)), None)


def compare(folders: Sequence[str | Path], *, resamples: int = RESAMPLES, seed: int = 0) -> Comparison:
    """Compares runs over the items that all of them have, metric by metric, those that all of them have.

    Every number of the runs is compared, whoever wrote its metric; see `Task`.

    Intervals are percentiles of a paired bootstrap (Efron, 1979): items are drawn with replacement, the same for every
    run, so that what items have in common does not blur a difference. `ValueError` for runs without common items.
    """
    runs = [Run.open(folder) for folder in folders]
    names = _names([run.folder for run in runs])
    all_results = [run.read() for run in runs]
    sets = [set(r.names) for r in all_results]
    common = [name for name in all_results[0].names if all(name in own for own in sets)]
    if not common:
        raise ValueError(f"runs are compared over the items that all have; {', '.join(names)} have none in common.")
    places = [_places(results, common) for results in all_results]
    recorded = recorded_columns({name: run.manifest.columns for name, run in zip(names, runs, strict=True)})
    columns = {c.name: c for c in number_columns(recorded, [results.values for results in all_results])}
    shared = [name for name in columns if all(name in results.values for results in all_results)]
    roles = _roles(names, runs)
    ranked = np.array([roles.get(name) != "ceiling" for name in names])
    rows: list[Row] = []
    left_out = {}
    for metric in [name for name in shared if not columns[name].is_curve]:
        table = np.stack([r.values[metric].double().numpy()[p] for r, p in zip(all_results, places, strict=True)])
        known = np.isfinite(table).all(0)
        left_out[metric] = int((~known).sum())
        if known.any():
            rows += _rows(columns[metric], names, table[:, known], ranked, resamples, seed)
    curves = {
        name: {
            key: r.values[key].double().numpy()[p].mean(0)
            for key in columns
            if key in r.values and columns[key].is_curve
        }
        for name, r, p in zip(names, all_results, places, strict=True)
    }
    every = {name for results in all_results for name in results.names}
    missing = tuple(name for name in columns if name not in shared)
    return Comparison(tuple(names), len(common), len(every), tuple(rows), curves, left_out, columns, missing, roles)


def _roles(names: Sequence[str], runs: Sequence[Run]) -> dict[str, str]:
    """Which runs are of controls; none is a ceiling where there is nothing below it."""
    explainers = {
        name: run.manifest.task.get("explainer", "").partition("(")[0] for name, run in zip(names, runs, strict=True)
    }
    roles = {name: ROLES[explainer] for name, explainer in explainers.items() if explainer in ROLES}
    return roles if any(roles.get(name) != "ceiling" for name in names) else {}


def _names(folders: Sequence[Path]) -> list[str]:
    short = [folder.resolve().name for folder in folders]
    names = short if len(set(short)) == len(short) else [str(folder) for folder in folders]
    if len(set(names)) < len(names):
        raise ValueError(f"each run is compared once; got {', '.join(names)}.")
    return names


def _places(results: Results, common: Sequence[str]) -> NDArray[np.int64]:
    where = {name: place for place, name in enumerate(results.names)}
    return np.array([where[name] for name in common])


def _rows(
    column: Column, names: Sequence[str], table: Array, ranked: NDArray[np.bool_], resamples: int, seed: int
) -> list[Row]:
    """`table` is `(runs, items)`; `ranked` says which runs have ranks."""
    middle = np.median if column.middle == "median" else np.mean
    values = middle(table, axis=1)
    draws = bootstrap(table, middle, resamples, seed)
    ranks: list[Estimate | None] = [None] * len(names)
    first = 0
    if column.better is not None:
        sign = 1.0 if column.better == "less" else -1.0
        first = int(np.argmin(np.where(ranked, sign * values, np.inf)))
        pairs = zip(_ranks(sign * values[ranked]), _ranks(sign * draws[ranked]), strict=True)
        for place, (rank, drawn) in zip(np.flatnonzero(ranked), pairs, strict=True):
            ranks[place] = _estimate(rank, drawn)
    return [
        Row(
            column.name,
            name,
            table.shape[1],
            _estimate(values[i], draws[i]),
            _estimate(values[i] - values[first], draws[i] - draws[first]),
            ranks[i],
        )
        for i, name in enumerate(names)
    ]


def bootstrap(table: Array, middle: Callable[..., Array], resamples: int, seed: int) -> Array:
    """`(runs, resamples)` means or medians of items drawn with replacement, the same items for every run."""
    if not is_whole(resamples, 1, MAX_RESAMPLES):
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
