"""An attribution at a glance, without its input: the mosaic and the profile, small enough for a notebook's cell."""

from __future__ import annotations

from matplotlib.colors import PowerNorm

from wavelens import maps
from wavelens.core import Coefficients, one_item
from wavelens.plots.bars import draw_profile
from wavelens.plots.figure import Figure
from wavelens.plots.parts import DPI, GAP, MARGIN, TITLE, Frame, add_axes, array, common_scale
from wavelens.plots.views import VIEWS

ACROSS, SIDE = 9.6, 2.6  # inches


def thumbnail(a: Coefficients, item: int = 0) -> Figure:
    """The mosaic and the scale profile of one item; the profile alone where there is no mosaic, or no view of it."""
    if a.data.ndim != 3:
        raise ValueError(
            f"a thumbnail shows one target: coefficients (batch, channel, size); got {tuple(a.data.shape)}."
        )
    one = one_item(a, item)
    view = VIEWS.get(len(a.layout.signal_shape))
    figure = Figure((ACROSS, SIDE + TITLE + 2 * MARGIN), dpi=DPI, facecolor="white")
    left = MARGIN
    if view is not None and maps.has_mosaic(a.layout):
        norm = PowerNorm(0.5, 0, common_scale(one), clip=True)
        box = Frame(left, MARGIN + 0.2, SIDE, SIDE)
        view.mosaic(add_axes(figure, box, "mosaic"), array(maps.mosaic(maps.density(one))[0, 0]), a.layout, norm)
        left += SIDE + GAP
    draw_profile(figure, Frame(left + 0.5, MARGIN + 0.2, ACROSS - MARGIN - left - 0.5, SIDE), a, item)
    return figure
