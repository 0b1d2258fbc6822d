"""The panel of an explanation: input, mosaic, a map for each scale and the profile. Drawing only, from `maps`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike

from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure as AnyFigure
from torch import Tensor

from wavelens import maps
from wavelens.core import Coefficients, one_item
from wavelens.grid import Grid
from wavelens.outlines import Outline
from wavelens.plots.bars import draw_profile
from wavelens.plots.figure import Figure
from wavelens.plots.outlines import draw_outlines
from wavelens.plots.parts import (
    DPI,
    WIDTH,
    Frame,
    add_axes,
    all_fitting,
    array,
    common_scale,
    draw_bar,
    origin_of,
    scale_parts,
    title_of,
    write_header,
    write_striped,
)
from wavelens.plots.rose import draw_rose
from wavelens.plots.scalogram import has_frequencies, over_time_and_frequency
from wavelens.plots.views import VIEWS, AxesView


def panel(
    a: Coefficients,
    x: Tensor,
    item: int = 0,
    title: str = "",
    shared_scale: float | None = None,
    grid: Grid | None = None,
    outlines: Sequence[Outline] = (),
) -> Figure:
    """The explanation of one item in one figure: input, mosaic, a map for each scale, their sum, and the profile.

    `x` is the explained signal `(batch, channel, *axes)` with 1 to 3 axes; images have 1 or 3 channels and values in
    [0, 1], volumes are shown by their central slice. `shared_scale` is the |γ| for each sample at which colours end
    (see `common_scale`), for figures to be compared; without it they end at the item's own. `grid` names the scales in
    its units; without it they are named in samples, pixels or voxels. `outlines` are drawn over a picture, and the
    explained one over its map too.

    Where a domain has no mosaic, signals with one axis are shown over time and frequency, and pictures have the rose
    of their lines in its place, if the domain knows them (`maps.has_rose`). Where coefficients have no places, as those
    of `Fourier`, the parts of the input that the scales hold stand for maps (`maps.has_places`).
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
            f"x must be the explained signal ({len(a.data)}, channel, {', '.join(map(str, axes))}); got "
            f"{tuple(x.shape)}. Pass the x that was attributed, at the resolution that the model saw."
        )
    if has_frequencies(a.layout) and not maps.has_mosaic(a.layout):
        return over_time_and_frequency(a, x, grid or Grid.plain(1), item, title, shared_scale)
    view, signal = VIEWS[len(axes)], array(x[item])
    one = one_item(a, item)
    norm = PowerNorm(0.5, 0, common_scale(one) if shared_scale is None else shared_scale, clip=True)
    scales, has_map = maps.scale_maps(one), maps.has_places(a.layout)
    titles = (grid or Grid.plain(len(axes))).titles(a.layout)
    draw_second = _second_drawing(one, view, norm)
    cells = view.arrange(axes, len(scales), draw_second is not None, has_map)
    note = 0.35 * bool(maps.striped(a.layout))  # inches
    figure = Figure((WIDTH, cells.height + note), dpi=DPI, facecolor="white")
    write_header(figure, title or title_of(a), origin_of(a))
    write_striped(figure, a.layout, cells.height + note / 2 - 0.1)

    shown = add_axes(figure, cells.signal, "input" if has_map else "input, and its scales below")
    view.signal(shown, signal)
    draw_outlines(shown, outlines)
    if draw_second is not None:
        draw_second(figure, cells.second)
    if has_map:
        sum_title = "all scales" if cells.scales else "map"
        over = add_axes(figure, cells.spatial, sum_title)
        view.overlay(over, signal, array(maps.spatial_map(one)[0]), norm)
        draw_outlines(over, [one for one in outlines if one.explained], texts=False)
        draw_bar(figure, cells.bar, norm, view.unit)
    size = all_fitting(titles.values(), cells.scales[0].width) if cells.scales else 0.0
    parts = {} if has_map else scale_parts(one.layout, x[item : item + 1])
    for box, (name, values) in zip(cells.scales, scales.items(), strict=bool(cells.scales)):
        ax = add_axes(figure, box, titles[name], size)
        if has_map:
            view.overlay(ax, signal, array(values[0]), norm)
        else:
            view.part(ax, parts[name])
    draw_profile(figure, cells.profile, a, item)
    return figure


def _second_drawing(one: Coefficients, view: AxesView, norm: PowerNorm) -> Callable[[Figure, Frame], None] | None:
    """What is drawn beside the signal: the mosaic, or the rose of a domain that has none but knows orientations."""

    def draw_mosaic(figure: Figure, box: Frame) -> None:
        pyramid = array(maps.mosaic(maps.density(one))[0, 0])
        view.mosaic(add_axes(figure, box, "mosaic"), pyramid, one.layout, norm)

    if maps.has_mosaic(one.layout):
        return draw_mosaic
    return (lambda figure, box: draw_rose(figure, box, one, 0)) if maps.has_rose(one.layout) else None


def show(a: Coefficients, x: Tensor) -> Figure:
    """The panel of the first item; a notebook shows the figure that is returned."""
    return panel(a, x)


def save(figure: AnyFigure, path: str | PathLike[str], dpi: float = DPI) -> None:
    """Write a figure to a file; the suffix chooses the format: png, pdf, svg or jpg."""
    figure.savefig(path, dpi=dpi)
