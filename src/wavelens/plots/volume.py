"""Volumes explained: three slices with a map for each scale, a montage, and a page to turn the volume on.

Slices are drawn with the later axis upwards, so that a scan in RAS order stands upright, and in the proportions of its
spacing. As in the panel, one colour scale serves a whole figure.
"""

from __future__ import annotations

import html
import math
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm, to_hex
from torch import Tensor

from wavelens import maps
from wavelens.core import Coefficients
from wavelens.grid import Grid
from wavelens.optional import optional
from wavelens.plots.figure import Figure
from wavelens.plots.panel import (
    DPI,
    GAP,
    HEADER,
    MAGNITUDE,
    MARGIN,
    SHARE,
    TITLE,
    WIDTH,
    Array,
    Box,
    _array,
    _axes,
    _draw_bar,
    _draw_glow,
    _draw_profile,
    _origin,
    _title,
    _write_header,
    common_scale,
)

LABEL = 0.35  # inches beside a row of slices
PROFILE = 2.0  # inches of height
TALLEST = 3.2  # inches that a slice may be high
WINDOW = (0.5, 99.5)  # percentiles of the input's values that are black and white
FINEST = 44  # voxels along an axis of the page: more make it slow to turn
HELD = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # parts of a scale's |γ| that its outermost shell may hold
FIRST = 4  # the part that the page opens with


