"""Volumes explained: three slices with a map for each scale, a montage, and a page to turn the volume on.

Slices are drawn with the later axis upwards, so that a scan in RAS order stands upright, and in the proportions of its
spacing. As in the panel, one colour scale serves a whole figure.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from torch import Tensor

from wavelens import maps
from wavelens.core import Coefficients, one_item
from wavelens.grid import Grid
from wavelens.plots.bars import draw_profile
from wavelens.plots.figure import Figure
from wavelens.plots.parts import (
    DPI,
    GAP,
    HEADER,
    MAGNITUDE,
    MARGIN,
    SHARE,
    TITLE,
    WIDTH,
    Array,
    Frame,
    add_axes,
    array,
    common_scale,
    draw_bar,
    draw_glow,
    fitting,
    origin_of,
    title_of,
    write_header,
)

LABEL = 0.35  # inches beside a row of slices
PROFILE = 2.0  # inches of height
TALLEST = 3.2  # inches that a slice may be high
WINDOW = (0.5, 99.5)  # percentiles of the input's values that are black and white


class ShownVolume(NamedTuple):
    """One item: grey values in [0, 1], the map of all scales and of each, where they lie, and where colours end."""

    grey: Array
    maps: dict[str, Array]
    grid: Grid
    norm: PowerNorm
    end: float


def slices(
    a: Coefficients,
    x: Tensor,
    *,
    item: int = 0,
    title: str = "",
    grid: Grid | None = None,
    at: tuple[int, int, int] | None = None,
    shared_scale: float | None = None,
) -> Figure:
    """Three slices of one item across its axes: the input, all scales, a map for each scale, and the profile below.

    `x` is the explained volume `(batch, channel, *axes)`. `at` is the voxel that the slices meet in; without it, each
    lies where its plane holds the most |γ|. `grid` gives the scales and the proportions their unit. `shared_scale` is
    the |γ| for each voxel at which colours end (see `common_scale`).
    """
    volume = explained(a, x, item, grid, shared_scale)
    where = fullest(volume.maps["all scales"]) if at is None else _checked(at, volume.grey.shape)
    columns = ["input", *volume.maps]
    side = (WIDTH - 2 * MARGIN - LABEL - GAP * (len(columns) - 1)) / len(columns)
    heights = _heights(volume, side)
    top, rows = HEADER + TITLE, []
    for height in heights:
        rows.append(top)
        top += height + GAP
    figure = Figure((WIDTH, top + TITLE + PROFILE + GAP), dpi=DPI, facecolor="white")
    write_header(figure, title or title_of(a), origin_of(a))
    titles = volume.grid.titles(a.layout)
    for column, name in enumerate(columns):
        shown = titles.get(name, name)
        for axis in range(3):
            left = MARGIN + LABEL + column * (side + GAP)
            box = Frame(left, rows[axis], side, heights[axis])
            ax = add_axes(figure, box, shown if axis == 0 else "", fitting(shown, side))
            _draw_slice(ax, volume, name, axis, where[axis])
            if column == 0:
                _mark(ax, axis, where, volume.grey.shape)
    draw_bar(figure, Frame(MARGIN + LABEL, top + TITLE, 0.2, PROFILE), volume.norm, "voxel")
    draw_profile(figure, Frame(MARGIN + 3.2, top + TITLE, WIDTH - 2 * MARGIN - 3.2, PROFILE), a, item)
    return figure


def montage(
    a: Coefficients,
    x: Tensor,
    *,
    item: int = 0,
    axis: int = 2,
    scale: str | None = None,
    count: int = 24,
    title: str = "",
    grid: Grid | None = None,
    shared_scale: float | None = None,
) -> Figure:
    """Slices of one item across `axis` from its first to its last, evenly chosen, at most `count`, with the map over.

    `scale` names the scale that is shown, such as 'd1'; without it, all together.
    """
    volume = explained(a, x, item, grid, shared_scale)
    name = scale or "all scales"
    if name not in volume.maps:
        raise ValueError(f"scale is one of {', '.join(a.layout.scales())}, or None for all; got {scale!r}.")
    if axis not in range(3) or count < 1:
        raise ValueError(f"axis is 0, 1 or 2 and count at least 1; got axis={axis} and count={count}.")
    length = volume.grey.shape[axis]
    chosen = np.unique(np.linspace(0, length - 1, min(count, length)).round().astype(int))
    columns = min(len(chosen), 6)
    side = (WIDTH - 2 * MARGIN - 1.5 - GAP * (columns - 1)) / columns
    height = side * _aspect(volume, axis)
    rows = -(-len(chosen) // columns)
    figure = Figure((WIDTH, HEADER + rows * (height + TITLE) + GAP), dpi=DPI, facecolor="white")
    shown = volume.grid.titles(a.layout)[scale] if scale else name
    write_header(figure, f"{title or title_of(a)}: {shown}", origin_of(a))
    for number, place in enumerate(chosen):
        row, column = divmod(number, columns)
        top = HEADER + row * (height + TITLE) + TITLE
        box = Frame(MARGIN + column * (side + GAP), top, side, height)
        ax = add_axes(figure, box, _place(volume, axis, int(place)), 12)
        _draw_slice(ax, volume, name, axis, int(place))
    draw_bar(figure, Frame(WIDTH - MARGIN - 1.2, HEADER + TITLE, 0.2, height), volume.norm, "voxel")
    return figure


def explained(a: Coefficients, x: Tensor, item: int, grid: Grid | None, shared_scale: float | None) -> ShownVolume:
    axes = a.layout.signal_shape
    if len(axes) != 3 or a.data.ndim != 3:
        raise ValueError(
            f"a volume has three axes and coefficients (batch, channel, size); got axes {axes} and coefficients "
            f"{tuple(a.data.shape)}. wavelens.plots.panel draws signals of other kinds."
        )
    if tuple(x.shape[2:]) != axes or len(x) != len(a.data):
        raise ValueError(
            f"x is the explained volume ({len(a.data)}, channel, {', '.join(map(str, axes))}); got {tuple(x.shape)}. "
            "Pass the x that was attributed, at the resolution that the model saw."
        )
    one = one_item(a, item)
    scales = {name: array(heat[0]) for name, heat in maps.scale_maps(one).items()}
    every = {"all scales": array(maps.spatial_map(one)[0])}
    end = common_scale(one) if shared_scale is None else shared_scale
    shown = every | (scales if len(scales) > 1 else {})
    return ShownVolume(
        grey_values(array(x[item]).mean(0)), shown, grid or Grid.plain(3), PowerNorm(0.5, 0, end, clip=True), end
    )


def grey_values(values: Array) -> Array:
    low, high = np.percentile(values, WINDOW)
    if high <= low:  # nearly all of it is background
        low, high = values.min(), values.max()
    grey: Array = ((values - low) / (high - low or 1)).clip(0, 1)
    return grey


def fullest(heat: Array) -> tuple[int, ...]:
    """For each axis, the plane across it that holds the most."""
    return tuple(int(heat.sum(tuple(set(range(3)) - {axis})).argmax()) for axis in range(3))


def _checked(at: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(at) != 3 or not all(0 <= place < n for place, n in zip(at, shape, strict=True)):
        raise ValueError(f"at is a voxel of the volume {shape}; got {at}.")
    return at


def _across(axis: int) -> tuple[int, int]:
    """The axes that a slice across `axis` shows: rightwards and upwards."""
    right, up = (k for k in range(3) if k != axis)
    return right, up


def _lengths(volume: ShownVolume, axis: int) -> tuple[float, float]:
    """Width and height of a slice across `axis` in the grid's unit."""
    right, up = (volume.grey.shape[k] * volume.grid.spacing[k] for k in _across(axis))
    return right, up


