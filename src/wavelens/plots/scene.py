"""A page to turn an explained volume on: its surface, and shells around what matters."""

from __future__ import annotations

import html
import math
import textwrap
from typing import Any

import numpy as np
import torch
from matplotlib.colors import to_hex
from torch import Tensor

from wavelens.core import Coefficients
from wavelens.grid import Grid
from wavelens.optional import optional
from wavelens.plots.parts import MAGNITUDE, Array, origin_of, title_of
from wavelens.plots.volume import ShownVolume, explained

FINEST = 44  # voxels along an axis of the page: more make it slow to turn
HELD = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # parts of a scale's |γ| that its outermost shell may hold
FIRST = 4  # the part that the page opens with


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

    A menu chooses the scale, a slider how much of its Σ|γ| the outermost shell holds; colours are the same |γ| for
    each voxel in all scales. Volumes with more than 44 voxels along an axis are shown by their means over blocks. The
    page fits a telephone, too. Needs plotly.
    """
    go = optional("plotly.graph_objects", "medical")
    volume = explained(a, x, item, grid, shared_scale)
    blocks = tuple(min(FINEST, n) for n in volume.grey.shape)
    where = _centres(volume, blocks)
    figure = go.Figure(_surface(go, _blocks(volume.grey, blocks), where))
    shells = {name: _blocks(values, blocks) for name, values in volume.maps.items()}
    levels = {name: _levels(values) for name, values in shells.items()}
    for name, values in shells.items():
        figure.add_trace(_shells(go, name, values, levels[name][FIRST], where, volume.end))
    figure.update_traces(visible=False, selector=lambda trace: trace.name not in ("input", "all scales"))
    figure.update_layout(
        title={"text": _lines(title or title_of(a), 40), "subtitle": {"text": _lines(origin_of(a), 54)}, "x": 0.01},
        title_y=0.97,
        scene={f"{letter}axis": {"title": {"text": _axis_name(volume, k)}} for k, letter in enumerate("xyz")}
        | {
            "aspectmode": "manual",
            "aspectratio": _proportions(where),
            "camera": {"eye": {"x": 1.9, "y": 1.9, "z": 1.2}, "center": {"x": 0, "y": 0, "z": -0.15}},
        },
        updatemenus=[_menu(volume, a)],
        sliders=[_slider(levels)],
        margin={"l": 10, "r": 10, "b": 180, "t": 180},
        height=860,
    )
    page: str = figure.to_html(include_plotlyjs=True, full_html=True, config={"displaylogo": False})
    head = '<head><meta name="viewport" content="width=device-width, initial-scale=1">'
    return page.replace("<head>", f"{head}<title>{html.escape(title or title_of(a))}</title>", 1)


def _lines(text: str, width: int) -> str:
    """Plotly's markup for a text in lines of so many letters, as many as a narrow page has room for."""
    return "<br>".join(map(html.escape, textwrap.wrap(text, width, break_on_hyphens=False)))


def _blocks(values: Array, blocks: tuple[int, ...]) -> Array:
    """Means over blocks."""
    pool = torch.nn.AdaptiveAvgPool3d(blocks)
    means: Array = pool(torch.from_numpy(np.ascontiguousarray(values))[None])[0].float().numpy()
    return means


def _centres(volume: ShownVolume, blocks: tuple[int, ...]) -> dict[str, Array]:
    """Where the blocks lie, in the grid's unit from the centre of the first voxel."""
    triples = zip(volume.grey.shape, blocks, volume.grid.spacing, strict=True)
    lines = [((np.arange(m) + 0.5) * n / m - 0.5) * step for n, m, step in triples]
    points = np.meshgrid(*lines, indexing="ij")
    return {letter: p.ravel().astype(np.float32) for letter, p in zip("xyz", points, strict=True)}


def _proportions(where: dict[str, Array]) -> dict[str, float]:
    """The axes' lengths, with a unit cube's diagonal; with its volume, as plotly has it, a long one leaves the page."""
    lengths = {letter: float(np.ptp(points)) for letter, points in where.items()}
    return {letter: math.sqrt(3) * length / math.hypot(*lengths.values()) for letter, length in lengths.items()}


def _axis_name(volume: ShownVolume, axis: int) -> str:
    return f"axis {axis + 1} ({volume.grid.units[axis]})"


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
        colorbar={"title": {"text": "|γ| per voxel", "side": "top"}, "orientation": "h", "thickness": 12, "nticks": 6}
        | {"x": 0.02, "xanchor": "left", "y": -0.01, "yanchor": "top", "len": 0.9},
        opacity=0.35,
        name=name,
    )


def _no_caps() -> dict[str, Any]:
    return {letter: {"show": False} for letter in "xyz"}


def _menu(volume: ShownVolume, a: Coefficients) -> dict[str, Any]:
    """One line per scale, with what it spans; the input's surface stays."""
    titles, names = volume.grid.titles(a.layout), list(volume.maps)
    buttons = [
        {
            "label": titles.get(name, name),
            "method": "update",
            "args": [{"visible": [True, *(other == name for other in names)]}],
        }
        for name in names
    ]
    place = {"x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"}
    return {"type": "dropdown", "direction": "down", "buttons": buttons, **place}


def _slider(levels: dict[str, list[float]]) -> dict[str, Any]:
    """One step for each part of `HELD`; it moves the outermost shell of every scale."""
    steps = [
        {
            "label": f"{part:.0%}",
            "method": "restyle",
            "args": [{"isomin": [level[k] for level in levels.values()]}, [*range(1, len(levels) + 1)]],
        }
        for k, part in enumerate(HELD)
    ]
    shown = {"prefix": "the outermost shell holds ", "suffix": " of the scale's Σ|γ|"}
    return {"active": FIRST, "currentvalue": shown, "pad": {"t": 75, "b": 10}, "x": 0.02, "len": 0.9, "steps": steps}
