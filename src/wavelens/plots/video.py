"""Videos explained: a strip of frames with a map for each scale, the course of each scale of time, and an overlay.

As in the panel, one colour scale serves a whole figure or film.
"""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from wavelens import maps
from wavelens.core import Coefficients, Scale, one_item
from wavelens.grid import Grid
from wavelens.plots.bars import draw_profile
from wavelens.plots.figure import Figure
from wavelens.plots.parts import (
    DPI,
    GAP,
    HEADER,
    INK,
    MARGIN,
    TITLE,
    WIDTH,
    Frame,
    add_axes,
    array,
    common_scale,
    draw_bar,
    draw_glow,
    draw_picture,
    glow,
    origin_of,
    title_of,
    write_header,
    write_over,
)

FRAMES, SPACE = 8, 0.08  # frames in a strip, inches between them
COURSE = 2.6  # inches of height
LINES = ("#222222", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")  # Okabe and Ito's
SMALLEST = 320  # pixels of an overlay's shorter side, at least: players blur what is smaller


def film(
    a: Coefficients,
    x: Tensor,
    item: int = 0,
    title: str = "",
    shared_scale: float | None = None,
    grid: Grid | None = None,
) -> Figure:
    """A video explained in one figure: frames, the map of all scales and of each over them, courses in time, profile.

    `x` is the explained video `(batch, 3, time, height, width)` in [0, 1]; of many frames, eight are shown, evenly
    apart. A course is the |γ| of one scale of time in each frame, whatever its scale in space ('a': what stays). `grid`
    names scales and frames in seconds, see `Video.grid`. `shared_scale` as in `panel`.
    """
    _check(a, x)
    grid = grid or Grid.plain(3)
    one, signal = one_item(a, item), array(x[item])
    norm = PowerNorm(0.5, 0, common_scale(one) if shared_scale is None else shared_scale, clip=True)
    scales = {name: array(heat[0]) for name, heat in maps.scale_maps(one).items()}
    titles = grid.titles(a.layout)
    rows = {"all scales": array(maps.spatial_map(one)[0])}
    rows |= {titles[name]: heat for name, heat in scales.items()}
    shown = _shown(signal.shape[1])
    width = (WIDTH - 2 * MARGIN - (len(shown) - 1) * SPACE) / max(len(shown), 4)
    step = width * signal.shape[2] / signal.shape[3] + TITLE
    top = HEADER + step * (len(rows) + 1) + GAP + TITLE
    figure = Figure((WIDTH, top + COURSE + 0.8), dpi=DPI, facecolor="white")
    write_header(figure, title or title_of(a), origin_of(a))

    for number, (name, heat) in enumerate([("frames", None), *rows.items()]):
        for column, k in enumerate(shown):
            box = Frame(MARGIN + column * (width + SPACE), HEADER + number * step + TITLE, width, step - TITLE)
            ax = add_axes(figure, box, "" if column else name)
            if heat is None:
                draw_picture(ax, signal[:, k])
                write_over(ax, _time(k, grid), (0, 0), (3, 3), xycoords="axes points", size=10)
            else:
                draw_glow(ax, signal[:, k], heat[k], norm)
    _draw_courses(add_axes(figure, Frame(MARGIN + 0.6, top, 6.4, COURSE), "|γ| of each scale of time"), one, grid)
    draw_bar(figure, Frame(MARGIN + 7.5, top, 0.2, COURSE), norm, "sample")
    left = MARGIN + 9.4
    draw_profile(figure, Frame(left, top, WIDTH - MARGIN - left, COURSE), a, item)
    return figure


def overlay(a: Coefficients, x: Tensor, item: int = 0, shared_scale: float | None = None) -> Tensor:
    """The video with the map of all scales over it, `(1, 3, time, height, width)` in [0, 1], ready for `write_video`.

    The map glows over the darkened grey frames, as in `film`; sides shorter than 320 pixels are enlarged by a whole
    factor, each pixel a square.
    """
    _check(a, x)
    one, signal = one_item(a, item), array(x[item])
    norm = PowerNorm(0.5, 0, common_scale(one) if shared_scale is None else shared_scale, clip=True)
    glowing = glow(signal, np.asarray(norm(array(maps.spatial_map(one)[0]))))
    factor = -(-SMALLEST // min(glowing.shape[1:3]))
    large = glowing.repeat(factor, 1).repeat(factor, 2)
    return torch.from_numpy(large).float().permute(3, 0, 1, 2)[None]


def _check(a: Coefficients, x: Tensor) -> None:
    axes = a.layout.signal_shape
    if (
        a.data.ndim != 3
        or len(axes) != 3
        or tuple(x.shape) != (len(a.data), x.shape[1], *axes)
        or x.shape[1] not in (1, 3)
    ):
        raise ValueError(
            "a film shows the explained video (batch, 3, time, height, width) with coefficients (batch, channel, size) "
            f"of one target; got {tuple(x.shape)} with {tuple(a.data.shape)} for axes {axes}."
        )


def _shown(frames: int) -> list[int]:
    """Evenly apart, the middle of each part."""
    count = min(frames, FRAMES)
    return [int((k + 0.5) * frames / count) for k in range(count)]


def _time(k: int, grid: Grid) -> str:
    return f"{k * grid.spacing[0]:.3g} s" if grid.units[0] == "s" else f"frame {k + 1}"


def _draw_courses(ax: Axes, one: Coefficients, grid: Grid) -> None:
    courses = {name: array(course[0]) for name, course in maps.courses(one, 0).items()}
    frames = one.layout.signal_shape[0]
    seconds = grid.units[0] == "s"
    times = np.arange(frames) * (grid.spacing[0] if seconds else 1) + (0 if seconds else 1)
    unit = "s" if seconds else "frames"
    scales = maps.along(one.layout, 0)
    for (name, course), colour in zip(courses.items(), LINES * 3, strict=False):
        stays = f"{name} · stays" if len(courses) > 1 else "all scales"  # where time is not split
        label = f"{name} · {_span(grid, scales[name])} {unit}" if scales[name].is_detail else stays
        ax.plot(times, course, color=colour, linewidth=2, label=label, marker="o", markersize=3)
    ax.set_xlim(times[0], times[-1] if frames > 1 else times[0] + 1)
    lines = -(-len(courses) // 2)  # of the legend, which has its room above the courses
    ax.set_ylim(0, (max(course.max() for course in courses.values()) or 1) * (1.1 + 0.15 * lines))
    ax.tick_params(labelsize=11)
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=not seconds))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.set_xlabel(unit, size=12, color=INK)
    ax.legend(fontsize=11, frameon=False, ncols=2, loc="upper left")


def _span(grid: Grid, scale: Scale) -> str:
    """From where to where a detail reaches in time."""
    return "–".join(f"{end:.3g}" for end in grid.span(0, scale.extent[0]))
