"""Which numbers of runs are shown, and what is known of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor

from wavelens.metrics.measures import METRICS
from wavelens.metrics.metric import Column
from wavelens.runs.evaluation import FACTS

OPTION_ENDS = re.compile(r", (?=\w+=)")
KNOWN = {column.name: column for cls in METRICS for column in cls.columns}  # type: ignore[attr-defined]


def recorded_columns(runs: Mapping[str, Sequence[Column]]) -> tuple[Column, ...]:
    """The columns that runs say of themselves, each once; `ValueError` where two runs say different things of one."""
    columns: dict[str, Column] = {}
    for run, own in runs.items():
        for column in own:
            if columns.setdefault(column.name, column) != column:
                raise ValueError(
                    f"runs are compared by columns of one meaning; {run} has {column}, another run "
                    f"{columns[column.name]}. Evaluate both by the same metric."
                )
    return tuple(columns.values())


def number_columns(recorded: Iterable[Column], values: Sequence[Mapping[str, Tensor]]) -> tuple[Column, ...]:
    """The recorded columns, then those of all other real numbers in `values`, `(items,)` each, that runs have.

    Runs of earlier versions record none: what this package's metrics are called is known then, options left out.
    `ValueError` where a column is not of the shape that it says.
    """
    columns = {column.name: column for column in recorded}
    every = {name: value for own in values for name, value in own.items()}
    ordered = [name for known in KNOWN for name in sorted(every) if name.partition("(")[0] == known]
    for name in dict.fromkeys([*ordered, *every]):
        known = KNOWN.get(name.partition("(")[0])
        is_number = every[name].ndim == 1 and not every[name].is_complex()
        if name in columns or name in FACTS or (known is None and not is_number):
            continue
        columns[name] = Column(name) if known is None else Column(name, known.better, known.middle, known.is_curve)
    _check_shapes(columns, values)
    return tuple(columns.values())


def short_heads(metrics: Sequence[str]) -> dict[str, str]:
    """Each metric with a head for its column: its name, and of its options those in which such metrics differ.

    >>> from wavelens.runs.statistics.columns import short_heads
    >>> heads = short_heads(["insertion(steps=8)", "insertion(steps=8, fractions='log')", "sparsity(level=0.1)"])
    >>> list(heads.values())
    ['insertion', 'insertion (log)', 'sparsity']
    """
    parts = {metric: _name_and_options(metric) for metric in metrics}
    heads = {}
    for metric, (name, options) in parts.items():
        alike = [own for other, own in parts.values() if other == name]
        shared = [option for option in options if all(option in own for own in alike)]
        told = ", ".join(value.strip("'\"") for option in options if option not in shared for value in [_value(option)])
        heads[metric] = f"{name} ({told})" if told else name
    return heads if len(set(heads.values())) == len(heads) else {metric: metric for metric in metrics}


def _name_and_options(metric: str) -> tuple[str, list[str]]:
    """'insertion(steps=8, fill='zero')' as its name and its options; of what is written otherwise all is the name."""
    name, bracket, rest = metric.partition("(")
    if not bracket or not rest.endswith(")"):
        return metric, []
    return name, OPTION_ENDS.split(rest[:-1])


def _value(option: str) -> str:
    """Of an option's text, its value where that is a word, else all of it: 'log', 'steps=8'."""
    _, _, value = option.partition("=")
    return value if value.startswith(("'", '"')) else option


def _check_shapes(columns: Mapping[str, Column], values: Sequence[Mapping[str, Tensor]]) -> None:
    for name, column in columns.items():
        form = "(items, points)" if column.is_curve else "(items,)"
        for shape in [tuple(own[name].shape) for own in values if name in own]:
            if len(shape) != 1 + column.is_curve:
                raise ValueError(f"the column {name} is {form}; a run has {shape}. Evaluate it again.")
