"""The panel of an explanation: input, mosaic, a map for each scale and the profile. Drawing only, from `maps`."""

from __future__ import annotations

from os import PathLike

from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure as AnyFigure
from torch import Tensor

from wavelens import maps
from wavelens.core import Coefficients, one_item
from wavelens.grid import Grid
from wavelens.plots.bars import draw_profile
from wavelens.plots.figure import Figure
from wavelens.plots.parts import (
    DPI,
    WIDTH,
    add_axes,
    array,
    common_scale,
    draw_bar,
    fitting,
    origin_of,
    title_of,
    write_header,
)
from wavelens.plots.views import VIEWS


def panel(
    a: Coefficients,
    x: Tensor,
    item: int = 0,
    title: str = "",
    shared_scale: float | None = None,
    grid: Grid | None = None,
) -> Figure:
    """The explanation of one item in one figure: input, mosaic, a map for each scale, their sum, and the profile.

    `x` is the explained signal `(batch, channel, *axes)` with 1 to 3 axes; images have 1 or 3 channels and values in
    [0, 1], volumes are shown by their central slice. `shared_scale` is the |γ| for each sample at which colours end
    (see `common_scale`), for figures to be compared; without it they end at the item's own. `grid` names the scales in
    its units; without it they are named in samples, pixels or voxels.
    """
    axes = a.layout.signal_shape
    if len(axes) not in VIEWS:
        raise ValueError(
            f"a panel shows signals with 1, 2 or 3 axes; got {len(axes)}. Draw from wavelens.maps instead."
        )
    if a.data.ndim != 3:
        raise ValueError(
            f"a panel shows one target: coefficients (batch, channel, size); got {tuple(a.data.shape)}. "
            "Pass Coefficients(a.data[k], a.layout) for target k."
        )
    if tuple(x.shape[2:]) != axes or len(x) != len(a.data):
        raise ValueError(
            f"x is the explained signal ({len(a.data)}, channel, {', '.join(map(str, axes))}); got {tuple(x.shape)}. "
            "Pass the x that was attributed, at the resolution that the model saw."
        )
    view, signal = VIEWS[len(axes)], array(x[item])
    one = one_item(a, item)
    norm = PowerNorm(0.5, 0, common_scale(one) if shared_scale is None else shared_scale, clip=True)
    scales = maps.scale_maps(one)
    titles = (grid or Grid.plain(len(axes))).titles(a.layout)
    cells = view.arrange(axes, len(scales))
    figure = Figure((WIDTH, cells.height), dpi=DPI, facecolor="white")
    write_header(figure, title or title_of(a), origin_of(a))

    view.signal(add_axes(figure, cells.signal, "input"), signal)
    view.overlay(
        add_axes(figure, cells.spatial, "all scales" if cells.scales else "map"),
        signal,
        array(maps.spatial_map(one)[0]),
        norm,
    )
    if maps.has_mosaic(a.layout):
        pyramid = array(maps.mosaic(maps.density(one))[0, 0])
        view.mosaic(add_axes(figure, cells.mosaic, "mosaic"), pyramid, a.layout, norm)
    for box, (name, found) in zip(cells.scales, scales.items(), strict=bool(cells.scales)):
        ax = add_axes(figure, box, titles[name], fitting(titles[name], box.width))
        view.overlay(ax, signal, array(found[0]), norm)
    draw_bar(figure, cells.bar, norm, view.unit)
    draw_profile(figure, cells.profile, a, item)
    return figure


def show(a: Coefficients, x: Tensor) -> Figure:
    """The panel of the first item; a notebook shows the figure that is returned."""
    return panel(a, x)


def save(figure: AnyFigure, path: str | PathLike[str], dpi: int = DPI) -> None:
    """Write a figure to a file; the suffix chooses the format: png, pdf, svg or jpg."""
    figure.savefig(path, dpi=dpi)
