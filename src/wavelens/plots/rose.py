"""A rose: which orientations of lines matter, one colour per scale."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from wavelens import maps
from wavelens.core import Coefficients, one_item
from wavelens.plots.figure import Figure
from wavelens.plots.parts import DPI, FAINT, INK, MARGIN, TITLE, Array, Frame, add_axes, array, scale_shades

SIDE, NAMES = 3.6, 0.5  # inches: of the rose, and of the names of the scales beside it
MAX_NAMES = 8
TICKS = {0: "0°", 45: "45°", 90: "90°", 135: "−45°", 180: "", 225: "", 270: "", 315: ""}


def rose(a: Coefficients, item: int = 0, title: str = "lines by direction") -> Figure:
    """The share of Σ|γ| by the orientation of lines, of one item: the rose of `maps.rose`, one colour per scale.

    A sector points along the lines that it stands for, both ways, and its area is their share; coarse scales are
    yellow and lie inside, fine ones blue and outside. Approximations have no orientation and are left out.
    """
    if a.data.ndim != 3:
        raise ValueError(f"a rose shows one target: coefficients (batch, channel, size); got {tuple(a.data.shape)}.")
    figure = Figure((SIDE + 2 * MARGIN, SIDE + TITLE + 2 * MARGIN), dpi=DPI, facecolor="white")
    draw_rose(figure, Frame(MARGIN, MARGIN + TITLE, SIDE, SIDE), a, item, title)
    return figure


def draw_rose(figure: Figure, box: Frame, a: Coefficients, item: int, title: str = "lines by direction") -> None:
    """A rose in a box, with the names of the scales on its left."""
    shares = maps.rose(one_item(a, item))
    width, height = figure.get_size_inches()
    frame = add_axes(figure, box, title)
    frame.set_axis_off()
    side = min(box.width - NAMES - 0.3, box.height - 0.45)  # room for the degrees around it
    left, top = box.left + box.width - side - 0.3, box.top + (box.height - side) / 2
    place = (left / width, 1 - (top + side) / height, side / width, side / height)
    ax = figure.add_axes(place, projection="polar")
    reach = np.sqrt(np.cumsum(array(shares.share[0]), 0))  # areas are shares, however scales are stacked
    shades = scale_shades(len(shares.names))
    angles = np.deg2rad(np.array(shares.angles))
    step = np.pi / len(angles)
    below = np.zeros(len(angles))
    for edge, shade in zip(reach, shades, strict=True):
        for turn in (0, np.pi):  # a line runs both ways
            ax.bar(angles + turn, edge - below, step, below, color=shade, linewidth=0.4, edgecolor=shade)
        below = edge
    ax.set_ylim(0, below.max() or 1)
    ax.set_yticks([])
    ax.set_xticks(np.deg2rad(list(TICKS)), list(TICKS.values()), size=10, color=INK)
    ax.tick_params(axis="x", pad=-3)
    ax.grid(color=FAINT, linewidth=0.5)
    ax.spines[:].set_color(FAINT)
    _name_scales(frame, shares.names, shades)


def _name_scales(frame: Axes, names: tuple[str, ...], shades: Array) -> None:
    """The names beside their colours in the corners that a circle leaves, the coarsest on top; of many every k-th."""
    shown = list(zip(names, shades, strict=True))[:: -(-len(names) // MAX_NAMES)]
    upper = -(-MAX_NAMES // 2)
    for k, (name, shade) in enumerate(shown):
        place = (0, 1 - 0.08 * k if k < upper else 0.08 * (len(shown) - k))
        frame.annotate("■ ", place, xycoords="axes fraction", size=11, color=shade, va="top")
        frame.annotate(name, place, (13, 0), "axes fraction", textcoords="offset points", size=11, color=INK, va="top")
