"""A text under a figure: its words coloured by what each adds, where they are answered, which scale they count with."""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib.figure import Figure as AnyFigure
from torch import Tensor

from wavelens import accounts, maps
from wavelens.grid import Grid
from wavelens.pairs import BothSides, WordsByScale
from wavelens.pairs.maps import heats_of
from wavelens.pairs.telling import sentences
from wavelens.plots.accounts import CHARACTERS_PER_INCH, LINE, SIGNS
from wavelens.plots.evidence import in_unit_range, plane_of, signed_glow
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
    Frame,
    add_axes,
    array,
    draw_picture,
    fitting,
    literal,
    scale_end,
)

WORD, NUMBER, WORD_ROW, SPACE = 17, 11, 0.72, 0.16  # points of a word and of its number; inches of a line and between
SIDE, MAX_MAPS = 2.35, 6  # inches of a map, and how many stand in a row
CELL, NAMES, TEXTS = 0.42, 1.5, 4.6  # inches: the height of a row of scales, the room of their names and of sentences
STRONGEST = 0.75  # opacity behind the word that adds most
HEADING = "where words are answered: orange where word and place fit, striped blue where they do not"


def add_sides(figure: AnyFigure, both: BothSides, x: Tensor, *, grid: Grid | None = None) -> AnyFigure:
    """Extend a figure of one explained signal `(1, channel, *axes)` by the words of its text.

    Words are coloured by what each adds, orange for and blue against; below them stand maps of the words that share
    most with a picture, and a table of scales and words. The same figure is returned.
    """
    _write_text(figure, both)
    if both.maps is not None and len(x.shape) == 4 and maps.has_places(both.maps.layout):
        _draw_maps(figure, both, x, grid or Grid.plain(2))
    _draw_table(figure, both)
    return figure


def _room(figure: AnyFigure, inches: float) -> float:
    """Room under the figure; how far below its top it begins."""
    _, before = figure.get_size_inches()
    extended(figure, inches)
    return float(before)


def _write_text(figure: AnyFigure, both: BothSides) -> None:
    account = both.account
    texts, values = accounts.aligned(account.values.tolist()), account.values.tolist()
    top = max(map(abs, values), default=0.0) or 1.0
    places, lines = _places([literal(word) for word in account.words], texts)
    start = _room(figure, TITLE + lines * WORD_ROW + GAP)
    width, height = figure.get_size_inches()
    figure.text(MARGIN / width, 1 - (start + 0.25) / height, "what each word adds", size=15, va="center", color=INK)
    for word, value, text, (left, line) in zip(account.words, values, texts, places, strict=True):
        at = left / width, 1 - (start + TITLE + line * WORD_ROW + 0.28) / height
        colour = POSITIVE if value >= 0 else NEGATIVE
        box = {"facecolor": colour, "alpha": STRONGEST * abs(value) / top, "edgecolor": "none", "pad": 3}
        figure.text(*at, literal(word), size=WORD, va="center", color=INK, bbox=box)
        figure.text(at[0], at[1] - 0.31 / height, text, size=NUMBER, va="center", color=SHARE)


def _places(words: list[str], numbers: list[str]) -> tuple[list[tuple[float, int]], int]:
    """Where each word begins, in inches from the left, and on which line; how many lines there are."""
    left, line, places = MARGIN, 0, []
    for word, number in zip(words, numbers, strict=True):
        wide = max(len(word) * WORD, len(number) * NUMBER) * CHARACTER + SPACE
        if left + wide > WIDTH - MARGIN and left > MARGIN:
            left, line = MARGIN, line + 1
        places.append((left, line))
        left += wide
    return places, line + 1


