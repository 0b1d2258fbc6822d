"""What supports the target and what opposes it, as maps under a figure: signs are told by colour and by stripes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as AnyFigure
from torch import Tensor

from wavelens import accounts, maps
from wavelens.core import Coefficients
from wavelens.grid import Grid
from wavelens.plots.cloud import SIDE, draw_sides
from wavelens.plots.figure import extended
from wavelens.plots.parts import (
    GAP,
    INK,
    MARGIN,
    TITLE,
    WIDTH,
    Array,
    Frame,
    add_axes,
    all_fitting,
    array,
    common_scale,
    scale_end,
)
from wavelens.plots.scalogram import COLUMNS, FrequencyAxis, has_frequencies, tick_times

FOR, AGAINST = "#ff9540", "#4aa3ff"  # over dark pictures
MAX_SCALES = 8  # in a row, beside all of them together
PIXELS, STRIPES = 420, 24  # of a picture's longer side, at least, and how many stripes fit on it
PANE = 8.9, 2.2  # inches of a pane over time
HEADING = "for and against: orange supports the target, blue opposes it"
SIGNS = LinearSegmentedColormap.from_list("evidence", [AGAINST, "#000000", FOR])


def add_evidence(figure: AnyFigure, a: Coefficients, x: Tensor, *, grid: Grid | None = None) -> AnyFigure:
    """Extend a figure of one explained item by maps of its signed evidence, of all scales and of each.

    `a` is the item's attribution `(1, channel, size)`, `x` its signal `(1, channel, *axes)`. Signals with three axes
    are shown by the plane that holds most of |γ|, across the last axis of a volume and the first of a video, clouds (a
    scattered `grid`) from three sides. Nothing is added where signs mean nothing, as those of a gradient alone, or
    where coefficients have no places. The same figure is returned.
    """
    grid = grid or Grid.plain(len(a.layout.signal_shape))
    if not accounts.has_signs(a) or not maps.has_places(a.layout) or len(a.layout.signal_shape) > 3:
        return figure
    draw = _over_points if grid.scattered else _over_time if len(a.layout.signal_shape) == 1 else _over_pictures
    draw(figure, a, x, grid)
    return figure


def signed_glow(x: Array, heat: Array, end: float) -> Array:
    """Signed values over a darkened grey picture `(channel, *axes)`, striped where they are negative: `(*axes, 3)`.

    Small pictures are enlarged by a whole factor, so that stripes can be seen.
    """
    factor = -(-PIXELS // max(heat.shape))
    large = [np.repeat(np.repeat(values, factor, 0), factor, 1) for values in (x.mean(0).clip(0, 1), heat)]
    strength = np.sqrt((np.abs(large[1]) / end).clip(0, 1))
    width = max(2, max(large[1].shape) // STRIPES // 2)
    rows, columns = np.indices(large[1].shape)
    shown = strength * ((large[1] > 0) | ((rows + columns) // width % 2 == 0))
    colours = np.where((large[1] > 0)[..., None], _rgb(FOR), _rgb(AGAINST))
    picture: Array = 0.6 * large[0][..., None] * (1 - shown[..., None]) + colours * shown[..., None]
    return picture


def _rgb(colour: str) -> Array:
    return np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])


def _heading(figure: AnyFigure, inches: float, heading: str = HEADING) -> float:
    """Room for maps under the figure with a line over them; how far below the top of the figure they begin."""
    width, before = figure.get_size_inches()
    height = inches + 2 * TITLE + GAP
    extended(figure, height)
    figure.text(MARGIN / width, 1 - (before + 0.3) / (before + height), heading, size=15, va="center", color=INK)
    return float(before) + 2 * TITLE


def _over_pictures(figure: AnyFigure, a: Coefficients, x: Tensor, grid: Grid) -> None:
    heats = {"all scales": array(maps.spatial_map(a, signed=True)[0])}
    scales = {name: array(heat[0]) for name, heat in maps.scale_maps(a, signed=True).items()}
    heats |= scales if 1 < len(scales) <= MAX_SCALES else {}
    take, aspect = plane_of(a, grid)
    pictures = {name: take(heat) for name, heat in heats.items()}
    behind, end, titles = take(array(x[0])), common_scale(a), grid.titles(a.layout)
    rows, columns = pictures["all scales"].shape
    side = min((WIDTH - 2 * MARGIN - GAP * (len(heats) - 1)) / len(heats), 3.1)
    height = side * min(max(aspect * rows / columns, 0.4), 2.0)
    top, names = _heading(figure, height), [titles.get(name, name) for name in pictures]
    size = all_fitting(names, side)
    for k, (name, heat) in enumerate(zip(names, pictures.values(), strict=True)):
        ax = add_axes(figure, Frame(MARGIN + k * (side + GAP), top, side, height), name, size)
        ax.imshow(signed_glow(in_unit_range(behind), heat, end))
        ax.set_aspect(aspect, anchor="NW")


def plane_of(a: Coefficients, grid: Grid) -> tuple[Callable[[Array], Array], float]:
    """What takes the shown plane of an array `(…, *axes)`, and how much higher than wide its samples are."""
    if len(a.layout.signal_shape) == 2:
        return (lambda values: values), 1.0
    axis = 0 if grid.units[0] == "s" else 2
    heat = array(maps.spatial_map(a)[0])
    place = int(heat.sum(tuple({0, 1, 2} - {axis})).argmax())
    if axis == 0:
        return (lambda values: values.take(place, axis - 3)), 1.0
    up, right = grid.spacing[1], grid.spacing[0]
    return (lambda values: values.take(place, axis - 3).swapaxes(-1, -2)[..., ::-1, :]), up / right


def in_unit_range(x: Array) -> Array:
    """Values as they are where they lie in [0, 1], else stretched to it."""
    low, high = float(x.min()), float(x.max())
    shown: Array = x if low >= 0 and high <= 1 else (x - low) / (high - low or 1.0)
    return shown


def _over_points(figure: AnyFigure, a: Coefficients, x: Tensor, grid: Grid) -> None:
    top = _heading(figure, SIDE, "for and against: orange disks support the target, blue crosses oppose it")
    draw_sides(figure, top, x, array(maps.spatial_map(a, signed=True)[0]), common_scale(a), grid, (FOR, AGAINST))


def _beneath(figure: AnyFigure) -> tuple[float, float]:
    """Left end and width in inches of the first axes, whose time axis a pane goes on, or of a pane alone."""
    left, _, across, _ = figure.axes[0].get_position(original=True).bounds if figure.axes else (0.0, 0.0, 0.0, 0.0)
    left, width = left * figure.get_size_inches()[0], across * figure.get_size_inches()[0]
    return (left, width) if left >= MARGIN + 1.0 and width >= PANE[0] / 2 else (MARGIN + 1.0, PANE[0])


def _over_time(figure: AnyFigure, a: Coefficients, x: Tensor, grid: Grid) -> None:
    cells, edges = maps.time_frequency(a, COLUMNS, signed=True).cells()
    shown, step, in_hertz = array(cells[0]), grid.spacing[0], grid.units == ("Hz",)
    end = scale_end(np.abs(shown))  # signs cancel within a cell, so magnitudes' own scale would leave it dark
    left, width = _beneath(figure)
    top = _heading(figure, PANE[1], f"{HEADING}; full colour from ±{end:.2g} per sample")
    ax = add_axes(figure, Frame(left, top, width, PANE[1]), "")
    strength = np.sign(shown) * np.sqrt((np.abs(shown) / end).clip(0, 1))
    axis = FrequencyAxis(edges, 1 / step) if has_frequencies(a.layout) else None
    heights = np.arange(len(edges), 0, -1) if axis is None else axis.edges  # without frequencies the coarsest on top
    times = np.linspace(0, x.shape[-1] * step, shown.shape[1] + 1)
    ax.pcolormesh(times, heights, strength, cmap=SIGNS, vmin=-1, vmax=1, rasterized=True)
    if axis is None and len(heights) == len(a.layout.scales()) + 1:
        ax.set_yticks(heights[:-1] - 0.5, list(a.layout.scales()), size=11)
        ax.tick_params(axis="y", length=0)
    if axis is not None:
        axis.apply(ax, "Hz" if in_hertz else f"cycles per {grid.units[0].removesuffix('s')}")
    tick_times(ax, float(times[-1]), "s" if in_hertz else grid.units[0])
