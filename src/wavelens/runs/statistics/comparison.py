"""Runs side by side: means with paired bootstrap intervals, differences, ranks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavelens.baselines.controls import CEILINGS, FLOORS
from wavelens.counts import count_of
from wavelens.metrics.metric import Column
from wavelens.runs.statistics.columns import number_columns, recorded_columns
from wavelens.runs.statistics.intervals import FEWEST, Estimate, bca, bootstrap, flips, holm, percentiles, signs
from wavelens.runs.store.reading import Results, Run

Array = NDArray[np.float64]

RESAMPLES = 2000
SIGNIFICANT = 0.05
DRAWS_PER_TEST = 40  # of signs: as few as let a p-value survive Holm's correction
ROLES = {cls.__name__: "floor" for cls in FLOORS} | {cls.__name__: "ceiling" for cls in CEILINGS}


@dataclass(frozen=True)
class Row:
    """One run by one metric: the mean (or median) over the items, its distance to the best run's, its rank from 1.

    The interval of a rank is that of its values over the resamples. Where neither more nor less is better there is no
    rank, and the distance is that to the first run. A ceiling, which is made for a measure, has no rank and is not the
    best. `p` is that of the distance being 0, adjusted for all such tests of the comparison (Holm, 1979); None for the
    run that distances are from, for ceilings and for few items.
    """

    metric: str
    run: str
    items: int
    value: Estimate
    difference: Estimate
    rank: Estimate | None
    p: float | None = None

    @property
    def differs(self) -> bool:
        """Whether the distance is one after Holm's correction, at 5 %."""
        return self.p is not None and self.p <= SIGNIFICANT


@dataclass(frozen=True, eq=False)
class Comparison:
    """`rows` for each metric and run, `curves` the mean curves `(steps + 1,)` of each run.

    `columns` says of each metric which way is better. `items` are in every run; `of` is how many are in any. `left_out`
    counts for each metric those where it is not a number for some run. `missing` are metrics that some run lacks.
    `roles` says which runs are controls, a "floor" or a "ceiling". `unfinished` has for each run that lacks results how
    many items it has got to and how many it is of.
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
    unfinished: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.metric for row in self.rows))

    def row(self, metric: str, run: str) -> Row | None:
        return next((row for row in self.rows if (row.metric, row.run) == (metric, run)), None)


def compare(folders: Sequence[str | Path], *, resamples: int = RESAMPLES, seed: int = 0) -> Comparison:
    """Compares runs metric by metric, over the metrics and the items that all of them have.

    Every number of the runs is compared, whoever wrote its metric; see `Task`.

    Intervals are those of a paired bootstrap, corrected for bias and skewness (Efron, 1987): items are drawn with
    replacement, the same for every run, so that what items have in common does not blur a difference. Fewer than six
    items have no intervals. Differences are tested by their signs, flipped at random or, for medians, counted, and the
    p-values adjusted for the number of tests (Holm, 1979). `ValueError` for runs without common items or metrics.
    """
    runs = [Run.open(folder) for folder in folders]
    names = _names([run.folder for run in runs])
    all_results = [run.read() for run in runs]
    sets = [set(r.names) for r in all_results]
    common = [name for name in all_results[0].names if all(name in own for own in sets)]
    unfinished = {name: state for name, run in zip(names, runs, strict=True) if (state := _unfinished(run))}
    if not common:
        raise ValueError(_nothing_in_common(names, all_results, unfinished))
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
            tests = len(shared) * (len(names) - 1)
            rows += _rows(columns[metric], names, table[:, known], ranked, resamples, seed, tests)
    curves = {
        name: {
            key: r.values[key].double().numpy()[p].mean(0)
            for key in columns
            if key in r.values and columns[key].is_curve
        }
        for name, r, p in zip(names, all_results, places, strict=True)
    }
    if not rows and not any(columns[name].is_curve for name in shared):
        raise ValueError(_no_metric(names, all_results, columns, left_out))
    every = {name for results in all_results for name in results.names}
    missing = tuple(name for name in columns if name not in shared)
    return Comparison(
        tuple(names),
        len(common),
        len(every),
        _adjusted(rows),
        curves,
        left_out,
        columns,
        missing,
        roles,
        unfinished,
    )


def _unfinished(run: Run) -> tuple[int, int] | None:
    """How many items a run has got to, of how many; None where it has got to all."""
    left = sum(len(run.items(shard)) for shard in run.missing())
    return (run.manifest.items - left, run.manifest.items) if left else None


def _nothing_in_common(
    names: Sequence[str], results: Sequence[Results], unfinished: Mapping[str, tuple[int, int]]
) -> str:
    reasons = []
    for name, own in zip(names, results, strict=True):
        some = f"{count_of(len(own.names), 'item')}, such as {own.names[0]}" if own.names else "no items"
        far = f" (unfinished: {unfinished[name][0]} of {unfinished[name][1]})" if name in unfinished else ""
        reasons.append(f"{name} has {some}{far}")
    return (
        f"runs are compared over the items that all have, by name; {'; '.join(reasons)}. None is in all of them. "
        "Evaluate the same folder, or finish the runs."
    )


def _no_metric(
    names: Sequence[str],
    results: Sequence[Results],
    columns: Mapping[str, Column],
    left_out: Mapping[str, int],
) -> str:
    """Why nothing is compared: metrics that differ, or that are numbers for no item."""
    if left_out:
        return (
            f"runs are compared by numbers; {', '.join(left_out)} has none, for any item that all runs have. Look at "
            "one file with wavelens explain."
        )
    reasons = [
        f"{name} has {', '.join(metric for metric in columns if metric in own.values) or 'no metric'}"
        for name, own in zip(names, results, strict=True)
    ]
    return f"runs are compared by metrics that all have; {'; '.join(reasons)}. Evaluate with the same --metric."


def _adjusted(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The rows with p-values that are adjusted for their number."""
    p_values = iter(holm([row.p for row in rows if row.p is not None]))
    return tuple(row if row.p is None else replace(row, p=next(p_values)) for row in rows)


