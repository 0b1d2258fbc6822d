"""A text explained: its words in the colours of what they add, and the scale profile."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_hex

from wavelens.core import Coefficients
from wavelens.counts import count_of
from wavelens.plots.bars import draw_profile
from wavelens.plots.figure import Figure
from wavelens.plots.parts import (
    DPI,
    HEADER,
    INK,
    MARGIN,
    SHARE,
    TITLE,
    WIDTH,
    Frame,
    literal,
    origin_of,
    title_of,
    write_header,
)
from wavelens.plots.tints import tinted
from wavelens.words import WordAccount

COLUMNS, SIZE = 84, 12.5  # characters in a line, and points of a character
ADVANCE, LINE = 0.602 * SIZE / 72, 0.3  # inches of a character of the typewriter's font, and of a line
MAX_LINES = 60  # that are drawn: a longer text ends there
PROFILE, ROW = 4.7, 0.5  # inches of width, and of height of a scale


def words(a: Coefficients, account: WordAccount, *, title: str = "") -> Figure:
    """The explanation of one text: each word in the colour of what it adds, orange for the target and blue against it.

    `a` is the attribution `(1, channel, size)`, whose scale profile stands beside the words of the `account`. For
    longer texts, only the first 60 lines are drawn.

    >>> from wavelens.models.pairs import Word
    >>> from wavelens.words import WordAccount
    >>> x = torch.tensor([[[1.0, 2.0, 4.0]]])
    >>> a = wl.attribute(lambda x: x.sum((1, 2)), x, None, domain=wl.Identity(), method=wl.IntegratedGradients())
    >>> account = WordAccount((Word("not", 0, 1), Word("unkind", 1, 3)), ("", " "), "", a)
    >>> [text.get_text() for text in wl.plots.words(a, account).texts][-2:]
    ['not', 'unkind']
    """
    lines, left_out = _lines(account)
    rows = ROW * len(a.layout.scales()) + 0.4
    height = max(LINE * len(lines), rows, 1.2)
    figure = Figure((WIDTH, HEADER + TITLE + height + 0.8), facecolor="white", dpi=DPI)
    write_header(figure, title or title_of(a), origin_of(a))
    if left_out:
        note = f"the first {MAX_LINES} lines; the report has {count_of(left_out, 'more word')}"
        figure.text(MARGIN / WIDTH, 0.25 / figure.get_size_inches()[1], note, size=11, color=SHARE)
    values = np.array(account.values)
    colours = tinted(values, float(np.abs(values).max()) or 1.0)
    for row, line in enumerate(lines):
        for column, number in line:
            text = literal(account.words[number].text)
            _write(figure, HEADER + TITLE + LINE * row, column, text, to_hex(colours[number]))
    draw_profile(figure, Frame(WIDTH - MARGIN - PROFILE, HEADER + TITLE, PROFILE, rows), a, 0)
    return figure


def _lines(account: WordAccount) -> tuple[list[list[tuple[int, int]]], int]:
    """Lines of words, each its column and its number; and how many words are on none."""
    lines: list[list[tuple[int, int]]] = [[]]
    column = 0
    for number, (word, gap) in enumerate(zip(account.words, account.before, strict=True)):
        needed = column + bool(gap and column) + len(word.text)
        if column and (needed > COLUMNS or "\n" in gap):
            lines += [[]] * (gap.count("\n") > 1) + [[]]
            column = 0
        if len(lines) > MAX_LINES:
            return lines[:MAX_LINES], len(account.words) - number
        column += bool(gap and column)
        lines[-1].append((column, number))
        column += len(word.text)
    return lines, 0


def _write(figure: Figure, top: float, column: int, text: str, colour: str) -> None:
    width, height = figure.get_size_inches()
    box = {"facecolor": colour, "edgecolor": "none", "boxstyle": "square,pad=0.16"}
    x, y = (MARGIN + 0.05 + ADVANCE * column) / width, 1 - (top + LINE / 2) / height
    figure.text(x, y, text, size=SIZE, family="monospace", va="center_baseline", color=INK, bbox=box)
