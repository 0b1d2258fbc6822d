"""Texts of any origin in the cells of a table: names of files, runs, models and metrics are shown and never obeyed."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence

from wavelens.untrusted import one_line

FORMULA = ("=", "+", "-", "−", "@")  # what a spreadsheet computes where a cell begins with it, in any width or size
FILLERS = "\u115f\u1160\u3164"  # letters that are not seen
MARKDOWN = {c: f"\\{c}" for c in "\\`*[]|"} | {"&": "&amp;", "<": "&lt;", "~": "&#126;", "$": "&#36;"}
SEPARATORS = re.compile(r"([;\t])")
LINKS = re.compile(r":(?=//)|(?<=www)\.|@", re.IGNORECASE)  # what makes a bare address a link
EMPHASIS = re.compile(r"(?<![^\W_])_|_(?![^\W_])")  # an underscore that is not between letters or digits
LATEX = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
}


def comma_separated_lines(rows: Iterable[Sequence[str | float]]) -> str:
    """The rows as CSV: numbers at full precision, and texts that no spreadsheet takes for a formula.

    A text that begins like one, or with a tab, gets an apostrophe in front; its line ends become spaces. So
    does what follows a semicolon or a tab, which some readers take for separators. Bytes of a name that are no UTF-8
    are written in hexadecimal.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([_csv_text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return file.getvalue()


def _csv_text(text: str) -> str:
    line = " ".join(text.splitlines()).encode("utf-8", "backslashreplace").decode()
    parts = ["'" * _begins_formula(part) + part for part in SEPARATORS.split(line)]
    return "'" * line.startswith("\t") + "".join(parts)


def _begins_formula(text: str) -> bool:
    """Whether the first character that is seen begins a formula: marks, fillers and controls are not seen."""
    plain = unicodedata.normalize("NFKC", text)
    first = next((c for c in plain if unicodedata.category(c)[0] not in "CMZ" and c not in FILLERS), "")
    return first in FORMULA


def markdown_row(cells: Iterable[str]) -> str:
    """A row of a Markdown table, whose cells are Markdown already."""
    return f"| {' | '.join(cells)} |\n"


def markdown_text(text: str) -> str:
    """`text` in Markdown that shows it in one line, without HTML, links or emphasis of its own."""
    escaped = "".join(MARKDOWN.get(c, c) for c in one_line(text))
    escaped = LINKS.sub(lambda match: f"&#{ord(match[0])};", escaped)
    return EMPHASIS.sub(r"\\_", escaped)


def latex_text(text: str) -> str:
    """`text` for LaTeX, arrows included."""
    return "".join(LATEX.get(c, c) for c in one_line(text))
