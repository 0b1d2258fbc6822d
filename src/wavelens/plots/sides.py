"""A text under a figure: its words coloured by what each adds, where they are answered, which scale they count with."""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib.figure import Figure as AnyFigure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from torch import Tensor

from wavelens import accounts, maps
from wavelens.grid import Grid
from wavelens.pairs import BothSides, TextAccount, WordsByScale
from wavelens.pairs.maps import heats_of
from wavelens.pairs.telling import sentences
from wavelens.plots.accounts import CHARACTERS_PER_INCH, LINE, SIGNS
from wavelens.plots.evidence import in_unit_range, plane_of, signed_glow
from wavelens.plots.figure import extended
from wavelens.plots.parts import (
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
SIDE, MAX_MAPS = 2.31, 6  # inches of a map, and how many stand in a row
CELL, NAMES, TEXTS = 0.42, 1.5, 4.6  # inches: the height of a row of scales, the room of their names and of sentences
STRONGEST = 0.75  # opacity behind the word that adds most
COURSE, COURSES_BESIDE, BINS, TICKS = 0.9, 3, 300, 5  # inches of a course's height, how many in a row, bars, ticks
HEADING = "where words are answered: orange where word and place fit, striped blue where they do not"
COURSE_HEADING = "when words are answered: orange where word and sound fit, blue where they do not"


def add_sides(figure: AnyFigure, both: BothSides, x: Tensor, *, grid: Grid | None = None) -> AnyFigure:
    """Extend a figure of one explained signal `(1, channel, *axes)` by the words of its text.

    Words are coloured by what each adds, orange for and blue against; below them stand maps of the words that share
    most with a picture, or the courses in time of those that share most with a sound, and a table of scales and words.
    Words of a text against it follow. The same figure is returned.
    """
    _write_text(figure, both)
    axes = x.ndim - 2
    if both.maps is not None and axes <= 2 and maps.has_places(both.maps.layout):
        draw = _draw_maps if axes == 2 else _draw_courses
        draw(figure, both, x, grid or Grid.plain(axes))
    _draw_table(figure, both)
    return figure


def _room(figure: AnyFigure, inches: float) -> float:
    """Room under the figure; how far below its top it begins."""
    _, before = figure.get_size_inches()
    extended(figure, inches)
    return float(before)


def _write_text(figure: AnyFigure, both: BothSides) -> None:
    """The words, and on lines of their own those of a text against them."""
    headings = ("what each word adds", "what each word of the text against it adds to the difference")
    top, end = float(both.account.values.abs().max()) or 1.0, 0
    numbers = accounts.aligned(both.account.values.tolist())
    for heading, one in zip(headings, both.account.texts, strict=False):
        end += len(one.words)
        _write_words(figure, heading, one, numbers[end - len(one.words) : end], top)


def _write_words(figure: AnyFigure, heading: str, one: TextAccount, texts: list[str], top: float) -> None:
    """The words of a text with their numbers; the strongest colour is of `top`."""
    places, lines = _places([literal(word) for word in one.words], texts)
    start = _room(figure, TITLE + lines * WORD_ROW + GAP)
    width, height = figure.get_size_inches()
    figure.text(MARGIN / width, 1 - (start + 0.25) / height, heading, size=15, va="center", color=INK)
    for word, value, text, (left, line) in zip(one.words, one.values.tolist(), texts, places, strict=True):
        at = left / width, 1 - (start + TITLE + line * WORD_ROW + 0.28) / height
        colour = POSITIVE if value >= 0 else NEGATIVE
        box = {"facecolor": colour, "alpha": STRONGEST * abs(value) / top, "edgecolor": "none", "pad": 3}
        figure.text(*at, literal(word), size=WORD, va="center", color=INK, bbox=box)
        figure.text(at[0], at[1] - 0.31 / height, text, size=NUMBER, va="center", color=SHARE)


def _places(words: list[str], numbers: list[str]) -> tuple[list[tuple[float, int]], int]:
    """Where each word begins, in inches from the left, and on which line; how many lines there are."""
    left, line, places = MARGIN, 0, []
    for word, number in zip(words, numbers, strict=True):
        wide = max(_wide(word, WORD), _wide(number, NUMBER)) + SPACE
        if left + wide > WIDTH - MARGIN and left > MARGIN:
            left, line = MARGIN, line + 1
        places.append((left, line))
        left += wide
    return places, line + 1


def _wide(text: str, points: int) -> float:
    """Inches that a line of text takes."""
    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=points), ismath=False)
    return float(width) / 72


