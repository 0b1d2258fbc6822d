"""Scale by scale as HTML: the profile, and what happens when scales come and go."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from torch import Tensor

from wavelens import accounts, maps
from wavelens.methods.shapley import ShapleyValues
from wavelens.reports.entry import Entry
from wavelens.reports.markup import Html, tag
from wavelens.reports.numerals import percent, scalar, signed, unbroken
from wavelens.reports.tables import bar, headings, matrix_class

ALIKE = "|γ| counts what supports it and what opposes it alike; signed sums set one against the other."
ADDS = f"γ is what each coefficient adds to the score. {ALIKE}"
RESPONDS = f"γ is how the score responds to each coefficient. {ALIKE}"
ONE_ACCOUNT = "A Shapley value is what a scale adds, averaged over all orders in which the scales may come in."
TWO_ACCOUNTS = (
    f"The signed sums follow one path, on which all scales grow together. {ONE_ACCOUNT} Both add up to f(x) − f(x₀); "
    "only the second is about what happens when a scale is taken away."
)
ROUNDING = 1e-4  # of the rise: what sums of float32 may miss
PAIRS_TITLE = "How scales depend on each other"
PAIRS = (
    "Above zero, two scales are synergistic: each adds more where the other is. Below zero, they are redundant: "
    "one can replace the other. Alone is what a scale adds to the baseline, last what the input loses without it."
)


class Measure(NamedTuple):
    """A number of a row, its text, and its standard error as a text."""

    value: float
    text: str
    spread: str | None = None


class Column(NamedTuple):
    """Numbers of all rows under one title; `has_side` for those that support or oppose the target."""

    title: str
    numbers: list[Measure]
    has_side: bool


def profile(entry: Entry) -> Html:
    """A row per scale: what it spans, its signed sum, its Shapley value, its share of |γ|, and the account below."""
    a = entry.attribution
    return tag(
        "section",
        tag("h3", "Scale by scale"),
        _table(replace(entry, shapley=None) if entry.has_octaves else entry),
        tag("p", RESPONDS if getattr(a, "gap", None) is None else ADDS, class_="hint"),
        tag("p", striped, class_="hint") if (striped := maps.striped(a.layout)) else None,
        class_="card",
    )


def _table(entry: Entry, has_buttons: bool = True) -> Html:
    """A row per scale, and the account below; names are buttons that choose the scale in the pictures."""
    names, columns = tuple(entry.attribution.layout.scales()), _columns(entry)
    labels = entry.scale_labels
    signs = [abs(one.value) for column in columns if column.has_side for one in column.numbers]
    top = max((value for value in signs if not math.isnan(value)), default=0.0)
    ends = [top if column.has_side else max(one.value for one in column.numbers) for column in columns]
    rows = [
        tag(
            "tr",
            tag(
                "th",
                tag("button", name, type="button", data_scale=name) if has_buttons else tag("span", name),
                tag("small", labels[name]),
                scope="row",
            ),
            *(_cell(column.numbers[k], end, column.has_side) for column, end in zip(columns, ends, strict=True)),
            **({"data_row": name} if has_buttons else {}),
        )
        for k, name in enumerate(names)
    ]
    return tag(
        "table",
        tag("thead", headings("scale" if has_buttons else "octave", *(column.title for column in columns))),
        tag("tbody", *rows),
        tag("tfoot", *_totals(entry, len(columns))),
        class_="profile" if entry.shapley is None else "profile both",
    )


def interventions(entry: Entry) -> Html | None:
    """What happens when scales come and go: where the two accounts disagree, and how pairs of scales interact.

    None without Shapley values, and without a reason why there are none.
    """
    shapley, told = entry.shapley, told_by(entry)
    if shapley is None:
        return tag("section", tag("p", entry.no_shapley), class_="card accounts") if entry.no_shapley else None
    has_both = accounts.adds_up(entry.attribution)
    read = [told.compared or told.by_shapley, told.pairs]
    hints = [TWO_ACCOUNTS if has_both else ONE_ACCOUNT, told.sampled]
    return tag(
        "section",
        tag(
            "div",
            tag("h3", "What happens when scales come and go"),
            *(tag("p", text, class_="reading") for text in read if text),
            *(tag("p", text, class_="hint") for text in hints),
            _table(replace(entry, attribution=entry.grouped_alike), has_buttons=False) if entry.has_octaves else None,
        ),
        _pairs(shapley),
        class_="card accounts",
    )


def share_errors(a: Any) -> list[float] | None:
    """The standard error of each scale's share, where more than one sample tells it."""
    errors = getattr(a, "standard_error", None)
    return None if errors is None or not errors.isfinite().all() else [float(one) for one in errors[0]]


