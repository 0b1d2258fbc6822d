"""Averaged profiles as text: lines for a terminal, Markdown, CSV."""

from __future__ import annotations

from collections.abc import Mapping

from wavelens.runs.statistics.cells import comma_separated_lines, markdown_row, markdown_text
from wavelens.runs.statistics.comparison import Estimate
from wavelens.runs.statistics.profiles import Average, ScaleRow

Extents = Mapping[str, Mapping[str, str]]  # what each scale spans, for each model

LEVEL = "mean level"
HEAD = ("scale", "model", "share of Σ|γ|", "less the first", "signed sum")
NUMBERS = [f"{of}{end}" for of in ("share", "difference", "signed") for end in ("", "_low", "_high")]


def lines(average: Average, extents: Extents) -> list[tuple[str, ...]]:
    """The columns of `HEAD`, scale by scale, coarsest first, a model a line; then the mean levels."""
    rows = [_line(average.row(model, scale), extents, average) for scale in average.scales for model in average.models]
    levels = [
        (LEVEL, row.model, _number(row.level), _far(row.difference, row.model, average), "") for row in average.levels
    ]
    return rows + (levels if len(average.scales) > 1 else [])


def _line(row: ScaleRow, extents: Extents, average: Average) -> tuple[str, ...]:
    scale = f"{row.scale} · {extents[row.model][row.scale]}"
    return scale, row.model, _share(row.share), _points(row.difference, row.model, average), _sum(row.signed)


def markdown(average: Average, extents: Extents) -> str:
    """One table with the lines of a terminal, and what they are of."""
    head = [markdown_text(name) for name in HEAD]
    rows = [[*map(markdown_text, row[:2]), *row[2:]] for row in lines(average, extents)]
    text = "".join(map(markdown_row, (head, ["---"] * len(HEAD), *rows)))
    return f"{text}\n{caption(average)}\n"


def comma_separated(average: Average, extents: Extents) -> str:
    """One line for each model and scale, every number at full precision; mean levels stand in the column of shares."""
    rows: list[list[str | float]] = [["model", "scale", "extent", "items", *NUMBERS]]
    for row in average.rows:
        numbers = [*_three(row.share), *_three(row.difference), *_three(row.signed)]
        rows.append([row.model, row.scale, extents[row.model][row.scale], average.items, *numbers])
    for level in average.levels:
        rows.append(
            [level.model, LEVEL, "", average.items, *_three(level.level), *_three(level.difference), "", "", ""]
        )
    return comma_separated_lines(rows)


def caption(average: Average) -> str:
    """What the numbers are of, and what was left out."""
    text = f"{average.items} items, each with the same weight; 95 % intervals by paired bootstrap"
    return f"{text}; {average.left_out} items without a profile are left out." if average.left_out else f"{text}."


def _three(e: Estimate) -> tuple[float, float, float]:
    return e.value, e.low, e.high


def _share(e: Estimate) -> str:
    return f"{100 * e.value:.1f} % [{100 * e.low:.1f}, {100 * e.high:.1f}]"


def _points(e: Estimate, model: str, average: Average) -> str:
    """Of the first model nothing: it is what the others are compared to."""
    return "" if model == average.models[0] else f"{100 * e.value:+.1f} [{100 * e.low:+.1f}, {100 * e.high:+.1f}]"


def _far(e: Estimate, model: str, average: Average) -> str:
    return "" if model == average.models[0] else f"{e.value:+.2f} [{e.low:+.2f}, {e.high:+.2f}]"


def _number(e: Estimate) -> str:
    return f"{e.value:.2f} [{e.low:.2f}, {e.high:.2f}]"


def _sum(e: Estimate) -> str:
    return f"{e.value:+.3g} [{e.low:+.3g}, {e.high:+.3g}]"
