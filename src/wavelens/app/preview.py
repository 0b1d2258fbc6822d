"""What a page shows of an upload before anything is explained."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from wavelens.reports.packing import picture

SIDE = 280  # pixels
COLUMNS, ROWS = 280, 80  # of a waveform


class Preview(NamedTuple):
    """The model's top classes for an upload, and the model's input as a picture, a data URI."""

    classes: list[dict[str, Any]]
    picture: str


def preview_picture(x: Tensor) -> str:
    """One input `(1, channel, *axes)` as a picture: the middle of the first axes, or a waveform; empty of no axes."""
    values = x[0].detach().float().cpu().numpy()
    if values.ndim < 2:
        return ""
    if values.ndim == 2:
        return picture(_wave(values)[None], SIDE)
    while values.ndim > 3:
        values = values[:, values.shape[1] // 2]
    shown = values if len(values) in (1, 3) else values.mean(0, keepdims=True)
    low, high = float(shown.min()), float(shown.max())
    if low < 0 or high > 1:
        shown = (shown - low) / ((high - low) or 1.0)
    return picture(shown, SIDE)


def _wave(values: Any) -> Any:
    """From the least to the greatest value of each column, dark on white: `(ROWS, COLUMNS)`."""
    starts = np.unique(np.linspace(0, values.shape[1], min(values.shape[1], COLUMNS), endpoint=False).astype(int))
    low, high = np.minimum.reduceat(values.min(0), starts), np.maximum.reduceat(values.max(0), starts)
    top = max(abs(float(low.min())), abs(float(high.max()))) or 1.0
    rows = np.linspace(top, -top, ROWS)[:, None]
    step = 2 * top / ROWS
    inside = (rows >= low[None] - step / 2) & (rows <= high[None] + step / 2)
    return 1.0 - 0.8 * inside
