"""What `wavelens explain` prints of an explanation: sentences and tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from wavelens.accounts import aligned, beyond, grouped_alike, rounding_of, without_rounding
from wavelens.attribution import Attribution
from wavelens.cli.terminal import plain, table
from wavelens.counts import with_minus
from wavelens.explaining import Explanation
from wavelens.explaining.by_domain import marginal_rows
from wavelens.explaining.summary import box_text, profile_rows, start_of
from wavelens.grid import NAMES, Grid
from wavelens.marginal import short_names
from wavelens.methods.shapley import ShapleyValues
from wavelens.pairs import BothSides, PairAccount
from wavelens.pairs.telling import sentences
from wavelens.wording import in_words
from wavelens.words import WordAccount

TABLE_WORDS = 12  # of the table, the largest
MAX_SCALE_COLUMNS = 9  # and the names of channels: about 80 characters
MAX_SCALES_BESIDE = 6  # of interactions in one table with what words add: about 80 characters
PAIRS_CAPTION = (
    "How scales depend on each other; alone is what a scale adds to the baseline, last what the input loses without it."
)
MAX_OBJECT_ROWS = 20
MAX_DECIMALS = 12


def print_explanation(explanation: Explanation, console: Console, prefix: str) -> None:
    console.print(Text(f"{prefix}{plain(str(explanation.input.path))}", style="bold"), soft_wrap=True)
    if explanation.note:
        console.print(Text(plain(explanation.note)), soft_wrap=True)
    if len(explanation.attributions) == 1:  # of several domains each has its own
        _print_texts(console, *explanation.sentences()[:2])
    if explanation.answer:
        console.print(_class_table(explanation.answer))
    if explanation.detections:
        console.print(_object_table(explanation))
    _print_texts(console, _account(explanation))
    _print_scales(explanation, console)
    _print_sides(explanation, console)
    for scales, rows in _channel_tables(explanation):
        console.print(_channel_table(scales, rows))
    if explanation.words is not None:
        _print_texts(console, explanation.words.sentence, explanation.words.by_shapley)
        console.print(_word_table(explanation.words))
        _print_texts(console, explanation.words.reason)
    if missed := explanation.caution:
        advice = "Try --method 'IntegratedGradients(tolerance=0.02, max_steps=1000)'."
        console.print(Text(f"{missed} {advice}", style="yellow"), soft_wrap=True)


def _print_scales(explanation: Explanation, console: Console) -> None:
    """The profile in each domain with both accounts, and all domains together."""
    several, grid = explanation.attributions, explanation.input.grid
    for k, a in enumerate(several):
        told, shapley = explanation.sentences(k), explanation.shapley_in(k)
        if len(several) > 1:
            _print_texts(console, f"in {plain(in_words(a.domain))}", told.largest, told.by_shapley)
        console.print(_scale_table(a, grid, shapley, _sides_of(explanation.sides, k)))
        if (joined := grouped_alike(a, shapley)) is not a:
            _print_texts(console, "the same by octave")
            console.print(_scale_table(joined, grid, shapley, None))
        _print_texts(console, told.compared, told.advice, told.pairs)
        if shapley is not None and shapley.interaction is not None:
            _print_texts(console, PAIRS_CAPTION)
            console.print(_pair_table(shapley))
        _print_texts(console, told.sampled)
    for a in explanation.further_methods:
        _print_texts(console, f"beside it {plain(in_words(a.method))}, in {plain(in_words(a.domain))}")
        if len(a.layout.scales()) > 1:
            console.print(_scale_table(a, grid, None, None))
    if explanation.marginal is not None:
        console.print(Text(f"{len(several)} domains together, mean ± spread from one to another"), soft_wrap=True)
        console.print(_marginal_table(explanation))
    elif explanation.no_marginal:
        console.print(Text(f"no common account: {explanation.no_marginal}"), soft_wrap=True)


def _sides_of(sides: BothSides | None, domain: int) -> BothSides | None:
    """Both sides as the table of a domain has them: Shapley values are of the first alone."""
    return sides if sides is None or domain == 0 else replace(sides, by_scale=None)


def _print_texts(console: Console, *texts: str) -> None:
    for text in texts:
        if text:
            console.print(Text(text), soft_wrap=True)


def _account(explanation: Explanation) -> str:
    """The target, its score, and what the scales below add up to: those of path methods to its rise or fall."""
    a, target = explanation.attribution, explanation.target
    assert a.score is not None
    start = start_of(explanation.request.method, explanation.request.kind)
    return f"{target.heading}, {target.number} {with_minus(f'{float(a.score):.3f}')}: {_adding_up(a, start)}"


def _adding_up(a: Attribution, start: str) -> str:
    if a.gap is None or a.score is None or a.baseline_score is None:
        return "these are the scales it is sensitive to"
    rise = float(a.score - a.baseline_score)
    if abs(rise) <= rounding_of(a):
        return f"the same as for {start}, so these scales add up to zero"
    return f"its {'rise over' if rise > 0 else 'fall below'} {start} comes from these scales"


def _class_table(classes: list[dict[str, Any]]) -> Table:
    shown = table("index", "class", "probability", "logit")
    for row in classes:
        chance = "—" if row["probability"] is None else f"{row['probability']:.1%}"
        shown.add_row(str(row["index"]), plain(row["label"]), chance, with_minus(f"{row['logit']:.3f}"))
    return shown


def _object_table(explanation: Explanation) -> Table:
    """What a detector finds, the most probable first; an arrow points at what is explained."""
    shown = table("", "object", "probability", "box in pixels: left, top to right, bottom")
    rows = explanation.detections
    for row in [one for k, one in enumerate(rows) if k < MAX_OBJECT_ROWS or one["explained"]]:
        arrow = "→" if row["explained"] else ""
        shown.add_row(arrow, plain(row["name"]), f"{row['probability']:.1%}", box_text(row["box"]))
    if len(rows) > MAX_OBJECT_ROWS:
        shown.caption = f"{MAX_OBJECT_ROWS} of {len(rows)} detections; the summary has all"
    return shown


def _scale_table(a: Attribution, grid: Grid, shapley: ShapleyValues | None, sides: BothSides | None) -> Table:
    """The profile: signed sums and Shapley values with what they add up to, and shares of the total magnitude.

    Extents have a column where a scale has one; those of a text have none.
    """
    rows, by_scale = profile_rows(a, grid, shapley), sides.by_scale if sides is not None else None
    has_values = "shapley" in rows[0] or by_scale is not None
    if by_scale is not None:
        rows = [{**row, "shapley": value} for row, value in zip(rows, by_scale.scale_values.tolist(), strict=True)]
    floor = rounding_of(a)
    signed = [{name: row[name] for name in ("signed", "shapley") if row.get(name) is not None} for row in rows]
    rows = [{**row, **beyond(own, floor)} for row, own in zip(rows, signed, strict=True)]
    digits = _decimals([value for own in signed for value in own.values()])
    extents = [row["extent"] for row in rows]
    blank = [""] * any(extents)
    columns = ["extent"] * len(blank) + ["signed sum", *["Shapley value"] * has_values, "share of |γ|"]
    shown = table("scale", *columns)
    shown.columns[1].justify = "left" if blank else "right"
    for row in rows:
        values = [_signed(row["shapley"], digits) + _plus_minus(row.get("shapley_error"), floor)] if has_values else []
        extent = [row["extent"]] * len(blank)
        shown.add_row(row["scale"], *extent, _signed(row["signed"], digits), *values, f"{row['share']:.1%}")
    words = 0.0 if sides is None else float(sides.account.values.sum())
    by_word = 0.0 if by_scale is None else float(by_scale.word_values.sum())
    if sides is not None:
        shown.add_row("words", *blank, _signed(words, digits), *[_signed(by_word, digits)] * has_values, "")
    shown.add_section()
    total = None if a.data.is_complex() else float(a.data.sum()) + words
    sums = [_signed(sum(row["shapley"] for row in rows) + by_word, digits)] if has_values else []
    shown.add_row("total", *blank, _signed(total, digits), *sums, f"{sum(row['share'] for row in rows):.1%}")
    if a.gap is not None:
        rise = _signed(float(a.data.sum() + a.gap) + words, digits)
        shown.add_row("f(x) − f(x₀)", *blank, rise, *[rise] * has_values, "")
    if grid.units == (NAMES[2],) * 2:
        shown.caption = f"px: pixels of the model's input, {' × '.join(map(str, a.layout.signal_shape))}"
    return shown


def _print_sides(explanation: Explanation, console: Console) -> None:
    """What each word adds, its Shapley value, and its interaction with each scale; and the text scale by scale."""
    if (sides := explanation.sides) is None:
        return
    against = f", then those of {plain(sides.account.against)!r} against it" if sides.account.against else ""
    _print_texts(console, f"the words of {plain(sides.account.text)!r}{against}")
    for shown in _side_tables(sides):
        console.print(shown)
    if len(sides.account.parts) > 1:
        console.print(_part_table(sides.account))
    _print_texts(console, *sentences(sides))


def _side_tables(sides: BothSides) -> list[Table]:
    """What each word adds by both accounts, and its interaction with each scale: in one table, or in two if wide."""
    by_scale = sides.by_scale
    columns = {"signed sum": list(map(_signed, sides.account.values.tolist()))}
    if by_scale is None:
        return [_word_rows(sides, columns)]
    adds = by_scale.word_values.tolist()
    columns["Shapley value"] = list(map(_signed, adds))
    cells, count = aligned(by_scale.interaction.T.flatten().tolist(), adds), len(by_scale.scales)
    pairs = {f"× {name}": cells[k::count] for k, name in enumerate(by_scale.scales)}
    if count <= MAX_SCALES_BESIDE:
        return [_word_rows(sides, columns | pairs)]
    narrow = _word_rows(sides, pairs)
    narrow.padding = (0, 0)
    return [_word_rows(sides, columns), narrow]


def _word_rows(sides: BothSides, columns: dict[str, list[str]]) -> Table:
    """A row per word; those of a text against it follow below a line."""
    shown = table("word", *columns)
    shown.columns[1].justify = "right"
    ends = list(accumulate(len(one.words) for one in sides.account.texts))
    for k, (word, *cells) in enumerate(zip(sides.words, *columns.values(), strict=True), 1):
        shown.add_row(plain(word), *cells)
        if k in ends[:-1]:
            shown.add_section()
    return shown


def _part_table(account: PairAccount) -> Table:
    """The scales of the text, of which two words or more make up one, and those of the text against it."""
    shown = table("scale of the text", "signed sum", *["against it"] * bool(account.against))
    shown.columns[1].justify = "right"
    for name, values in account.parts.items():
        shown.add_row(name, *map(_signed, values))
    return shown


def _pair_table(shapley: ShapleyValues) -> Table:
    """The interaction of each pair of scales; what each adds alone and last."""
    shapley = without_rounding(shapley)
    assert shapley.interaction is not None
    names = shapley.names
    shown = table("scale", names[0], *names[1:], "alone", "last")
    shown.columns[1].justify, shown.padding = "right", (0, 0)
    values = shapley.values[0].tolist()
    texts = aligned(shapley.interaction.flatten().tolist(), values)
    ends = [aligned(one[0].tolist(), values) for one in (shapley.alone, shapley.last)]
    for i, name in enumerate(names):
        pairs = [texts[len(names) * i + j] if i != j else "" for j in range(len(names))]
        shown.add_row(name, *pairs, *(column[i] for column in ends))
    return shown


def _marginal_table(explanation: Explanation) -> Table:
    """The scales that all domains tell apart: their shares and signed sums, and the share in each domain."""
    assert explanation.marginal is not None
    shown = table("scale", "extent", "signed sum", "share of |γ|", *short_names(explanation.domains))
    for row in marginal_rows(explanation.marginal, explanation.input.grid):
        total = _signed(row["signed"]) + ("" if row["signed"] is None else f" ± {row['signed_spread']:.4f}")
        share = f"{row['share']:.1%} ± {100 * row['share_spread']:.1f}"
        shown.add_row(row["scale"], row["extent"], total, share, *(f"{one:.1%}" for one in row["shares"]))
    return shown


def _channel_tables(explanation: Explanation) -> Iterator[tuple[list[str], list[dict[str, Any]]]]:
    """The scales and the rows of the table of channels, and of several signals of one for each."""
    rows = explanation.by_channel
    for signal in explanation.signals:
        own = [row for row in rows if row["signal"] == signal.name]
        yield own[0]["scales"], [{**row, "channel": f"{signal.name} {row['channel']}"} for row in own]
    if rows and not explanation.signals:
        yield [row["scale"] for row in explanation.profile], rows


def _channel_table(names_of_scales: list[str], rows: list[dict[str, Any]]) -> Table:
    """Signed sums by channel and scale; of complex gradients shares of |γ|."""
    scales = [*names_of_scales, "total"]
    every = [value for row in rows for value in row["signed"] if value is not None]
    columns = []
    for row in rows:
        values = row["signed"] if every else row["share"]
        each = [*values, sum(values)]
        columns.append(aligned(each, every) if every else [f"{part:.1%}" for part in each])
    names = [plain(row["channel"]) for row in rows]
    if len(scales) > MAX_SCALE_COLUMNS >= len(rows):  # a row for each scale, or the table is wider than a terminal
        shown = table("scale", *names)
        for scale, texts in zip(scales, zip(*columns, strict=True), strict=True):
            shown.add_row(scale, *texts)
        return shown
    shown = table("channel", *scales)
    for name, cells in zip(names, columns, strict=True):
        shown.add_row(name, *cells)
    return shown


def _word_table(account: WordAccount) -> Table:
    """The words with the largest sums, with their Shapley values where there are any."""
    values, shapley = account.values, account.shapley
    shown = table("word", "signed sum" if account.has_signs else "Σ|γ|", *["Shapley value"] * (shapley is not None))
    spread = None if shapley is None else shapley.standard_error
    for k in account.order[:TABLE_WORDS]:
        error = _plus_minus(None if spread is None else float(spread[0, k]))
        own = [] if shapley is None else [_signed(float(shapley.values[0, k])) + error]
        shown.add_row(plain(account.words[k].text), _signed(values[k]), *own)
    if rest := account.order[TABLE_WORDS:]:
        others = [] if shapley is None else [_signed(float(shapley.values[0, rest].sum()))]
        shown.add_row(f"{len(rest)} others", _signed(sum(values[k] for k in rest)), *others)
    shown.add_section()
    sums = [] if shapley is None else [_signed(float(shapley.values.sum()))]
    shown.add_row("total", _signed(sum(values)), *sums)
    return shown


def _decimals(values: Sequence[float]) -> int:
    """Four, or as many as show three digits of the largest value."""
    top = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    return max(4, min(2 - math.floor(math.log10(top)), MAX_DECIMALS)) if top else 4


def _signed(value: float | None, decimals: int = 4) -> str:
    return "—" if value is None else with_minus(f"{value:+.{decimals}f}")


def _plus_minus(error: float | None, floor: float = 0.0) -> str:
    """A standard error beside its value; nothing where there is none, or rounding alone."""
    return "" if error is None or error <= floor else f" ± {error:.2g}"
