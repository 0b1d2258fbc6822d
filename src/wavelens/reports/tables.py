"""Parts of tables: headings, bars."""

from __future__ import annotations

import math

from wavelens.reports.markup import Html, tag


def headings(*names: str) -> Html:
    """The row of a table's head."""
    return tag("tr", *(tag("th", name, scope="col") for name in names))


def bar(value: float, largest: float, kind: str = "") -> Html:
    """A bar as long as the value is to the largest; `kind` is "for" or "against"."""
    width = 0.0 if math.isnan(value) else 100 * abs(value) / (largest or 1.0)
    return tag("i", class_=f"bar {kind}".strip(), style=f"--part:{width:.2f}%", aria_hidden="true")
