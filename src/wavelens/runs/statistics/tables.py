"""A comparison as text: Markdown, LaTeX, CSV."""

from __future__ import annotations

from collections.abc import Callable

from wavelens.counts import count_of, part_of, with_minus
from wavelens.runs.statistics.cells import comma_separated_lines, latex_text, markdown_row, markdown_text
from wavelens.runs.statistics.columns import short_heads
from wavelens.runs.statistics.comparison import Comparison, Row
from wavelens.runs.statistics.intervals import FEW, FEWEST, Estimate
from wavelens.untrusted import one_line

ARROWS = {"more": "↑", "less": "↓"}
INTERVALS = "95 % intervals by paired bootstrap"
NUMBERS = [f"{of}{end}" for of in ("value", "difference", "rank") for end in ("", "_low", "_high")]


def markdown(c: Comparison) -> str:
    """Two tables: values with their rank, and the distance to the best run; one run per row.

    Bold is what is best also in 95 % of the resamples, and differs from all others after Holm's correction.
    """
    values, distances = _markdown(c, _value), _markdown(c, _distance)
    return f"{values}\n{markdown_text(caption(c))}\n\nDistance to the best run, over the same items:\n\n{distances}"


def latex(c: Comparison) -> str:
    """The table of values, for `booktabs`; bold as in `markdown`."""
    head = " & ".join(["run", *(latex_text(_head(c, metric)) for metric in c.metrics)])
    lines = [
        " & ".join([latex_text(_run(c, run)), *(_latex_cell(c, c.row(metric, run)) for metric in c.metrics)]) + r" \\"
        for run in c.runs
    ]
    begin = rf"\begin{{tabular}}{{l{'l' * len(c.metrics)}}}"
    end = [r"\bottomrule", r"\end{tabular}", f"% {one_line(caption(c))}"]
    return "\n".join([begin, r"\toprule", head + r" \\", r"\midrule", *lines, *end, ""])


def comma_separated(c: Comparison) -> str:
    """One line for each metric and run, every number at full precision."""
    rows: list[list[str | float]] = [["metric", "run", "items", *NUMBERS, "p"]]
    for row in c.rows:
        numbers = [n for e in (row.value, row.difference, row.rank) for n in _three(e)]
        rows.append([row.metric, row.run, row.items, *numbers, "" if row.p is None else row.p])
    return comma_separated_lines(rows)


def lines(c: Comparison) -> list[tuple[str, str, str, str, str]]:
    """For a terminal: metric, run, value, distance to the best and rank, each with its interval."""
    return [(_head(c, r.metric), _run(c, r.run), _number(r.value), _distance(r), _rank(r.rank)) for r in c.rows]


def _markdown(c: Comparison, cell: Callable[[Row], str]) -> str:
    rows = [["run", *(markdown_text(_head(c, metric)) for metric in c.metrics)], ["---"] * (1 + len(c.metrics))]
    for run in c.runs:
        cells = [c.row(metric, run) for metric in c.metrics]
        rows.append([markdown_text(_run(c, run)), *("" if row is None else _bold(c, cell(row), row) for row in cells)])
    return "".join(map(markdown_row, rows))


def _run(c: Comparison, run: str) -> str:
    """'energy (floor)'; of what is no control its name alone."""
    return f"{run} ({c.roles[run]})" if run in c.roles else run


def _bold(c: Comparison, text: str, row: Row) -> str:
    return f"**{text}**" if _leads(c, row) else text


def _leads(c: Comparison, row: Row) -> bool:
    """Whether the run is the best, also in 95 % of the resamples and after Holm's correction."""
    others = [one for one in c.rows if one.metric == row.metric and one.p is not None]
    is_best = row.rank is not None and row.rank.value == 1 and row.rank.high < 2
    return is_best and bool(others) and all(one.differs for one in others)


def _head(c: Comparison, metric: str) -> str:
    """'insertion ↑'; without an arrow where it is not known whether more or less is better."""
    better, name = c.columns[metric].better, short_heads(c.metrics)[metric]
    return f"{name} {ARROWS[better]}" if better else name


def _value(row: Row) -> str:
    return _number(row.value) if row.rank is None else f"{_number(row.value)} #{_rank(row.rank)}"


def _three(e: Estimate | None) -> tuple[float | str, ...]:
    if e is None:
        return ("", "", "")
    return (e.value, e.low, e.high) if e.has_interval else (e.value, "", "")


def _distance(row: Row) -> str:
    return _number(row.difference, "+") + "*" * row.differs


def _number(e: Estimate, sign: str = "") -> str:
    value = f"{e.value:{sign}.4g}"
    return with_minus(f"{value} [{e.low:{sign}.4g}, {e.high:{sign}.4g}]" if e.has_interval else value)


def _rank(e: Estimate | None) -> str:
    """The rank, and those that it has in 95 % of the resamples where these are several: '1' or '1 (1–3)'."""
    if e is None:
        return ""
    if not e.has_interval:
        return f"{e.value:.0f}"
    low, high = round(e.low), round(e.high)
    return f"{e.value:.0f}" if low == high else f"{e.value:.0f} ({low}–{high})"


def _latex_cell(c: Comparison, row: Row | None) -> str:
    if row is None:
        return ""
    value = f"{row.value.value:.4g}"
    shown = rf"\mathbf{{{value}}}" if _leads(c, row) else value
    interval = f" $[{row.value.low:.4g}, {row.value.high:.4g}]$" if row.value.has_interval else ""
    return f"${shown}${interval}"


def caption(c: Comparison) -> str:
    """What the numbers describe, and what was left out."""
    parts = [count_of(c.items, "item"), intervals_of(c.items)]
    if any(row.differs for row in c.rows):
        parts.append("* differs after Holm's correction for all tests of the table, at 5 %")
    if c.of > c.items:
        parts.append(f"left out: {count_of(c.of - c.items, 'item')} that some run lacks")
    parts += [
        f"left out of {metric}: {count_of(count, 'item')} without a number"
        for metric, count in c.left_out.items()
        if count
    ]
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
    heads = short_heads(c.metrics)
    parts += [f"{heads[metric]}: {_options_of(metric)}" for metric in c.metrics if heads[metric] != metric]
    return "; ".join(parts) + "."


def _options_of(metric: str) -> str:
    """'steps=8' of 'deletion(steps=8)'."""
    name, _, options = metric.partition("(")
    return options.removesuffix(")") or name


def warnings(c: Comparison) -> list[str]:
    """What a reader of the numbers has to know first: runs that are unfinished."""
    return [
        f"{name} is unfinished: {part_of(there, of, 'file', 'has', 'have')} been evaluated. Run its wavelens "
        "evaluate again."
        for name, (there, of) in c.unfinished.items()
    ]


def intervals_of(items: int) -> str:
    """What intervals so many items have, and why those of few items are not to be relied on."""
    if items < FEWEST:
        return f"too few for intervals, which take at least {FEWEST} and are too narrow as a rule below {FEW}"
    return f"{INTERVALS}, too narrow as a rule below {FEW} items" if items < FEW else INTERVALS


def files(c: Comparison) -> dict[str, str]:
    """The files of a comparison by their names."""
    return {"comparison.md": markdown(c), "comparison.tex": latex(c), "comparison.csv": comma_separated(c)}