def _roles(names: Sequence[str], runs: Sequence[Run]) -> dict[str, str]:
    """Which runs are of controls; none is a ceiling where there is nothing below it."""
    explainers = {
        name: run.manifest.task.get("explainer", "").partition("(")[0] for name, run in zip(names, runs, strict=True)
    }
    roles = {name: ROLES[explainer] for name, explainer in explainers.items() if explainer in ROLES}
    return roles if any(roles.get(name) != "ceiling" for name in names) else {}


def _names(folders: Sequence[Path]) -> list[str]:
    """As many of the last parts of the folders' paths as tell them apart: names without the folders of a machine."""
    parts = [folder.resolve().parts for folder in folders]
    if len(set(parts)) < len(parts):
        raise ValueError(f"each run can be compared only once; got {', '.join(map(str, folders))}.")
    enough = next(n for n in range(1, max(map(len, parts)) + 1) if len({own[-n:] for own in parts}) == len(parts))
    return ["/".join(own[-enough:]) for own in parts]


def _places(results: Results, common: Sequence[str]) -> NDArray[np.int64]:
    where = {name: place for place, name in enumerate(results.names)}
    return np.array([where[name] for name in common])


def _rows(
    column: Column,
    names: Sequence[str],
    table: Array,
    ranked: NDArray[np.bool_],
    resamples: int,
    seed: int,
    tests: int,
) -> list[Row]:
    """`table` is `(runs, items)`; `ranked` says which runs have ranks, `tests` how many there are in all."""
    is_median = column.middle == "median"
    middle: Callable[..., Array] = np.median if is_median else np.mean
    values, count = middle(table, axis=1), table.shape[1]
    draws = bootstrap(table, middle, resamples, seed)
    ranks: list[Estimate | None] = [None] * len(names)
    first = 0
    if column.better is not None:
        sign = 1.0 if column.better == "less" else -1.0
        first = int(np.argmin(np.where(ranked, sign * values, np.inf)))
        pairs = zip(_ranks(sign * values[ranked]), _ranks(sign * draws[ranked]), strict=True)
        for place, (rank, drawn) in zip(np.flatnonzero(ranked), pairs, strict=True):
            ranks[place] = percentiles(rank, drawn, count)
    apart, far = table - table[first], draws - draws[first]
    flipped = max(resamples, DRAWS_PER_TEST * tests)
    has_test = [i != first and bool(ranked[i]) and count >= FEWEST for i in range(len(names))]
    return [
        Row(
            column.name,
            name,
            count,
            bca(values[i], draws[i], None if is_median else table[i], count),
            bca(values[i] - values[first], far[i], None if is_median else apart[i], count),
            ranks[i],
            (signs(apart[i]) if is_median else flips(apart[i], flipped, seed)) if has_test[i] else None,
        )
        for i, name in enumerate(names)
    ]


def _ranks(costs: Array) -> Array:
    """From 1, the least cost first; equals share the better rank."""
    better: Array = (costs[None, :] < costs[:, None]).sum(1).astype(float)
    return 1 + better