def _draw_maps(figure: AnyFigure, both: BothSides, x: Tensor, grid: Grid) -> None:
    """The picture, maps of all words and of those that share most with it, in their order, under one colour scale."""
    assert both.maps is not None
    heats = array(heats_of(both.maps))
    chosen = _strongest(both, MAX_MAPS - 2)
    shown = [("the input", None), ("all words", heats[0]), *((both.account.titles[k], heats[k + 1]) for k in chosen)]
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


def _strongest(both: BothSides, count: int) -> list[int]:
    """The words that share most with the signal, in their order."""
    assert both.maps is not None
    sums = np.abs(both.maps.data.flatten(1).sum(1).cpu().numpy())
    return sorted(np.argsort(-sums, kind="stable")[:count].tolist())


def _draw_courses(figure: AnyFigure, both: BothSides, x: Tensor, grid: Grid) -> None:
    """What all words, and those that share most with it, share with each part of a sound, under one scale."""
    assert both.maps is not None
    heats = array(heats_of(both.maps))
    length = heats.shape[1]
    starts = np.linspace(0, length, min(length, BINS) + 1).astype(int)[:-1]
    sums = np.add.reduceat(heats, starts, axis=1)
    shown = [("all words", 0), *((both.account.titles[k], k + 1) for k in _strongest(both, 2 * COURSES_BESIDE - 1))]
    rows = -(-len(shown) // COURSES_BESIDE)
    start = _room(figure, TITLE + rows * (COURSE + 2 * TITLE) + GAP)
    width, whole = figure.get_size_inches()
    figure.text(MARGIN / width, 1 - (start + 0.25) / whole, COURSE_HEADING, size=15, va="center", color=INK)
    across, top = (WIDTH - 2 * MARGIN - (COURSES_BESIDE - 1) * GAP) / COURSES_BESIDE, float(np.abs(sums).max()) or 1.0
    step, unit = grid.spacing[0], "s" if grid.units[0] == "Hz" else grid.units[0]
    for k, (word, row) in enumerate(shown):
        down, right = divmod(k, COURSES_BESIDE)
        left, above = MARGIN + right * (across + GAP), start + 2 * TITLE + down * (COURSE + 2 * TITLE)
        title = literal(word)
        ax = add_axes(figure, Frame(left, above, across, COURSE), title, fitting(title, across))
        colours = [POSITIVE if value >= 0 else NEGATIVE for value in sums[row]]
        ax.bar(starts * step, sums[row], np.diff([*starts, length]) * step, color=colours, align="edge")
        ax.set_xlim(0, length * step)
        ax.set_ylim(-1.05 * top, 1.05 * top)
        ax.set_yticks([])
        ax.axhline(0, color=INK, linewidth=0.6)
        ax.spines[["top", "left", "right"]].set_visible(False)
        ticks = np.linspace(0, length * step, TICKS)[:-1]  # the last would touch the next course
        ax.set_xticks(ticks, [f"{value:.3g} {unit}" for value in ticks], size=10)


def _draw_table(figure: AnyFigure, both: BothSides) -> None:
    """Scales by words with their Shapley values at the ends, and what the account says."""
    columns = int((TEXTS if both.by_scale is not None else WIDTH - 2 * MARGIN) * CHARACTERS_PER_INCH)
    lines = [line for text in sentences(both) for line in [*textwrap.wrap(literal(text), columns), ""]]
    rows = 0 if both.by_scale is None else len(both.by_scale.scales) + 1
    start = _room(figure, 2 * TITLE + max(CELL * rows, LINE * len(lines)) + 2 * GAP)
    if both.by_scale is not None:
        own = len(both.account.texts[0].words)
        _draw_cells(figure, both.by_scale, start + 2 * TITLE, None if len(both.words) == own else own)
    width, height = figure.get_size_inches()
    left = WIDTH - MARGIN - TEXTS if both.by_scale is not None else MARGIN
    figure.text(left / width, 1 - (start + TITLE) / height, "\n".join(lines), size=12, va="top", color=INK)


def _draw_cells(figure: AnyFigure, by_scale: WordsByScale, top: float, own: int | None) -> None:
    """Orange where a word and a scale count together, blue where one stands in for the other.

    Behind the text's `own` words a line parts those of a text against it.
    """
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
    if own is not None:
        ax.axvline(own - 0.5, color=INK, linewidth=0.9)
