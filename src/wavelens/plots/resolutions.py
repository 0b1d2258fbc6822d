"""Bands of several resolutions explained on one account: a row per resolution, all on one scale of colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from matplotlib.colors import PowerNorm
from torch import Tensor

from wavelens import accounts, maps
from wavelens.attribution import Attribution, Attributions
from wavelens.frontends.raster import composites
from wavelens.grid import Grid
from wavelens.plots.bars import draw_profile
from wavelens.plots.evidence import signed_glow
from wavelens.plots.figure import Figure
from wavelens.plots.parts import (
    DPI,
    GAP,
    HEADER,
    MARGIN,
    TITLE,
    WIDTH,
    Array,
    Frame,
    add_axes,
    array,
    draw_bar,
    draw_glow,
    draw_picture,
    fitting,
    origin_of,
    scale_end,
    title_of,
    write_header,
)
from wavelens.plots.series import draw_cells, strongest_channels

MAX_ROWS = 16  # bands of a resolution that are drawn: of more, those with the largest Σ|γ|
SIDE, NAMES, BAR = 2.4, 0.8, 0.9  # inches: a picture, the bands' names, the bar of colours with its numbers
PROFILE_ROW = 0.3  # inches of a scale in the profile of all


def resolutions(
    a: Attribution,
    signals: Mapping[str, Tensor],
    *,
    title: str = "",
    grids: Mapping[str, Grid] | None = None,
    channels: Mapping[str, Sequence[str]] | None = None,
) -> Figure:
    """The explanation of one input of several rasters: a row for each, and the profile of all of them.

    `a` is the joint attribution of one item, `signals` the rasters `(1, band, rows, columns)` by their names in it,
    `grids` says where their pixels lie and `channels` names their bands. A row has the picture, |γ|, what supports and
    what opposes the target, and the signed sums by band and scale. Colours are γ per area, of a pixel of the first
    raster, so that those of coarse and of fine rasters compare.

    >>> signals = {"m10": torch.rand(1, 2, 16, 16), "m20": torch.rand(1, 1, 8, 8)}
    >>> net = lambda m10, m20: (m10.mean((1, 2, 3)) - m20.mean((1, 2, 3)))[:, None]
    >>> domains = {"m10": wl.DWT("haar", 2), "m20": wl.DWT("haar", 1)}
    >>> several = wl.attribute(net, signals, 0, domain=domains, method=wl.IntegratedGradients())
    >>> len(wl.plots.resolutions(several.joint, signals).axes)
    10
    """
    sides = {name: replace(one, gap=a.gap) for name, one in Attributions(a).items()}
    grids = dict(grids or {name: Grid.plain(2) for name in signals})
    names = {name: tuple((channels or {}).get(name, ())) for name in signals}
    names = {name: own or tuple(f"band {k + 1}" for k in range(signals[name].shape[1])) for name, own in names.items()}
    finest = next(iter(signals.values()))
    areas = {name: finest[0, 0].numel() / x[0, 0].numel() for name, x in signals.items()}  # of a pixel of each
    heats = {name: array(maps.spatial_map(sides[name])[0]) / areas[name] for name in signals}
    end = scale_end(np.concatenate([heat.ravel() for heat in heats.values()]))
    profile = PROFILE_ROW * len(a.layout.scales())
    heights = {name: _height(one) for name, one in signals.items()}
    total = HEADER + sum(heights.values()) + len(signals) * (TITLE + GAP) + profile + TITLE + 2 * GAP
    figure = Figure((WIDTH, total), dpi=DPI, facecolor="white")
    write_header(figure, title or title_of(a), origin_of(a))
    top, norm = HEADER + TITLE, PowerNorm(0.5, 0, end, clip=True)
    for name, x in signals.items():
        _draw_row(figure, top, name, x, sides[name], heats[name], areas[name], norm, grids[name], names[name])
        top += heights[name] + TITLE + GAP
    first = next(iter(signals))
    box = Frame(WIDTH - MARGIN - BAR, HEADER + TITLE, 0.14, heights[first])
    draw_bar(figure, box, norm, f"pixel of {first}", is_narrow=True)
    draw_profile(figure, Frame(MARGIN + 1.4, top, WIDTH / 2, profile), a, 0)
    return figure


def _height(x: Tensor) -> float:
    rows, columns = x.shape[-2:]
    return SIDE * min(max(rows / columns, 0.4), 2.0)


def _draw_row(
    figure: Figure,
    top: float,
    name: str,
    x: Tensor,
    side: Attribution,
    heat: Array,
    area: float,
    norm: PowerNorm,
    grid: Grid,
    names: Sequence[str],
) -> None:
    height = _height(x)
    look, picture = next(iter(composites(x, names).items()))
    behind, signed = array(picture[0]), array(maps.spatial_map(side, signed=True)[0]) / area
    titles = [
        f"{name} · {look}",
        f"{name} · |γ|",
        *[f"{name} · for (orange), against (blue)"] * accounts.has_signs(side),
    ]
    axes = [
        add_axes(figure, Frame(MARGIN + k * (SIDE + GAP), top, SIDE, height), text, fitting(text, SIDE))
        for k, text in enumerate(titles)
    ]
    draw_picture(axes[0], behind)
    draw_glow(axes[1], behind, heat, norm)
    for ax in axes[2:]:
        ax.imshow(signed_glow(behind, signed, float(norm.vmax or 1.0)))
    left = MARGIN + len(axes) * (SIDE + GAP) + NAMES
    cells = add_axes(figure, Frame(left, top + 0.2, WIDTH - MARGIN - BAR - GAP - left, height - 0.2), "")
    draw_cells(cells, side, strongest_channels(side, MAX_ROWS), grid, names, "band")