def _draw_maps(figure: AnyFigure, both: BothSides, x: Tensor, grid: Grid) -> None:
    """The picture, maps of all words and of those that share most with it, in their order, under one colour scale."""
    assert both.maps is not None
    heats = array(heats_of(both.maps))
    sums = np.abs(both.maps.data.flatten(1).sum(1).cpu().numpy())
    chosen = sorted(np.argsort(-sums, kind="stable")[: MAX_MAPS - 2].tolist())
    shown = [("the input", None), ("all words", heats[0]), *((both.words[k], heats[k + 1]) for k in chosen)]
    take, aspect = plane_of(both.signal, grid)
    rows, columns = x.shape[-2:]
    height = SIDE * min(max(aspect * rows / columns, 0.4), 2.0)
    start = _room(figure, 2 * TITLE + height + GAP)
    width, whole = figure.get_size_inches()
    figure.text(MARGIN / width, 1 - (start + 0.25) / whole, HEADING, size=15, va="center", color=INK)
    behind, end = in_unit_range(array(x[0])), scale_end(np.abs(heats))
    for k, (word, heat) in enumerate(shown):
        title = literal(word)
        box = Frame(MARGIN + k * (SIDE + GAP), start + 2 * TITLE, SIDE, height)
        ax = add_axes(figure, box, title, fitting(title, SIDE))
        if heat is None:
            draw_picture(ax, take(behind))
        else:
            ax.imshow(signed_glow(take(behind), take(heat), end))
        ax.set_aspect(aspect, anchor="NW")


def _draw_table(figure: AnyFigure, both: BothSides) -> None:
    """Scales by words with their Shapley values at the ends, and what the account says."""
    columns = int((TEXTS if both.by_scale is not None else WIDTH - 2 * MARGIN) * CHARACTERS_PER_INCH)
    lines = [line for text in sentences(both) for line in [*textwrap.wrap(literal(text), columns), ""]]
    rows = 0 if both.by_scale is None else len(both.by_scale.scales) + 1
    start = _room(figure, 2 * TITLE + max(CELL * rows, LINE * len(lines)) + 2 * GAP)
    if both.by_scale is not None:
        _draw_cells(figure, both.by_scale, start + 2 * TITLE)
    width, height = figure.get_size_inches()
    left = WIDTH - MARGIN - TEXTS if both.by_scale is not None else MARGIN
    figure.text(left / width, 1 - (start + TITLE) / height, "\n".join(lines), size=12, va="top", color=INK)


def _draw_cells(figure: AnyFigure, by_scale: WordsByScale, top: float) -> None:
    """Orange where a word and a scale count together, blue where one stands in for the other."""
    table, words = array(by_scale.interaction), by_scale.word_values.tolist()
    scales, (count, across) = by_scale.scale_values.tolist(), by_scale.interaction.shape
    shown = np.full((count + 1, across + 1), np.nan)
    shown[:count, :across] = table
    end = max(float(np.abs(table).max()), *map(abs, words)) or 1.0
    width = WIDTH - 2 * MARGIN - NAMES - TEXTS - 2 * GAP
    ax = add_axes(figure, Frame(MARGIN + NAMES, top, width, CELL * (count + 1)), "")
    ax.imshow(shown, cmap=SIGNS, vmin=-1.4 * end, vmax=1.4 * end, aspect="auto")
    cells = accounts.aligned(table.flatten().tolist(), words)
    by_word, by_name = accounts.aligned(words, words), accounts.aligned(scales, scales)
    size = min(11.0, fitting("0" * max(map(len, [*cells, *by_word])), ax.bbox.width / DPI / (across + 1) - 0.04))
    texts = {(k // across, k % across): text for k, text in enumerate(cells)}
    texts |= {(count, j): text for j, text in enumerate(by_word)} | {(i, across): t for i, t in enumerate(by_name)}
    for (i, j), text in texts.items():
        bold = "bold" if count == i or j == across else "normal"
        ax.text(j, i, text, size=size, va="center", ha="center", color=INK, weight=bold)
    ax.set_yticks(range(count + 1), [*by_scale.scales, "Shapley value"], size=11)
    ax.set_xticks(range(across + 1), [*map(literal, by_scale.words), "Shapley value"], size=11, rotation=35, ha="left")
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