def _columns(entry: Entry) -> list[Column]:
    shares, errors, shapley = maps.profile(entry.attribution), share_errors(entry.attribution), entry.shapley
    sums = accounts.cleared(shares.signed[0], accounts.rounding_of(entry.attribution))
    parts = _measures(shares.share[0], errors, percent, 100)
    columns = [Column("signed sum", _measures(sums, None, signed), True)]
    if shapley is not None:
        shapley = accounts.without_rounding(shapley)
        spread = None if shapley.standard_error is None else shapley.standard_error[0].tolist()
        columns.append(Column("Shapley value", _measures(shapley.values[0], spread, signed), True))
    elif entry.sides is not None and entry.sides.by_scale is not None:
        columns.append(Column("Shapley value", _measures(entry.sides.by_scale.scale_values, None, signed), True))
    return [*columns, Column("share of |γ|", parts, False)]


def _measures(
    values: Tensor, errors: Sequence[float] | None, form: Callable[[float], str], unit: float = 1
) -> list[Measure]:
    """Numbers with their texts; standard errors in the unit of the text."""
    spreads = [None] * len(values) if errors is None else [f" ± {unit * error:.2g}" for error in errors]
    return [Measure(value, form(value), spread) for value, spread in zip(values.tolist(), spreads, strict=True)]


def _cell(one: Measure, end: float, has_side: bool) -> Html:
    side = ("for" if one.value >= 0 else "against") if has_side else ""
    return tag("td", bar(one.value, end, side), tag("span", one.text, one.spread), class_="measure")


def _totals(entry: Entry, columns: int) -> list[Html]:
    """What the columns add up to; for a path method also what they miss, and f(x) − f(x₀)."""
    a, shapley = entry.attribution, entry.shapley
    totals = [float(maps.profile(a).signed[0].sum()), *([] if shapley is None else [float(shapley.values[0].sum())])]
    rows = {}
    if entry.sides is not None:
        words, values = entry.sides.account.values, entry.sides.by_scale
        totals += [] if values is None else [float(values.scale_values.sum())]
        rows["words"] = [float(words.sum()), *([] if values is None else [float(values.word_values.sum())])]
        totals = [total + added for total, added in zip(totals, rows["words"], strict=True)]
    floor = accounts.rounding_of(a)
    rows["total"] = [_rounded(total, floor) for total in totals]
    score, start, gap = (scalar(getattr(a, name, None)) for name in ("score", "baseline_score", "gap"))
    if score is not None and start is not None and gap is not None:
        rise = score - start
        apart = [_rounded(rise - total, max(ROUNDING * abs(rise), floor)) for total in totals[1:]]
        rows["completeness gap"] = [_rounded(gap, floor), *apart]
        rows["f(x) − f(x₀)"] = [_rounded(rise, floor)] * len(totals)
    return [
        tag(
            "tr",
            tag("th", name, scope="row"),
            *(tag("td", signed(value), class_="number") for value in values),
            *(tag("td") for _ in range(columns - len(values))),
        )
        for name, values in rows.items()
    ]


def _rounded(rest: float, floor: float) -> float:
    """0 for what is rounding alone: Shapley values add up by construction."""
    return 0.0 if abs(rest) <= floor else rest


def told_by(entry: Entry) -> accounts.AccountSentences:
    """What is to be said of an entry by scale, or by octave where its Shapley values are of these."""
    a = entry.grouped_alike
    titles = {name: unbroken(title) for name, title in entry.place.titles(a.layout).items()}
    told = accounts.sentences(a, entry.shapley, titles)
    return accounts.AccountSentences(*(text.replace(" %", "\N{NO-BREAK SPACE}%") for text in told))


def _pairs(shapley: ShapleyValues) -> Html | None:
    """The interaction of each pair of scales; none where Shapley values are sampled."""
    if shapley.interaction is None:
        return None
    return tag("div", tag("h3", PAIRS_TITLE), _matrix(shapley), tag("p", PAIRS, class_="hint"), class_="matrix")


def _matrix(shapley: ShapleyValues) -> Html:
    """A cell per pair, coloured by its sign and its size; the values alone and last beside them."""
    shapley = accounts.without_rounding(shapley)
    assert shapley.interaction is not None
    table, names, n = shapley.interaction[0], shapley.names, len(shapley.names)
    values = shapley.values[0].tolist()
    top = max(float(table.abs().max()), *map(abs, values)) or 1.0
    texts = accounts.aligned(table.flatten().tolist(), values)
    ends = [accounts.aligned(column[0].tolist(), values) for column in (shapley.alone, shapley.last)]
    rows = [
        tag(
            "tr",
            tag("th", name, scope="row"),
            *(_pair(float(table[i, j]), texts[n * i + j], top) if i != j else tag("td") for j in range(n)),
            *(tag("td", column[i], class_="end") for column in ends),
        )
        for i, name in enumerate(names)
    ]
    head = tag("thead", headings("", *names, "alone", "last"))
    return tag("table", head, tag("tbody", *rows), class_=matrix_class(names))


def _pair(value: float, text: str, top: float) -> Html:
    side = "for" if value > 0 else "against"
    return tag("td", text, class_=f"pair {side}", style=f"--part:{100 * abs(value) / top:.0f}%")
