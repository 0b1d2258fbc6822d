"""Parts of tables: headings, bars."""

from __future__ import annotations

import math
from collections.abc import Sequence

from wavelens.reports.markup import Html, tag

MAX_LEVEL_NAMES, MAX_LEVEL_NAME = 6, 5  # columns whose names lie level, and characters of each


def headings(*names: str) -> Html:
    """The row of a table's head."""
    return tag("tr", *(tag("th", name, scope="col") for name in names))


def matrix_class(names: Sequence[str]) -> str:
    """Of a table with a column per name: long or many names stand upright, so that the last columns are on the page."""
    is_wide = len(names) > MAX_LEVEL_NAMES or max(map(len, names), default=0) > MAX_LEVEL_NAME
    return "pairs upright" if is_wide else "pairs"


def bar(value: float, largest: float, kind: str = "") -> Html:
    """A bar as long as the value is to the largest; `kind` is "for" or "against"."""
    width = 0.0 if math.isnan(value) else 100 * abs(value) / (largest or 1.0)
    return tag("i", class_=f"bar {kind}".strip(), style=f"--part:{width:.2f}%", aria_hidden="true")
