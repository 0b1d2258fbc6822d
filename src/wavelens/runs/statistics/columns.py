"""Which numbers of runs are shown, and what is known of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor

from wavelens.metrics.measures import METRICS
from wavelens.metrics.metric import Column
from wavelens.runs.evaluation import FACTS

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


def _check_shapes(columns: Mapping[str, Column], values: Sequence[Mapping[str, Tensor]]) -> None:
    for name, column in columns.items():
        form = "(items, points)" if column.is_curve else "(items,)"
        for shape in [tuple(own[name].shape) for own in values if name in own]:
            if len(shape) != 1 + column.is_curve:
                raise ValueError(f"the column {name} is {form}; a run has {shape}. Evaluate it again.")
