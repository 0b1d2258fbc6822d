"""Averaged profiles as text: lines for a terminal, Markdown, CSV."""

from __future__ import annotations

from collections.abc import Mapping

from wavelens.counts import count_of, with_minus
from wavelens.runs.statistics.cells import comma_separated_lines, markdown_row, markdown_text
from wavelens.runs.statistics.intervals import Estimate
from wavelens.runs.statistics.profiles import Average, ScaleRow
from wavelens.runs.statistics.tables import intervals_of

Extents = Mapping[str, Mapping[str, str]]  # what each scale spans, for each model

LEVEL = "mean level"
SHAPLEY = "Shapley value"
ENDS = ("", "_low", "_high")  # of the names of an estimate's three numbers


def head(average: Average) -> tuple[str, ...]:
    """The titles of the columns of `lines`."""
    titles = ("scale", "model", "share of Σ|γ|", "minus the first", "signed sum")
    return (*titles, SHAPLEY) if average.has_shapley else titles


def lines(average: Average, extents: Extents) -> list[tuple[str, ...]]:
    """The columns of `head`, scale by scale, coarsest first, one model per line; then the mean levels."""
    rows = [_line(average.row(model, scale), extents, average) for scale in average.scales for model in average.models]
    levels = [
        (
            LEVEL,
            row.model,
            _number(row.level),
            _far(row.difference, row.model, average),
            *[""] * (1 + average.has_shapley),
        )
        for row in average.levels
    ]
    return rows + (levels if len(average.scales) > 1 else [])


def _line(row: ScaleRow, extents: Extents, average: Average) -> tuple[str, ...]:
    scale = f"{row.scale} · {extents[row.model][row.scale]}"
    sums = [_sum(one) for one in (row.signed, row.shapley) if one is not None]
    return scale, row.model, _share(row.share), _points(row.difference, row.model, average), *sums


def markdown(average: Average, extents: Extents) -> str:
    """One table with the lines of a terminal, and what they are of."""
    titles = [markdown_text(name) for name in head(average)]
    rows = [[*map(markdown_text, row[:2]), *row[2:]] for row in lines(average, extents)]
    text = "".join(map(markdown_row, (titles, ["---"] * len(titles), *rows)))
    return f"{text}\n{caption(average)}\n"


def comma_separated(average: Average, extents: Extents) -> str:
    """One line for each model and scale, every number at full precision; mean levels stand in the column of shares."""
    columns = ("share", "difference", "signed", *["shapley"] * average.has_shapley)
    names = [f"{column}{end}" for column in columns for end in ENDS]
    rows: list[list[str | float]] = [["model", "scale", "extent", "items", *names]]
    for row in average.rows:
        numbers = [number for column in columns for number in _three(getattr(row, column))]
        rows.append([row.model, row.scale, extents[row.model][row.scale], average.items, *numbers])
    for level in average.levels:
        numbers = [*_three(level.level), *_three(level.difference)]
        rows.append([level.model, LEVEL, "", average.items, *numbers, *[""] * (len(names) - len(numbers))])
    return comma_separated_lines(rows)


def caption(average: Average) -> str:
    """What the numbers describe, and what was left out."""
    text = f"{count_of(average.items, 'item')}, each with the same weight; {intervals_of(average.items)}"
    return (
        f"{text}; left out: {count_of(average.left_out, 'item')} without a profile." if average.left_out else f"{text}."
    )


def _three(e: Estimate) -> tuple[float | str, ...]:
    return (e.value, e.low, e.high) if e.has_interval else (e.value, "", "")


def _text(e: Estimate, form: str, times: float = 1.0, unit: str = "") -> str:
    """A number with its interval, if it has one: '12.3 % [10.1, 14.2]'."""
    value = f"{times * e.value:{form}}{unit}"
    return with_minus(f"{value} [{times * e.low:{form}}, {times * e.high:{form}}]" if e.has_interval else value)


def _share(e: Estimate) -> str:
    return _text(e, ".1f", 100, " %")


def _points(e: Estimate, model: str, average: Average) -> str:
    """Of the first model nothing: it is what the others are compared to."""
    return "" if model == average.models[0] else _text(e, "+.1f", 100)


def _far(e: Estimate, model: str, average: Average) -> str:
    return "" if model == average.models[0] else _text(e, "+.2f")


def _number(e: Estimate) -> str:
    return _text(e, ".2f")


def _sum(e: Estimate) -> str:
    return _text(e, "+.3g")