class Explained(NamedTuple):
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
    found = _explained(a, x, item, grid, shared_scale)
    where = _most(found.maps["all scales"]) if at is None else _checked(at, found.grey.shape)
    columns = ["input", *found.maps]
    side = (WIDTH - 2 * MARGIN - LABEL - GAP * (len(columns) - 1)) / len(columns)
    heights = _heights(found, side)
    top, rows = HEADER + TITLE, []
    for height in heights:
        rows.append(top)
        top += height + GAP
    figure = Figure((WIDTH, top + TITLE + PROFILE + GAP), dpi=DPI, facecolor="white")
    _write_header(figure, title or _title(a), _origin(a))
    labels = found.grid.labels(a.layout)
    for column, name in enumerate(columns):
        shown = f"{name} · {labels[name]}" if name in labels else name
        for axis in range(3):
            left = MARGIN + LABEL + column * (side + GAP)
            ax = _axes(figure, Box(left, rows[axis], side, heights[axis]), shown if axis == 0 else "")
            ax.title.set_fontsize(min(15, 120 * side / max(len(shown), 1)))
            _draw_slice(ax, found, name, axis, where[axis])
            if column == 0:
                _mark(ax, axis, where, found.grey.shape)
    _draw_bar(figure, Box(MARGIN + LABEL, top + TITLE, 0.2, PROFILE), found.norm, "voxel")
    _draw_profile(figure, Box(MARGIN + 3.2, top + TITLE, WIDTH - 2 * MARGIN - 3.2, PROFILE), a, item)
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
    found = _explained(a, x, item, grid, shared_scale)
    name = scale or "all scales"
    if name not in found.maps:
        raise ValueError(f"scale is one of {', '.join(a.layout.scales())}, or None for all; got {scale!r}.")
    if axis not in range(3) or count < 1:
        raise ValueError(f"axis is 0, 1 or 2 and count at least 1; got axis={axis} and count={count}.")
    length = found.grey.shape[axis]
    chosen = np.unique(np.linspace(0, length - 1, min(count, length)).round().astype(int))
    columns = min(len(chosen), 6)
    side = (WIDTH - 2 * MARGIN - 1.5 - GAP * (columns - 1)) / columns
    height = side * _aspect(found, axis)
    rows = -(-len(chosen) // columns)
    figure = Figure((WIDTH, HEADER + rows * (height + TITLE) + GAP), dpi=DPI, facecolor="white")
    shown = f"{name} · {found.grid.labels(a.layout)[scale]}" if scale else name
    _write_header(figure, f"{title or _title(a)}: {shown}", _origin(a))
    for number, place in enumerate(chosen):
        row, column = divmod(number, columns)
        top = HEADER + row * (height + TITLE) + TITLE
        ax = _axes(figure, Box(MARGIN + column * (side + GAP), top, side, height), _place(found, axis, int(place)))
        ax.title.set_fontsize(12)
        _draw_slice(ax, found, name, axis, int(place))
    _draw_bar(figure, Box(WIDTH - MARGIN - 1.2, HEADER + TITLE, 0.2, height), found.norm, "voxel")
    return figure


def scene(
    a: Coefficients,
    x: Tensor,
    *,
    item: int = 0,
    title: str = "",
    grid: Grid | None = None,
    shared_scale: float | None = None,
) -> str:
    """One HTML page, complete in itself, with the volume to turn: its surface, and shells around |γ| of a scale.

    Buttons choose the scale, a slider how much of its Σ|γ| the outermost shell holds; colours are the same |γ| for
    each voxel in all scales. Volumes with more than 44 voxels along an axis are shown by their means over blocks.
    Needs plotly.
    """
    go = optional("plotly.graph_objects", "medical")
    found = _explained(a, x, item, grid, shared_scale)
    blocks = tuple(min(FINEST, n) for n in found.grey.shape)
    where = _centres(found, blocks)
    figure = go.Figure(_surface(go, _blocks(found.grey, blocks), where))
    shells = {name: _blocks(values, blocks) for name, values in found.maps.items()}
    levels = {name: _levels(values) for name, values in shells.items()}
    for name, values in shells.items():
        figure.add_trace(_shells(go, name, values, levels[name][FIRST], where, found.end))
    figure.update_traces(visible=False, selector=lambda trace: trace.name not in ("input", "all scales"))
    figure.update_layout(
        title={"text": html.escape(title or _title(a)), "subtitle": {"text": html.escape(_origin(a))}, "x": 0.01},
        title_y=0.97,
        scene={f"{letter}axis": {"title": {"text": _axis_name(found, k)}} for k, letter in enumerate("xyz")}
        | {
            "aspectmode": "data",
            "camera": {"eye": {"x": 1.6, "y": 1.6, "z": 1.0}, "center": {"x": 0, "y": 0, "z": -0.15}},
        },
        updatemenus=[_buttons(found, a)],
        sliders=[_slider(levels)],
        margin={"l": 10, "r": 10, "b": 120, "t": 150},
        height=860,
    )
    page: str = figure.to_html(include_plotlyjs=True, full_html=True, config={"displaylogo": False})
    return page


def _explained(a: Coefficients, x: Tensor, item: int, grid: Grid | None, shared_scale: float | None) -> Explained:
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
    one = Coefficients(a.data[item][None], a.layout)
    scales = {name: _array(found[0]) for name, found in maps.scale_maps(one).items()}
    every = {"all scales": _array(maps.spatial_map(one)[0])}
    end = common_scale(one) if shared_scale is None else shared_scale
    shown = every | (scales if len(scales) > 1 else {})
    return Explained(
        _grey(_array(x[item]).mean(0)), shown, grid or Grid.plain(3), PowerNorm(0.5, 0, end, clip=True), end
    )


def _grey(values: Array) -> Array:
    low, high = np.percentile(values, WINDOW)
    if high <= low:  # nearly all of it is background
        low, high = values.min(), values.max()
    grey: Array = ((values - low) / (high - low or 1)).clip(0, 1)
    return grey


def _most(found: Array) -> tuple[int, ...]:
    """For each axis, the plane across it that holds the most."""
    return tuple(int(found.sum(tuple(set(range(3)) - {axis})).argmax()) for axis in range(3))


def _checked(at: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(at) != 3 or not all(0 <= place < n for place, n in zip(at, shape, strict=True)):
        raise ValueError(f"at is a voxel of the volume {shape}; got {at}.")
    return at


def _across(axis: int) -> tuple[int, int]:
    """The axes that a slice across `axis` shows: rightwards and upwards."""
    right, up = (k for k in range(3) if k != axis)
    return right, up


def _lengths(found: Explained, axis: int) -> tuple[float, float]:
    """Width and height of a slice across `axis` in the grid's unit."""
    right, up = (found.grey.shape[k] * found.grid.spacing[k] for k in _across(axis))
    return right, up


def _aspect(found: Explained, axis: int) -> float:
    width, height = _lengths(found, axis)
    return min(max(height / width, 0.3), 2.0)


def _heights(found: Explained, side: float) -> list[float]:
    """Inches for the rows of slices, one inch as many of the grid's units in all of them."""
    sizes = [_lengths(found, axis) for axis in range(3)]
    scale = min(side / max(width for width, _ in sizes), TALLEST / max(height for _, height in sizes))
    return [height * scale for _, height in sizes]


def _draw_slice(ax: Axes, found: Explained, name: str, axis: int, place: int) -> None:
    right, up = _across(axis)
    grey = found.grey.take(place, axis).T
    if name == "input":
        ax.imshow(grey, cmap="gray", vmin=0, vmax=1)
        ax.set_ylabel(_place(found, axis, place), size=12, color=SHARE)
    else:
        _draw_glow(ax, grey[None], found.maps[name].take(place, axis).T, found.norm)
    ax.invert_yaxis()
    ax.set_aspect(found.grid.spacing[up] / found.grid.spacing[right], anchor="NW")


def _place(found: Explained, axis: int, place: int) -> str:
    return f"axis {axis + 1}: {place + 1} of {found.grey.shape[axis]}"


def _mark(ax: Axes, axis: int, where: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Where the other two slices cut this one, at its rim."""
    right, up = _across(axis)
    for start, end in ((0.0, 0.06), (0.94, 1.0)):
        ax.axvline(where[right], start, end, color=MAGNITUDE(0.75), linewidth=1.2)
        ax.axhline(where[up], start, end, color=MAGNITUDE(0.75), linewidth=1.2)


# The page.


def _blocks(values: Array, blocks: tuple[int, ...]) -> Array:
    """Means over blocks."""
    pool = torch.nn.AdaptiveAvgPool3d(blocks)
    means: Array = pool(torch.from_numpy(np.ascontiguousarray(values))[None])[0].float().numpy()
    return means


def _centres(found: Explained, blocks: tuple[int, ...]) -> dict[str, Array]:
    """Where the blocks lie, in the grid's unit from the centre of the first voxel."""
    triples = zip(found.grey.shape, blocks, found.grid.spacing, strict=True)
    lines = [((np.arange(m) + 0.5) * n / m - 0.5) * step for n, m, step in triples]
    points = np.meshgrid(*lines, indexing="ij")
    return {letter: p.ravel().astype(np.float32) for letter, p in zip("xyz", points, strict=True)}


def _axis_name(found: Explained, axis: int) -> str:
    return f"axis {axis + 1} ({found.grid.units[axis]})"


def _surface(go: Any, grey: Array, where: dict[str, Array]) -> Any:
    """The volume's own surface, between its background and what stands out of it."""
    level = _between(grey)
    return go.Isosurface(
        **where,
        value=grey.ravel(),
        isomin=level,
        isomax=level,
        surface={"count": 1},
        caps=_no_caps(),
        colorscale=[[0, "#8a8f98"], [1, "#8a8f98"]],
        showscale=False,
        opacity=0.18,
        name="input",
        hoverinfo="skip",
    )


def _between(values: Array) -> float:
    """The level halfway between the means of what lies below it and above it (Ridler and Calvard, 1978)."""
    level = float(values.mean())
    for _ in range(50):
        low, high = values[values <= level], values[values > level]
        if not high.size or not low.size:
            break
        after = float(low.mean() + high.mean()) / 2
        if math.isclose(after, level, rel_tol=1e-4):
            break
        level = after
    return level


def _levels(values: Array) -> list[float]:
    """For each part of `HELD`, the value that voxels exceed which hold this part of the sum."""
    falling = np.sort(values.ravel())[::-1]
    held = falling.cumsum() / (falling.sum() or 1)
    return [float(falling[np.searchsorted(held, part).clip(max=len(held) - 1)]) for part in HELD]


def _shells(go: Any, name: str, values: Array, level: float, where: dict[str, Array], end: float) -> Any:
    colours = [[step, to_hex(MAGNITUDE(0.9 - 0.75 * step))] for step in np.linspace(0, 1, 9).tolist()]
    return go.Isosurface(
        **where,
        value=values.ravel(),
        isomin=level,
        isomax=float(values.max()),
        surface={"count": 4},
        caps=_no_caps(),
        colorscale=colours,
        cmin=0,
        cmax=end,
        colorbar={"title": {"text": "|γ| per voxel"}, "len": 0.7},
        opacity=0.35,
        name=name,
    )


def _no_caps() -> dict[str, Any]:
    return {letter: {"show": False} for letter in "xyz"}


def _buttons(found: Explained, a: Coefficients) -> dict[str, Any]:
    """One a scale, with what it spans; the input's surface stays."""
    labels, names = found.grid.labels(a.layout), list(found.maps)
    buttons = [
        {
            "label": f"{name} · {labels[name]}" if name in labels else name,
            "method": "update",
            "args": [{"visible": [True, *(other == name for other in names)]}],
        }
        for name in names
    ]
    place = {"x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"}
    return {"type": "buttons", "direction": "right", "buttons": buttons, **place}


def _slider(levels: dict[str, list[float]]) -> dict[str, Any]:
    """One step for each part of `HELD`; it moves the outermost shell of every scale."""
    steps = [
        {
            "label": f"{part:.0%}",
            "method": "restyle",
            "args": [{"isomin": [found[k] for found in levels.values()]}, [*range(1, len(levels) + 1)]],
        }
        for k, part in enumerate(HELD)
    ]
    shown = {"prefix": "the outermost shell holds ", "suffix": " of the scale's Σ|γ|"}
    return {"active": FIRST, "currentvalue": shown, "pad": {"t": 10, "b": 20}, "x": 0.02, "len": 0.9, "steps": steps}
