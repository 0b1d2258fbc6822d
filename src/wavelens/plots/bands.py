"""Rasters explained: the panel of a picture in true or false colour, and the sums by band and scale below it."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure as AnyFigure
from torch import Tensor

from wavelens.core import Coefficients, one_item
from wavelens.frontends.raster import composites
from wavelens.grid import Grid
from wavelens.plots.figure import Figure, extended
from wavelens.plots.panel import panel
from wavelens.plots.parts import GAP, MARGIN, TITLE, WIDTH, Frame, add_axes, array, draw_picture, fitting
from wavelens.plots.series import draw_cells, strongest_channels

MAX_ROWS = 24  # bands that are drawn: of more, those with the largest Σ|γ|
ROW, MIN_HEIGHT, SIDE = 0.3, 2.0, 3.1  # inches of a band's height, of all, and of a picture's width
NAMES, PER_SCALE = 1.4, 1.5  # inches of width: the bands' names, a scale


def bands(
    a: Coefficients,
    x: Tensor,
    *,
    item: int = 0,
    title: str = "",
    grid: Grid | None = None,
    channels: Sequence[str] = (),
    shared_scale: float | None = None,
) -> Figure:
    """The explanation of one raster: the panel over its bands in true colour, and the sums by band and scale.

    `x` is the explained raster `(batch, band, rows, columns)`, `channels` names its bands: where they say which are
    red, green, blue and near infrared, the panel is over the true colours, and the false ones stand below. The cells
    have the signed sum of each scale in each band, so all cells add up to the attribution's sum. Where there are more
    than 24 bands, those with the largest Σ|γ| are drawn. `shared_scale` is that of `panel`.

    >>> x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> figure = wl.plots.bands(wl.DWT("haar", levels=2).analysis(x), x, channels=("B08", "B04", "B03"))
    >>> figure.axes[0].get_title(loc="left")
    'false colour · B08 B04 B03'
    """
    names = tuple(channels) or tuple(f"band {k + 1}" for k in range(x.shape[1]))
    if len(names) != x.shape[1]:
        raise ValueError(f"channels must name each of {x.shape[1]} bands; got {len(names)}.")
    pictures, grid = composites(x[item : item + 1], names), grid or Grid.plain(2)
    (first, behind), *others = pictures.items()
    figure = panel(a, behind.expand(len(x), -1, -1, -1), item, title, shared_scale, grid)
    figure.axes[0].set_title(first, loc="left", size=fitting(first, SIDE))
    _add_cells(figure, one_item(a, item), names, grid, others)
    return figure


def _add_cells(
    figure: AnyFigure, one: Coefficients, names: Sequence[str], grid: Grid, pictures: Sequence[tuple[str, Tensor]]
) -> None:
    """Further pictures, and beside them a row per band."""
    shown, scales = strongest_channels(one, MAX_ROWS), len(one.layout.scales())
    height = max(ROW * len(shown), MIN_HEIGHT)
    _, before = figure.get_size_inches()
    top = float(before) + TITLE + 0.3
    extended(figure, height + 2 * TITLE + GAP + 0.4)
    left = MARGIN
    for title, picture in pictures:
        side = min(SIDE, height)
        draw_picture(add_axes(figure, Frame(left, top, side, side), title, fitting(title, side)), array(picture[0]))
        left += side + GAP
    left += NAMES
    width = min(WIDTH - MARGIN - left, PER_SCALE * scales)
    draw_cells(add_axes(figure, Frame(left, top, width, height), ""), one, shown, grid, names, "band")
