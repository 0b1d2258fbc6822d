"""Two accounts under a figure: what each scale contributes along the path, and what it adds when scales come and go."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as AnyFigure

from wavelens import accounts
from wavelens.core import Coefficients
from wavelens.grid import Grid
from wavelens.methods.shapley import ShapleyValues
from wavelens.plots.figure import extended
from wavelens.plots.parts import (
    CHARACTER,
    DPI,
    GAP,
    INK,
    MARGIN,
    NEGATIVE,
    POSITIVE,
    SHARE,
    TITLE,
    WIDTH,
    Array,
    Frame,
    add_axes,
    array,
    fitting,
)

BARS, MATRIX, SPACE = 4.6, 4.2, 0.75  # inches of width, and between them
ROW, MIN_HEIGHT = 0.42, 2.6  # inches of height of a scale, and of all
PALE = 0.4  # opacity of the account that the other stands beside
CHARACTERS_PER_INCH = 11.5  # of a text of 12 points
LINE = 0.21  # inches of a line of it
SIGNS = LinearSegmentedColormap.from_list("signs", [NEGATIVE, "#ffffff", POSITIVE])


def add_accounts(
    figure: AnyFigure, a: Coefficients, shapley: ShapleyValues | None, *, grid: Grid | None = None, reason: str = ""
) -> AnyFigure:
    """Extend a figure of one explained item by its Shapley values beside its signed sums, their pairs, and sentences.

    `a` is the item's attribution `(1, channel, size)`, `shapley` what `wl.shapley` gives for it, by scale or by octave.
    Where that is None, a `reason` is written in its place, if there is one. The same figure is returned.
    """
    a = accounts.grouped_alike(a, shapley)
    titles = (grid or Grid.plain(len(a.layout.signal_shape))).titles(a.layout)
    told = accounts.sentences(a, shapley, titles)
    texts = [text for text in told._replace(sampled=told.sampled or reason) if text]
    if shapley is None:
        return _with_reason(figure, reason) if reason else figure
    shapley = accounts.without_rounding(shapley)
    beside = BARS + SPACE + (0 if shapley.interaction is None else MATRIX + SPACE)
    lines = _wrapped(texts, WIDTH - 2 * MARGIN - beside - 0.9)
    height = max(ROW * len(shapley.names), MIN_HEIGHT, LINE * len(lines))
    width, before = figure.get_size_inches()
    extended(figure, TITLE + height + 2 * GAP)
    top = before + TITLE
    left = MARGIN + 0.9
    _draw_bars(add_axes(figure, Frame(left, top, BARS, height), ""), a, shapley)
    left += BARS + SPACE
    side = min(MATRIX, height)
    if shapley.interaction is not None:
        _draw_pairs(add_axes(figure, Frame(left, top, side, side), "how scales depend on each other"), shapley)
        left += side + SPACE - 0.3
    figure.text(
        left / width, 1 - top / (before + TITLE + height + 2 * GAP), "\n".join(lines), size=12, va="top", color=INK
    )
    return figure


def _with_reason(figure: AnyFigure, reason: str) -> AnyFigure:
    width, before = figure.get_size_inches()
    extended(figure, TITLE)
    figure.text(MARGIN / width, 0.2 / (before + TITLE), reason, size=12, color=SHARE)
    return figure


def _wrapped(texts: Sequence[str], inches: float) -> list[str]:
    """Lines of the texts, with an empty one between two texts."""
    columns = int(inches * CHARACTERS_PER_INCH)
    return [line for k, text in enumerate(texts) for line in [*[""] * bool(k), *textwrap.wrap(text, columns)]]


def _draw_bars(ax: Axes, a: Coefficients, shapley: ShapleyValues) -> None:
    """Two bars per scale, the coarsest on top: the signed sum, pale, and below it the Shapley value."""
    values = array(shapley.values[0])
    both = accounts.adds_up(a)
    sums = accounts.beyond(accounts.signed_sums(a), accounts.rounding_of(a)).values() if both else ()
    rows = [np.array(list(sums)), values] if both else [values]
    spread = np.zeros_like(values) if shapley.standard_error is None else array(shapley.standard_error[0])
    texts = accounts.aligned([value for row in rows for value in row.tolist()])
    places, height = np.arange(len(values), dtype=float), 0.8 / len(rows)
    for k, row in enumerate(rows):
        last = k + 1 == len(rows)
        at = places + (k - (len(rows) - 1) / 2) * height
        colours = [POSITIVE if value >= 0 else NEGATIVE for value in row]
        ax.barh(at, row, height * 0.92, color=colours, alpha=1.0 if last else PALE)
        whiskers = spread if last else np.zeros_like(values)
        if whiskers.any():
            ax.errorbar(row, at, xerr=whiskers, fmt="none", ecolor=INK, capsize=2)
        for place, value, more, text in zip(at, row, whiskers, texts[k * len(row) : (k + 1) * len(row)], strict=True):
            side = 1 if value >= 0 else -1
            end = value + side * more, place
            ax.annotate(text, end, (5 * side, 0), textcoords="offset points", size=10, va="center",
                        ha="left" if side > 0 else "right", color=INK if last else SHARE)  # fmt: skip
    low = min(0.0, (values - spread).min(), *(row.min() for row in rows))
    high = max(0.0, (values + spread).max(), *(row.max() for row in rows))
    room = 0.2 * ((high - low) or 1.0)
    ax.set_xlim(low - 1.2 * room * (low < 0), high + room)
    ax.set_ylim(len(values) - 0.5, -0.5)
    ax.set_yticks(places, shapley.names, size=12)
    ax.tick_params(axis="y", length=0)
    ax.axvline(0, color=INK, linewidth=0.9)
    ax.spines[:].set_visible(False)
    title = "signed sum (pale) and Shapley value" if both else "Shapley value"
    ax.set_title(title, size=15, loc="left", color=INK)


def _draw_pairs(ax: Axes, shapley: ShapleyValues) -> None:
    """The interaction of each pair, orange where two scales are synergistic, blue where one can replace the other."""
    assert shapley.interaction is not None
    table: Array = array(shapley.interaction[0])
    values, n = shapley.values[0].tolist(), len(table)
    top = max(float(np.abs(table).max()), *map(abs, values)) or 1.0
    shown = np.where(np.eye(n, dtype=bool), np.nan, table)
    ax.imshow(shown, cmap=SIGNS, vmin=-1.4 * top, vmax=1.4 * top)
    texts = accounts.aligned(table.flatten().tolist(), values)
    size = min(11.0, fitting("0" * max(map(len, texts)), ax.bbox.width / DPI / n - 0.06))
    for k, text in enumerate(texts):
        i, j = divmod(k, n)
        if i != j:
            ax.text(j, i, text, size=size, va="center", ha="center", color=INK)
    longest = max(map(len, shapley.names)) * 11 * CHARACTER
    slanted: dict[str, Any] = {"rotation": 25, "ha": "right"} if longest > ax.bbox.width / DPI / n else {}
    ax.set_xticks(range(n), shapley.names, size=11, **slanted)
    ax.set_yticks(range(n), shapley.names, size=11)
    ax.tick_params(length=0)
