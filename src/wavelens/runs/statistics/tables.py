"""A comparison as text: Markdown, LaTeX, CSV."""

from __future__ import annotations

from collections.abc import Callable

from wavelens.runs.statistics.cells import comma_separated_lines, latex_text, markdown_row, markdown_text
from wavelens.runs.statistics.comparison import Comparison, Estimate, Row
from wavelens.untrusted import one_line

ARROWS = {"more": "↑", "less": "↓"}
NUMBERS = [f"{of}{end}" for of in ("value", "difference", "rank") for end in ("", "_low", "_high")]


def markdown(c: Comparison) -> str:
    """Two tables: values with their rank, and the distance to the best run; a run a row.

    Bold is what is best also in 95 % of the resamples.
    """
    values, distances = _markdown(c, _value), _markdown(c, _distance)
    return f"{values}\n{markdown_text(caption(c))}\n\nDistance to the best run, over the same items:\n\n{distances}"


def latex(c: Comparison) -> str:
    """The table of values, for `booktabs`; bold as in `markdown`."""
    head = " & ".join(["run", *(latex_text(_head(c, metric)) for metric in c.metrics)])
    lines = [
        " & ".join([latex_text(_run(c, run)), *(_latex_cell(c.row(metric, run)) for metric in c.metrics)]) + r" \\"
        for run in c.runs
    ]
    begin = rf"\begin{{tabular}}{{l{'l' * len(c.metrics)}}}"
    end = [r"\bottomrule", r"\end{tabular}", f"% {one_line(caption(c))}"]
    return "\n".join([begin, r"\toprule", head + r" \\", r"\midrule", *lines, *end, ""])


def comma_separated(c: Comparison) -> str:
    """One line for each metric and run, every number at full precision."""
    rows: list[list[str | float]] = [["metric", "run", "items", *NUMBERS]]
    for row in c.rows:
        numbers = [n for e in (row.value, row.difference, row.rank) for n in _three(e)]
        rows.append([row.metric, row.run, row.items, *numbers])
    return comma_separated_lines(rows)


def lines(c: Comparison) -> list[tuple[str, str, str, str, str]]:
    """For a terminal: metric, run, value, distance to the best and rank, each with its interval."""
    return [(_head(c, r.metric), _run(c, r.run), _number(r.value), _distance(r), _rank(r.rank)) for r in c.rows]


def _markdown(c: Comparison, cell: Callable[[Row], str]) -> str:
    rows = [["run", *(markdown_text(_head(c, metric)) for metric in c.metrics)], ["---"] * (1 + len(c.metrics))]
    for run in c.runs:
        cells = [c.row(metric, run) for metric in c.metrics]
        rows.append([markdown_text(_run(c, run)), *("" if row is None else _bold(cell(row), row) for row in cells)])
    return "".join(map(markdown_row, rows))


def _run(c: Comparison, run: str) -> str:
    """'energy (floor)'; of what is no control its name alone."""
    return f"{run} ({c.roles[run]})" if run in c.roles else run


def _bold(text: str, row: Row) -> str:
    return f"**{text}**" if _leads(row) else text


def _leads(row: Row) -> bool:
    """Whether the run is the best, also in 95 % of the resamples."""
    return row.rank is not None and row.rank.value == 1 and row.rank.high < 2


def _head(c: Comparison, metric: str) -> str:
    """'insertion ↑'; without an arrow where it is not known whether more or less is better."""
    better = c.columns[metric].better
    return f"{metric} {ARROWS[better]}" if better else metric


def _value(row: Row) -> str:
    return _number(row.value) if row.rank is None else f"{_number(row.value)} #{_rank(row.rank)}"


def _three(e: Estimate | None) -> tuple[float | str, ...]:
    return ("", "", "") if e is None else (e.value, e.low, e.high)


def _distance(row: Row) -> str:
    return _number(row.difference, "+")


def _number(e: Estimate, sign: str = "") -> str:
    return f"{e.value:{sign}.4g} [{e.low:{sign}.4g}, {e.high:{sign}.4g}]"


def _rank(e: Estimate | None) -> str:
    """The rank, and those that it has in 95 % of the resamples where these are several: '1' or '1 (1–3)'."""
    if e is None:
        return ""
    low, high = round(e.low), round(e.high)
    return f"{e.value:.0f}" if low == high else f"{e.value:.0f} ({low}–{high})"


def _latex_cell(row: Row | None) -> str:
    if row is None:
        return ""
    value = f"{row.value.value:.4g}"
    shown = rf"\mathbf{{{value}}}" if _leads(row) else value
    return f"${shown}$ $[{row.value.low:.4g}, {row.value.high:.4g}]$"


def caption(c: Comparison) -> str:
    """What the numbers are of, and what was left out."""
    parts = [f"{c.items} items", "95 % intervals by paired bootstrap"]
    if c.of > c.items:
        parts.append(f"{c.of - c.items} items that some run lacks are left out")
    parts += [f"{metric}: {count} items without a number are left out" for metric, count in c.left_out.items() if count]
    if c.missing:
        parts.append(f"{', '.join(c.missing)}: not in every run, left out")
    if unranked := [metric for metric in c.metrics if c.columns[metric].better is None]:
        parts.append(f"{', '.join(unranked)}: not known whether more or less is better, distances are to the first run")
    if medians := [metric for metric in c.metrics if c.columns[metric].middle == "median"]:
        parts.append(f"{', '.join(medians)}: medians, all others means")
    if "floor" in c.roles.values():
        parts.append("floors know nothing of the model")
    if "ceiling" in c.roles.values():
        parts.append("a ceiling is made for insertion, explains nothing and has no rank")
    return "; ".join(parts) + "."


def files(c: Comparison) -> dict[str, str]:
    """The files of a comparison by their names."""
    return {"comparison.md": markdown(c), "comparison.tex": latex(c), "comparison.csv": comma_separated(c)}
