"""Methods and explainers side by side under a figure: the map of each over the input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure as AnyFigure
from torch import Tensor

from wavelens import maps
from wavelens.core import Coefficients
from wavelens.grid import Grid
from wavelens.plots.cloud import draw_tiles, tiles_height
from wavelens.plots.evidence import in_unit_range, plane_of
from wavelens.plots.figure import extended
from wavelens.plots.parts import (
    GAP,
    INK,
    MARGIN,
    TITLE,
    WIDTH,
    Frame,
    add_axes,
    array,
    draw_glow,
    fill_wave,
    fitting,
    scale_end,
)
from wavelens.wording import in_words

STRIP, STRIP_WIDTH = 0.8, 10.3  # inches of a map over time
MAX_COLUMNS = 6
HEADING = "methods side by side, each on colours of its own"


def add_methods(
    figure: AnyFigure, several: Sequence[Coefficients], x: Tensor, *, grid: Grid | None = None
) -> AnyFigure:
    """Extend a figure of one explained item by the maps of several methods, `(1, channel, size)` each, in any domain.

    `x` is the signal `(1, channel, *axes)`. With three axes, the plane that holds most of the first method's |γ| is
    shown. Nothing is added for one method, or for signals with more axes. The same figure is returned.
    """
    axes, shown = several[0].layout.signal_shape, [one for one in several if maps.has_places(one.layout)]
    if len(several) < 2 or len(axes) > 3 or not shown:
        return figure
    grid = grid or Grid.plain(len(axes))
    draw = _clouds if grid.scattered else _strips if len(axes) == 1 else _pictures
    draw(figure, shown, x, grid)
    return figure


def _room(figure: AnyFigure, inches: float) -> float:
    """Room under the figure with a line over it; how far below the top of the figure it begins."""
    width, before = figure.get_size_inches()
    height = inches + TITLE
    extended(figure, height)
    figure.text(MARGIN / width, 1 - (before + 0.3) / (before + height), HEADING, size=15, va="center", color=INK)
    return float(before) + TITLE


def _pictures(figure: AnyFigure, several: Sequence[Coefficients], x: Tensor, grid: Grid) -> None:
    take, aspect = plane_of(several[0], grid)
    behind = in_unit_range(take(array(x[0])))
    rows, columns = behind.shape[-2:]
    side = min((WIDTH - 2 * MARGIN - GAP * (min(len(several), MAX_COLUMNS) - 1)) / min(len(several), MAX_COLUMNS), 3.1)
    height = side * min(max(aspect * rows / columns, 0.4), 2.0)
    lines = -(-len(several) // MAX_COLUMNS)
    top = _room(figure, lines * (height + TITLE) + GAP) + TITLE
    for k, one in enumerate(several):
        row, column = divmod(k, MAX_COLUMNS)
        box = Frame(MARGIN + column * (side + GAP), top + row * (height + TITLE), side, height)
        ax = add_axes(figure, box, _name(one), fitting(_name(one), side))
        whole = array(maps.spatial_map(one)[0])
        draw_glow(ax, behind, take(whole), PowerNorm(0.5, 0, scale_end(whole), clip=True))
        ax.set_aspect(aspect, anchor="NW")


def _clouds(figure: AnyFigure, several: Sequence[Coefficients], x: Tensor, grid: Grid) -> None:
    heats = [(_name(one), array(maps.spatial_map(one)[0])) for one in several]
    top = _room(figure, tiles_height(len(heats)) + GAP) + TITLE
    draw_tiles(figure, top, x, [(name, heat, scale_end(heat)) for name, heat in heats], grid)


def _strips(figure: AnyFigure, several: Sequence[Coefficients], x: Tensor, grid: Grid) -> None:
    """Under each other on one axis of time, |γ| as a filled curve."""
    top = _room(figure, len(several) * (STRIP + TITLE) + GAP) + TITLE
    for k, one in enumerate(several):
        ax = add_axes(figure, Frame(MARGIN + 1.0, top + k * (STRIP + TITLE), STRIP_WIDTH, STRIP), _name(one), 13)
        heat = array(maps.spatial_map(one)[0])
        fill_wave(ax, np.stack([heat, np.zeros_like(heat)]), INK)
        ax.set_ylim(0, scale_end(heat) * 1.1)


def _name(one: Coefficients) -> str:
    """The method without its options, and the domain of its own."""
    named = (getattr(one, "method", "") or "attribution", one.layout.domain)
    return " · ".join(in_words(value).partition(",")[0] for value in named)
