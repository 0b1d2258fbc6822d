"""A tiled scene explained: the panel of its stitched maps, and below it what supports and what opposes the target."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from wavelens.accounts import aligned
from wavelens.core import Coefficients
from wavelens.grid import Grid
from wavelens.plots.evidence import add_evidence
from wavelens.plots.figure import Figure, extended
from wavelens.plots.panel import panel
from wavelens.plots.parts import GAP, INK, MARGIN, NEGATIVE, POSITIVE, TITLE, Frame, add_axes, fitting, literal

SIDE, BAND, WIDTH = 3.1, 0.28, 5.0  # inches: of the picture, of a band's bar, of the bars
MAX_BANDS = 24  # with the largest sums, that are drawn


def tiled(
    a: Coefficients,
    x: Tensor,
    *,
    title: str = "",
    look: str = "scene",
    grid: Grid | None = None,
    bands: Mapping[str, float] | None = None,
) -> Figure:
    """The explanation of a scene tile by tile: stitched maps over the picture `x` `(1, 3, rows, columns)` in [0, 1].

    `a` is what `TiledExplanation.attribution` gives, `look` says what the picture shows, and `bands` has the signed sum
    of each band. Where there are more than 24 bands, those with the largest sums are drawn.

    >>> a = wl.DWT("haar", levels=2).analysis(torch.rand(1, 3, 16, 16))
    >>> figure = wl.plots.tiled(a, torch.rand(1, 3, 16, 16), bands={"B04": -0.2, "B08": 0.5})
    >>> [text.get_text() for text in figure.axes[-1].get_yticklabels()]
    ['B04', 'B08']
    """
    figure = panel(a, x, title=title, grid=grid)
    figure.axes[0].set_title(look, loc="left", size=fitting(look, SIDE))
    add_evidence(figure, a, x, grid=grid)
    if bands:
        _add_bands(figure, bands)
    return figure


def _add_bands(figure: Figure, bands: Mapping[str, float]) -> None:
    largest = sorted(bands, key=lambda name: -abs(bands[name]))[:MAX_BANDS]
    shown = {name: value for name, value in bands.items() if name in largest}
    height = BAND * len(shown)
    _, before = figure.get_size_inches()
    extended(figure, height + 2 * TITLE + GAP)
    ax = add_axes(figure, Frame(MARGIN + 1.4, float(before) + TITLE, WIDTH, height), "signed sum of each band")
    values, places = np.array(list(shown.values())), np.arange(len(shown))
    ax.barh(places, values, 0.7, color=[POSITIVE if value >= 0 else NEGATIVE for value in values])
    for place, value, text in zip(places, values, aligned(values.tolist()), strict=True):
        side = 1 if value >= 0 else -1
        align = "left" if side > 0 else "right"
        ax.annotate(text, (value, place), (5 * side, 0), textcoords="offset points", size=10, va="center", ha=align)
    room = 0.2 * (np.ptp(np.append(values, 0)) or 1.0)
    ax.set_xlim(min(values.min(), 0) - room, max(values.max(), 0) + room)
    ax.set_ylim(len(shown) - 0.5, -0.5)
    ax.set_yticks(places, [literal(name) for name in shown], size=11)
    ax.tick_params(axis="y", length=0)
    ax.axvline(0, color=INK, linewidth=0.9)
    ax.spines[:].set_visible(False)