def _aspect(volume: ShownVolume, axis: int) -> float:
    width, height = _lengths(volume, axis)
    return min(max(height / width, 0.3), 2.0)


def _heights(volume: ShownVolume, side: float) -> list[float]:
    """Inches for the rows of slices, one inch as many of the grid's units in all of them."""
    sizes = [_lengths(volume, axis) for axis in range(3)]
    scale = min(side / max(width for width, _ in sizes), TALLEST / max(height for _, height in sizes))
    return [height * scale for _, height in sizes]


def _draw_slice(ax: Axes, volume: ShownVolume, name: str, axis: int, place: int) -> None:
    right, up = _across(axis)
    grey = volume.grey.take(place, axis).T
    if name == "input":
        ax.imshow(grey, cmap="gray", vmin=0, vmax=1)
        ax.set_ylabel(_place(volume, axis, place), size=12, color=SHARE)
    else:
        draw_glow(ax, grey[None], volume.maps[name].take(place, axis).T, volume.norm)
    ax.invert_yaxis()
    ax.set_aspect(volume.grid.spacing[up] / volume.grid.spacing[right], anchor="NW")


def _place(volume: ShownVolume, axis: int, place: int) -> str:
    return f"axis {axis + 1}: {place + 1} of {volume.grey.shape[axis]}"


def _mark(ax: Axes, axis: int, where: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Where the other two slices cut this one, at its rim."""
    right, up = _across(axis)
    for start, end in ((0.0, 0.06), (0.94, 1.0)):
        ax.axvline(where[right], start, end, color=MAGNITUDE(0.75), linewidth=1.2)
        ax.axhline(where[up], start, end, color=MAGNITUDE(0.75), linewidth=1.2)
