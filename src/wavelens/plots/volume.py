"""Volumes explained: three slices with a map for each scale, a montage, and a page to turn the volume on.

Slices are drawn with the later axis upwards, so that a scan in RAS order stands upright, and in the proportions of its
spacing. As in the panel, one colour scale serves a whole figure.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from wavelens.core import Coefficients, one_item
from wavelens.grid import Grid
from wavelens.plots.bars import draw_profile
from wavelens.plots.figure import Figure
from wavelens.plots.parts import (
    DPI,
    GAP,
    HEADER,
    MARGIN,
    SHARE,
    TITLE,
    WIDTH,
    Frame,
    add_axes,
    array,
    draw_bar,
    fitting,
    origin_of,
    title_of,
    write_header,
)
from wavelens.plots.shown_volume import (
    ShownVolume,
    across,
    draw_slice,
    explained,
    fullest,
    mark_planes,
    place_label,
    write_letters,
)
from wavelens.plots.volume_channels import MAX_TILES, channel_boxes, draw_channels

LABEL = 0.55  # inches beside a row of slices
PROFILE = 2.0  # inches of height
TALLEST = 3.2  # inches that a slice may be high


def slices(
    a: Coefficients,
    x: Tensor,
    *,
    item: int = 0,
    title: str = "",
    grid: Grid | None = None,
    at: tuple[int, int, int] | None = None,
    shared_scale: float | None = None,
    channels: Sequence[str] = (),
    region: Tensor | None = None,
) -> Figure:
    """Three slices of one item across its axes: the input, all scales, a map for each scale, and the profile below.

    `x` is the explained volume `(batch, channel, *axes)`. `at` is the voxel that the slices meet in; without it, each
    lies where its plane holds the most |γ|. `grid` gives the scales and the proportions their unit; where it knows the
    patient, letters say where right (R), left (L), front (A), back (P), head (S) and feet (I) are, and planes have
    their coordinate. `channels` names the channels of `x`: with several, each has its slice with its own map at the
    foot, beside the sums by channel and scale. `region` `(*axes)` is outlined. `shared_scale` is the |γ| for each voxel
    at which colours end (see `common_scale`).
    """
    volume = explained(a, x, item, grid, shared_scale, region)
    where = fullest(volume.maps["all scales"]) if at is None else _checked(at, volume.grey.shape)
    columns = ["input", *volume.maps]
    side = (WIDTH - 2 * MARGIN - LABEL - GAP * (len(columns) - 1)) / len(columns)
    heights = _heights(volume, side)
    tops = [HEADER + TITLE + sum(heights[:axis]) + GAP * axis for axis in range(3)]
    foot = tops[-1] + heights[-1] + GAP
    names = tuple(channels) if len(channels) == x.shape[1] > 1 else ()
    by_channel = channel_boxes(foot + TITLE + PROFILE + GAP, min(len(names), MAX_TILES), heights[2] / side)
    bottom = max([foot + TITLE + PROFILE, *(box.top + box.height + 0.3 for box in by_channel)]) + GAP
    figure = Figure((WIDTH, bottom), dpi=DPI, facecolor="white")
    write_header(figure, title or title_of(a), origin_of(a))
    for column, name in enumerate(columns):
        boxes = [Frame(MARGIN + LABEL + column * (side + GAP), tops[k], side, heights[k]) for k in range(3)]
        _draw_column(figure, boxes, volume, name, where, volume.grid.titles(a.layout).get(name, name))
    draw_bar(figure, Frame(MARGIN + LABEL, foot + TITLE, 0.2, PROFILE), volume.norm, "voxel")
    draw_profile(figure, Frame(MARGIN + 3.2, foot + TITLE, WIDTH - 2 * MARGIN - 3.2, PROFILE), a, item)
    if names:
        draw_channels(figure, by_channel, one_item(a, item), array(x[item]), names, volume, where[2])
    return figure


def _draw_column(
    figure: Figure, boxes: Sequence[Frame], volume: ShownVolume, name: str, where: tuple[int, ...], title: str
) -> None:
    """The input or the map of a scale: its three slices under each other."""
    for axis, box in enumerate(boxes):
        ax = add_axes(figure, box, title if axis == 0 else "", fitting(title, box.width))
        draw_slice(ax, volume, name, axis, where[axis])
        if name == "input":
            label = place_label(volume, axis, where, "\n")
            ax.set_ylabel(label, size=min(12, 140 * box.height / max(map(len, label.split("\n")))), color=SHARE)
            mark_planes(ax, axis, where, volume.grey.shape)
            write_letters(ax, volume, axis)


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
        raise ValueError(f"scale must be one of {', '.join(a.layout.scales())}, or None for all; got {scale!r}.")
    if axis not in range(3) or count < 1:
        raise ValueError(f"axis must be 0, 1 or 2 and count at least 1; got axis={axis} and count={count}.")
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
        centre = tuple(int(place) if k == axis else n // 2 for k, n in enumerate(volume.grey.shape))
        label = place_label(volume, axis, centre, ", ")
        ax = add_axes(figure, box, label, min(12, fitting(label, side)))
        draw_slice(ax, volume, name, axis, int(place))
        write_letters(ax, volume, axis)
    draw_bar(figure, Frame(WIDTH - MARGIN - 1.2, HEADER + TITLE, 0.2, height), volume.norm, "voxel")
    return figure


def _checked(at: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(at) != 3 or not all(0 <= place < n for place, n in zip(at, shape, strict=True)):
        raise ValueError(f"at must be a voxel of the volume {shape}; got {at}.")
    return at


def _lengths(volume: ShownVolume, axis: int) -> tuple[float, float]:
    """Width and height of a slice across `axis` in the grid's unit."""
    right, up = (volume.grey.shape[k] * volume.grid.spacing[k] for k in across(axis))
    return right, up


def _aspect(volume: ShownVolume, axis: int) -> float:
    width, height = _lengths(volume, axis)
    return min(max(height / width, 0.3), 2.0)


def _heights(volume: ShownVolume, side: float) -> list[float]:
    """Inches for the rows of slices, one inch as many of the grid's units in all of them."""
    sizes = [_lengths(volume, axis) for axis in range(3)]
    scale = min(side / max(width for width, _ in sizes), TALLEST / max(height for _, height in sizes))
    return [height * scale for _, height in sizes]
