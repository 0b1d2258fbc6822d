"""Clouds explained: points coloured by what they contribute, from three sides, by scale, and the profile in lengths.

The third coordinate points upwards. As in other panels one colour scale serves a figure: |γ| per point, under a square
root. Of a large cloud, only points that lie evenly along a k-d tree are drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm, to_rgb
from matplotlib.figure import Figure as AnyFigure
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
    TITLE,
    WIDTH,
    Array,
    Frame,
    add_axes,
    array,
    common_scale,
    draw_bar,
    fitting,
    origin_of,
    scale_end,
    title_of,
    write_header,
)
from wavelens.points import k_d_order

MAX_DRAWN_POINTS = 20_000
SIDE = 2.9  # inches of a view
TILE, TILES = 2.1, 6  # inches of a scale's view, and how many stand in a row
BACKGROUND, PLAIN = "#101216", (0.33, 0.36, 0.40)  # behind points, and of points without attribution
INK_AREA = 5200.0  # square points that all points of a view of one inch together cover, about


class Side(NamedTuple):
    """From where a cloud is seen: the coordinates to the right and upwards, and the one towards the eye, by sign."""

    name: str
    right: int
    up: int
    near: int
    sign: int


SIDES = (
    Side("from the front", 0, 2, 1, -1),
    Side("from the right", 1, 2, 0, 1),
    Side("from above", 0, 1, 2, 1),
)


class ShownCloud(NamedTuple):
    """Points `(3, points)` that are drawn, of `total`, and which they are."""

    points: Array
    chosen: Tensor
    total: int
    unit: str


def cloud(
    a: Coefficients,
    x: Tensor,
    *,
    item: int = 0,
    title: str = "",
    grid: Grid | None = None,
    shared_scale: float | None = None,
) -> Figure:
    """The explanation of one cloud: |γ| per point from three sides, by scale, and the scale profile.

    `x` is the explained cloud `(batch, 3 or more channels, points)`, whose first three channels are where its points
    lie. `grid` gives lengths their unit. `shared_scale` is the |γ| per point at which colours end, for figures to be
    compared.

    >>> x = torch.rand(1, 3, 64, generator=torch.Generator().manual_seed(0))
    >>> figure = wl.plots.cloud(wl.TreeHaar().analysis(x), x)
    >>> [ax.get_title(loc="left") for ax in figure.axes[:3]]
    ['from the front', 'from the right', 'from above']
    """
    check_cloud(a, x)
    one, grid = one_item(a, item), grid or Grid((1.0,), ("units",), scattered=True)
    shown, titles = shown_cloud(x[item], grid), grid.titles(a.layout)
    norm = PowerNorm(0.5, 0, common_scale(one) if shared_scale is None else shared_scale, clip=True)
    heats = {name: array(heat[0]) for name, heat in maps.scale_maps(one).items()}
    rows = -(-len(heats) // TILES) if len(heats) > 1 else 0
    top = HEADER + TITLE
    bottom = top + SIDE + 0.35
    figure = Figure((WIDTH, bottom + rows * (TILE + TITLE) + GAP), dpi=DPI, facecolor="white")
    write_header(figure, title or title_of(a), _origin(a, shown))
    whole = array(maps.spatial_map(one)[0])
    for k, side in enumerate(SIDES):
        ax = add_axes(figure, Frame(MARGIN + 0.35 + k * (SIDE + 0.2), top, SIDE, SIDE), side.name)
        draw_points(ax, shown, glowing(whole[shown.chosen], norm), side, measured=True)
    left = MARGIN + 0.35 + 3 * (SIDE + 0.2)
    draw_bar(figure, Frame(left, top, 0.2, SIDE), norm, "point")
    left += 2.4
    draw_profile(figure, Frame(left, top, WIDTH - MARGIN - left, SIDE), a, item, _short(titles))
    side = widest(shown.points)
    for k, (name, heat) in enumerate(heats.items() if rows else ()):
        row, column = divmod(k, TILES)
        width = (WIDTH - 2 * MARGIN - GAP * (TILES - 1)) / TILES
        box = Frame(MARGIN + column * (width + GAP), bottom + row * (TILE + TITLE) + TITLE, width, TILE)
        ax = add_axes(figure, box, titles[name], fitting(titles[name], width))
        draw_points(ax, shown, glowing(heat[shown.chosen], norm), side)
    return figure


def check_cloud(a: Coefficients, x: Tensor) -> None:
    """`ValueError` for what is no explained cloud."""
    if len(a.layout.signal_shape) != 1 or a.data.ndim != 3 or x.ndim != 3 or x.shape[1] < 3:
        raise ValueError(
            "a cloud must have one axis, its points, and three coordinates: coefficients (batch, channel, size) and x "
            f"(batch, 3, points); got {tuple(a.data.shape)} for axes {a.layout.signal_shape}, and x {tuple(x.shape)}."
        )
    if tuple(x.shape[2:]) != a.layout.signal_shape or len(x) != len(a.data):
        raise ValueError(
            f"x must be the explained cloud ({len(a.data)}, channel, {a.layout.signal_shape[0]}); got "
            f"{tuple(x.shape)}. Pass the x that was attributed."
        )


def shown_cloud(x: Tensor, grid: Grid) -> ShownCloud:
    """The points of one cloud `(channel, points)` that are drawn, in the grid's unit."""
    points, total = x[:3].detach().cpu().double(), x.shape[1]
    chosen = torch.arange(total)
    if total > MAX_DRAWN_POINTS:
        order, _ = k_d_order(points.T[None])
        chosen = order[0, torch.arange(MAX_DRAWN_POINTS) * total // MAX_DRAWN_POINTS]
    return ShownCloud(array(points[:, chosen]) * grid.spacing[0], chosen, total, grid.units[0])


def glowing(heat: Array, norm: PowerNorm) -> Array:
    """Points in grey that glow the more they contribute, `(points, 3)`."""
    strength = np.asarray(norm(heat))[:, None]
    colours: Array = np.array(PLAIN) * (1 - strength) + MAGNITUDE(strength[:, 0] * 0.85 + 0.15)[:, :3] * strength
    return colours


def widest(points: Array) -> Side:
    """The side from which a cloud covers the largest area."""
    extent = np.ptp(points, axis=1)
    return max(SIDES, key=lambda side: float(extent[side.right] * extent[side.up]))


def draw_points(ax: Axes, shown: ShownCloud, colours: Array, side: Side, *, measured: bool = False) -> None:
    """The points from a side, the nearest last; with a ruler where it is `measured`."""
    order = np.argsort(side.sign * shown.points[side.near], kind="stable")
    right, up = shown.points[side.right][order], shown.points[side.up][order]
    width, height = ax.bbox.width / DPI, ax.bbox.height / DPI
    area = np.clip(INK_AREA * min(width, height) ** 2 / 12 / len(order), 1.2, 26)
    ax.scatter(right, up, s=area, c=colours[order], linewidths=0, rasterized=True)
    frame(ax, right, up, width / height)
    if measured:
        _rule(ax, shown.unit, width)


def frame(ax: Axes, right: Array, up: Array, proportion: float) -> None:
    """The window around points, with one length for both directions."""
    centre = (right.min() + right.max()) / 2, (up.min() + up.max()) / 2
    half = 0.56 * max(np.ptp(up), np.ptp(right) / proportion, 1e-12)
    ax.set_xlim(centre[0] - half * proportion, centre[0] + half * proportion)
    ax.set_ylim(centre[1] - half, centre[1] + half)
    ax.set_facecolor(BACKGROUND)


def _rule(ax: Axes, unit: str, inches: float) -> None:
    """A ruler in the lower left corner, of a round length of about a quarter of the width."""
    (low, high), bottom = ax.get_xlim(), ax.get_ylim()[0]
    length = round_length((high - low) / 4)
    x, y = low + 0.04 * (high - low), bottom + 0.05 * (ax.get_ylim()[1] - bottom)
    ax.plot([x, x + length], [y, y], color="white", linewidth=2, solid_capstyle="butt")
    ax.annotate(
        f"{length:g} {unit}", (x, y), (0, 4), textcoords="offset points", color="white", size=min(11, 4 * inches)
    )


def round_length(length: float) -> float:
    """The largest of 1, 2, 5 × 10ⁿ that is no longer."""
    power = 10.0 ** np.floor(np.log10(max(length, 1e-300)))
    return float(f"{max(step * power for step in (1, 2, 5) if step * power <= length * 1.0001):.3g}")


def _short(titles: dict[str, str]) -> dict[str, str]:
    """Names of scales beside bars, with their lengths."""
    return {name: title.replace(" · ", "  ") for name, title in titles.items()}


def _origin(a: Coefficients, shown: ShownCloud) -> str:
    drawn = len(shown.chosen)
    some = f"{drawn:,} of {shown.total:,} points are drawn" if drawn < shown.total else f"{drawn:,} points"
    return f"{origin_of(a)} · {some}"


def draw_signed(ax: Axes, shown: ShownCloud, heat: Array, end: float, side: Side, colours: tuple[str, str]) -> None:
    """What supports the target as disks, what opposes it as crosses, over the cloud in grey."""
    plain = np.broadcast_to(np.array(PLAIN), (len(shown.chosen), 3))
    draw_points(ax, shown, plain, side)
    right, up = shown.points[side.right], shown.points[side.up]
    strength = np.sqrt((np.abs(heat) / end).clip(0, 1))
    area = np.clip(INK_AREA * (ax.bbox.height / DPI) ** 2 / 12 / len(right), 3, 30)
    for colour, marker, signed in ((colours[0], "o", heat > 0), (colours[1], "x", heat < 0)):
        chosen = signed & (strength > 0.05)
        rgba = [(*to_rgb(colour), alpha) for alpha in strength[chosen]]
        edge = 0.0 if marker == "o" else 1.1
        ax.scatter(right[chosen], up[chosen], s=area * 1.3, c=rgba, marker=marker, linewidths=edge, rasterized=True)


def draw_sides(
    figure: AnyFigure, top: float, x: Tensor, heat: Array, end: float, grid: Grid, colours: tuple[str, str]
) -> None:
    """Signed evidence from three sides, `top` inches below the upper edge of a figure."""
    shown = shown_cloud(x[0], grid)
    for k, side in enumerate(SIDES):
        ax = add_axes(figure, Frame(MARGIN + 0.35 + k * (SIDE + 0.2), top, SIDE, SIDE), side.name, 13)
        draw_signed(ax, shown, heat[shown.chosen], end, side, colours)


def draw_tiles(figure: AnyFigure, top: float, x: Tensor, heats: Sequence[tuple[str, Array, float]], grid: Grid) -> None:
    """Named |γ| per point, each with its own end of colours, seen from the widest side."""
    shown = shown_cloud(x[0], grid)
    side, width = widest(shown.points), (WIDTH - 2 * MARGIN - GAP * (TILES - 1)) / TILES
    for k, (name, heat, end) in enumerate(heats):
        row, column = divmod(k, TILES)
        box = Frame(MARGIN + column * (width + GAP), top + row * (TILE + TITLE), width, TILE)
        ax = add_axes(figure, box, name, fitting(name, width))
        draw_points(ax, shown, glowing(heat[shown.chosen], PowerNorm(0.5, 0, end, clip=True)), side)


class CloudView(NamedTuple):
    """How one cloud is drawn where other signals are drawn by their axes: from its widest side."""

    unit: str
    signal: Callable[[Axes, Array], None]
    overlay: Callable[[Axes, Array, Array, PowerNorm], None]


def cloud_view(x: Tensor, grid: Grid) -> CloudView:
    """The drawings of the cloud `(channel, points)`."""
    shown = shown_cloud(x, grid)
    side = widest(shown.points)

    def overlay(ax: Axes, x: Array, heat: Array, norm: PowerNorm) -> None:
        draw_points(ax, shown, glowing(heat[shown.chosen], norm), side)

    def signal(ax: Axes, x: Array) -> None:
        draw_points(ax, shown, np.broadcast_to(np.array(PLAIN), (len(shown.chosen), 3)), side, measured=True)

    return CloudView("point", signal, overlay)


def tiles_height(count: int) -> float:
    """Inches of so many tiles with their titles."""
    return -(-count // TILES) * (TILE + TITLE)


def colours_of(a: Coefficients) -> Array:
    """The colour of each point of one item, as bytes `(points, 3)`: |γ| of all scales, as in the figure."""
    colours = glowing(array(maps.spatial_map(a)[0]), PowerNorm(0.5, 0, common_scale(a), clip=True))
    rounded: Array = (255 * colours).round().astype(np.uint8)
    return rounded


def picture_of(x: Array, heat: Array, pixels: int = 112) -> Array:
    """A small picture of |γ| per point from the widest side, `(3, pixels, pixels)` in [0, 1], without axes."""
    side = widest(x)
    colours = glowing(heat, PowerNorm(0.5, 0, scale_end(heat), clip=True))
    order = np.argsort(side.sign * x[side.near], kind="stable")
    right, up = x[side.right][order], x[side.up][order]
    half = 0.54 * max(np.ptp(right), np.ptp(up), 1e-12)
    columns = ((right - (right.min() + right.max()) / 2) / (2 * half) + 0.5) * pixels
    rows = (0.5 - (up - (up.min() + up.max()) / 2) / (2 * half)) * pixels
    picture = np.full((pixels, pixels, 3), [int(BACKGROUND[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    reach = max(1, round(pixels / 110 * (1 + (len(order) < 3000))))
    for down in range(reach):
        for across in range(reach):
            r, c = ((v.astype(int) + d).clip(0, pixels - 1) for v, d in ((rows, down), (columns, across)))
            picture[r, c] = colours[order]
    return np.moveaxis(picture, -1, 0)
