"""Texts: the words in the colours of what they add, by scale and by both accounts, and a table of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from wavelens.reports.markup import printable
from wavelens.reports.packing import Array, picture
from wavelens.reports.views.view import THUMB, ReportView, View, asset, scale_names
from wavelens.words import WordAccount

if TYPE_CHECKING:  # an entry knows its view
    from wavelens.reports.entry import Entry

TABLE_WORDS = 40  # of the table, the largest


def show_text(entry: Entry, room: int) -> View:
    """The words with a value for all scales together and for each, and their Shapley values."""
    account, names = entry.words, scale_names(entry)
    scales = [{"name": name, "label": ""} for name in names]
    if account is None:
        return View({"unit": "word", "words": [], "maps": {"scales": scales, "magnitude": [], "signed": []}}, "")
    shapley = account.shapley
    errors = None if shapley is None or shapley.standard_error is None else _short(shapley.standard_error[0].tolist())
    by_scale = list(account.by_scale(entry.attribution).values())
    values = [account.values, *by_scale] if len(names) > 1 else by_scale
    payload: dict[str, Any] = {
        "unit": "word",
        "words": [printable(word.text) for word in account.words],
        "before": [printable(text) for text in account.before],
        "after": printable(account.after),
        "values": [_short(one) for one in values],
        "signed": account.has_signs,
        "shapley": None if shapley is None else _short(shapley.values[0].tolist()),
        "errors": errors,
        "reason": account.reason,
        "sentence": printable(f"{account.sentence} {account.by_shapley}".strip()),
        "table": account.order[:TABLE_WORDS],
        "maps": {"scales": scales, "magnitude": [], "signed": []},
    }
    return View(payload, picture(_small(account), THUMB))


def _short(values: list[float]) -> list[float]:
    """Four digits, and numbers alone: JSON knows no infinity."""
    return [float(f"{value:.4g}") for value in values]


def _small(account: WordAccount) -> Array:
    """The words as tiles in rows, `(3, height, width)`."""
    from wavelens.plots.tints import tinted  # matplotlib: only once there is something to draw

    values = np.array(account.values)
    across = math.ceil(math.sqrt(len(values)))
    tiles = np.pad(values, (0, -len(values) % across)).reshape(-1, across)
    side = max(1, THUMB // max(tiles.shape))
    rows = np.repeat(np.repeat(tinted(tiles, float(np.abs(values).max()) or 1.0), side, 0), side, 1)
    return np.moveaxis(rows, -1, 0)


TEXT_VIEW = ReportView("text", 1, show_text, asset("text.js"))
"""How a report shows texts."""
