"""A page to turn an explained volume on: its surface, and shells around what matters."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import torch
from matplotlib.colors import to_hex
from torch import Tensor

from wavelens.core import Coefficients
from wavelens.grid import Grid
from wavelens.optional import optional
from wavelens.plots.parts import MAGNITUDE, Array, origin_of, title_of
from wavelens.plots.scene_axes import SceneAxis, points_of, scene_axes
from wavelens.plots.scene_page import themed
from wavelens.plots.shown_volume import ShownVolume, explained, fullest

FINEST = 44  # voxels along an axis of the page: more make it slow to turn
HELD = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # parts of a scale's |γ| that its outermost shell may hold
FIRST = 4  # the part that the page opens with
INPUT, INSIDE, REGION, PLANES = "input", "inside", "region", "planes"  # traces of the anatomy
GREY, OUTLINE = "#8a8f98", "#39b6e0"


def scene(
    a: Coefficients,
    x: Tensor,
    *,
    item: int = 0,
    title: str = "",
    grid: Grid | None = None,
    shared_scale: float | None = None,
    region: Tensor | None = None,
) -> str:
    """One HTML page, complete in itself, with the volume to turn: the anatomy, and shells around |γ| of a scale.

    A menu chooses the scale, a slider how much of its Σ|γ| the outermost shell holds; colours are the same |γ| for
    each voxel in all scales. Around the shells are the volume's own surface and what is brightest inside it, and on
    request three planes through where most |γ| lies; a second menu chooses. A `region` `(*axes)` has its own surface.
    Where `grid` knows the patient and the axes are not oblique, coordinates are the patient's in mm. Volumes with more
    than 44 voxels along an axis are shown by their means over blocks. The page is dark where the reader's system is,
    and fits a telephone. Needs plotly.
    """
    go = optional("plotly.graph_objects", "medical")
    volume = explained(a, x, item, grid, shared_scale, region)
    blocks = tuple(min(FINEST, n) for n in volume.grey.shape)
    axes = scene_axes(volume.grid, volume.grey.shape, blocks)
    where, grey = points_of(axes), _blocks(volume.grey, blocks)
    shells = {name: _blocks(values, blocks) for name, values in volume.maps.items()}
    levels = {name: _levels(values) for name, values in shells.items()}
    figure = go.Figure(_surface(go, INPUT, grey, _between(grey), where, 0.14))
    for name, values in shells.items():
        figure.add_trace(_shells(go, name, values, levels[name][FIRST], where, volume.end))
    figure.update_traces(visible=False, selector=lambda trace: trace.name not in (INPUT, "all scales"))
    inner = grey[grey > _between(grey)]
    if inner.size and inner.max() > inner.min():
        figure.add_trace(_surface(go, INSIDE, grey, _between(inner), where, 0.12))
    if volume.region is not None:
        figure.add_trace(_surface(go, REGION, _blocks(volume.region, blocks), 0.5, where, 0.3, OUTLINE))
    figure.add_traces(_planes(go, grey, fullest(shells["all scales"]), axes))
    figure.update_layout(
        title={"text": _lines(title or title_of(a), 40), "subtitle": {"text": _lines(origin_of(a), 54)}, "x": 0.01},
        title_y=0.97,
        scene={f"{axis.letter}axis": {"title": {"text": axis.title}} for axis in axes}
        | {
            "aspectmode": "manual",
            "aspectratio": _proportions(where),
            "camera": {"eye": {"x": 1.9, "y": 1.9, "z": 1.2}, "center": {"x": 0, "y": 0, "z": -0.15}},
        },
        updatemenus=[_menu(volume, a), _anatomy_menu([trace.name for trace in figure.data])],
        sliders=[_slider(levels)],
        margin={"l": 10, "r": 10, "b": 180, "t": 215},
        height=900,
    )
    return themed(figure, title or title_of(a))


def _lines(text: str, width: int) -> str:
    """Plotly's markup for a text in lines of so many letters, as many as a narrow page has room for."""
    return "<br>".join(map(escape, textwrap.wrap(text, width, break_on_hyphens=False)))


def _blocks(values: Array, blocks: tuple[int, ...]) -> Array:
    """Means over blocks."""
    pool = torch.nn.AdaptiveAvgPool3d(blocks)
    means: Array = pool(torch.from_numpy(np.ascontiguousarray(values))[None])[0].float().numpy()
    return means


def _proportions(where: dict[str, Array]) -> dict[str, float]:
    """The axes' lengths, with a unit cube's diagonal; with its volume, as plotly has it, a long one leaves the page."""
    lengths = {letter: float(np.ptp(points)) for letter, points in where.items()}
    return {letter: math.sqrt(3) * length / math.hypot(*lengths.values()) for letter, length in lengths.items()}


def _surface(
    go: Any, name: str, values: Array, level: float, where: dict[str, Array], opacity: float, colour: str = GREY
) -> Any:
    """The surface where values reach a level, in one colour."""
    return go.Isosurface(
        **where,
        value=values.ravel(),
        isomin=level,
        isomax=level,
        surface={"count": 1},
        caps=_no_caps(),
        colorscale=[[0, colour], [1, colour]],
        showscale=False,
        opacity=opacity,
        name=name,
        hoverinfo="skip",
    )


def _planes(go: Any, grey: Array, where: tuple[int, ...], axes: Sequence[SceneAxis]) -> list[Any]:
    """The volume itself in three planes, hidden at first."""
    planes = []
    for axis, place in enumerate(where):
        lines = [one.values[[place]] if k == axis else one.values for k, one in enumerate(axes)]
        points = [points.take(0, axis) for points in np.meshgrid(*lines, indexing="ij")]
        planes.append(
            go.Surface(
                **{one.letter: p for one, p in zip(axes, points, strict=True)},
                surfacecolor=grey.take(place, axis),
                cmin=0,
                cmax=1,
                colorscale=[[0, "#000000"], [1, "#ffffff"]],
                showscale=False,
                opacity=0.85,
                name=PLANES,
                hoverinfo="skip",
                visible=False,
            )
        )
    return planes


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
    """One line per scale, with what it spans; the anatomy stays."""
    titles, names = volume.grid.titles(a.layout), list(volume.maps)
    shells = [*range(1, len(names) + 1)]
    buttons = [
        {
            "label": titles.get(name, name),
            "method": "restyle",
            "args": [{"visible": [other == name for other in names]}, shells],
        }
        for name in names
    ]
    place = {"x": 0, "xanchor": "left", "y": 1.09, "yanchor": "bottom"}
    return {"type": "dropdown", "direction": "down", "buttons": buttons, **place}


def _anatomy_menu(names: Sequence[str]) -> dict[str, Any]:
    """Which part of the anatomy is around the shells."""
    choices = {
        "around it: surfaces": (INPUT, INSIDE, REGION),
        "around it: planes": (PLANES, REGION),
        "around it: surfaces and planes": (INPUT, INSIDE, REGION, PLANES),
        "around it: nothing": (),
    }
    places = [k for k, name in enumerate(names) if name in (INPUT, INSIDE, REGION, PLANES)]
    buttons = [
        {"label": label, "method": "restyle", "args": [{"visible": [names[k] in shown for k in places]}, places]}
        for label, shown in choices.items()
    ]
    place = {"x": 0, "xanchor": "left", "y": 1.01, "yanchor": "bottom"}
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
