"""How signals are drawn in a panel: pictures, volumes by their middle, and lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.patches import Rectangle

from wavelens import maps
from wavelens.core import Band, Layout
from wavelens.plots.parts import (
    DPI,
    GAP,
    HEADER,
    INK,
    MAGNITUDE,
    MARGIN,
    TITLE,
    WIDTH,
    Array,
    Frame,
    column_starts,
    draw_glow,
    draw_picture,
    fill_wave,
    write_over,
)

MAX_COLUMNS = 8  # scales in a row


@dataclass(frozen=True)
class Cells:
    """Where each part of a panel lies; `scales` is empty where the one scale is the sum.

    `second` is beside the signal, for the mosaic or the rose, and `spatial` after it.
    """

    height: float
    signal: Frame
    second: Frame
    spatial: Frame
    profile: Frame
    scales: tuple[Frame, ...]
    bar: Frame


@dataclass(frozen=True)
class AxesView:
    """How signals with one number of axes are drawn."""

    unit: str
    arrange: Callable[[tuple[int, ...], int, bool, bool], Cells]
    signal: Callable[[Axes, Array], None]
    part: Callable[[Axes, Array], None]
    overlay: Callable[[Axes, Array, Array, PowerNorm], None]
    mosaic: Callable[[Axes, Array, Layout, PowerNorm], None]


# Pictures: signals with two axes, and with three by their middle.


def _arrange_pictures(axes: tuple[int, ...], count: int, has_second: bool, has_map: bool) -> Cells:
    """Input, mosaic or rose, sum and profile in a row; the scales below, unless the one scale is the sum itself."""
    aspect = min(max(axes[-2] / axes[-1], 0.4), 1.6)
    side, inner = 3.1, WIDTH - 2 * MARGIN
    row = [
        Frame(MARGIN + k * (side + GAP), HEADER + TITLE, side, side * aspect) for k in range(1 + has_second + has_map)
    ]
    first, second, spatial = row[0], row[has_second], row[-1]
    bar = Frame(spatial.left + side + 0.12, spatial.top, 0.2, spatial.height)
    left = bar.left + 1.65
    profile = Frame(left, bar.top, WIDTH - MARGIN - left, bar.height)
    bottom = bar.top + bar.height + GAP
    if count == 1:
        return Cells(bottom, first, second, spatial, profile, (), bar)
    columns = -(-count // -(-count // MAX_COLUMNS))  # rows of as many
    width = side if columns < 4 else (inner - (columns - 1) * GAP) / columns  # few scales: below the columns above
    lines, step = range(-(-count // columns)), TITLE + width * aspect + GAP
    places = [(MARGIN + k * (width + GAP), bottom + TITLE + line * step) for line in lines for k in range(columns)]
    scales = tuple(Frame(x, y, width, width * aspect) for x, y in places[:count])
    return Cells(bottom + len(lines) * step, first, second, spatial, profile, scales, bar)


def _draw_picture_mosaic(ax: Axes, picture: Array, layout: Layout, norm: PowerNorm) -> None:
    ax.imshow(picture, cmap=MAGNITUDE, norm=norm)
    inch = min(ax.bbox.height / picture.shape[0], ax.bbox.width / picture.shape[1]) / DPI  # a coefficient's side
    for name, (*_, rows, columns) in _front_bands(layout).items():
        height, width = rows.stop - rows.start, columns.stop - columns.start
        corner = columns.start - 0.5, rows.start - 0.5
        ax.add_patch(Rectangle(corner, width, height, fill=False, edgecolor="white", linewidth=0.7, alpha=0.8))
        if min(width, 2 * height) * inch >= 0.55:
            _name_band(ax, name, corner)


def _front_bands(layout: Layout) -> dict[str, tuple[slice, ...]]:
    """The bands of the last two axes: in a volume, details of the first axis lie behind the others."""
    places = maps.mosaic_slices(layout).items()
    bands = [(band, place) for band, place in places if "d" in band.key[-2:] or not band.is_detail]
    return {str(Band(band.level, band.key[-2:], ())): place for band, place in bands}


def _name_band(ax: Axes, name: str, corner: tuple[float, float]) -> None:
    write_over(ax, name, corner, (4, -4), size=11, va="top")


def _draw_slice(ax: Axes, x: Array) -> None:
    ax.set_title(f"input, slice {x.shape[1] // 2 + 1} of {x.shape[1]}", size=15, loc="left", color=INK)
    draw_picture(ax, _middle(x))


def _draw_middle(ax: Axes, x: Array) -> None:
    draw_picture(ax, _middle(x))


def _draw_slice_glow(ax: Axes, x: Array, heat: Array, norm: PowerNorm) -> None:
    draw_glow(ax, _middle(x), _middle(heat[None])[0], norm)


def _draw_slice_mosaic(ax: Axes, picture: Array, layout: Layout, norm: PowerNorm) -> None:
    """The largest value along the first axis: a slice would show the details of that axis alone."""
    ax.set_title("mosaic, largest along axis 1", size=15, loc="left", color=INK)
    _draw_picture_mosaic(ax, picture.max(0), layout, norm)


def _middle(x: Array) -> Array:
    return x[:, x.shape[1] // 2]


# Lines: signals with one axis.


def _arrange_lines(axes: tuple[int, ...], count: int, has_second: bool, has_map: bool) -> Cells:
    """Signal, sum and scales under each other on one time axis; profile and mosaic beside them."""
    width, row = 10.3, 0.9 if count > 1 else 1.5
    step = row + 0.42
    signal = Frame(MARGIN, HEADER + TITLE, width, 1.5)
    spatial = Frame(MARGIN, signal.top + signal.height + 0.75, width, row)
    first = spatial.top + step
    scales = tuple(Frame(MARGIN, first + k * step, width, row) for k in range(count)) if count > 1 else ()
    bar = Frame(MARGIN + width + 0.12, spatial.top, 0.2, row + step * bool(scales))
    left = MARGIN + width + 1.9
    mosaic = Frame(left - 0.5, signal.top, WIDTH - MARGIN - left + 0.5, signal.height)
    profile = Frame(
        left, first - 0.2 if scales else spatial.top, WIDTH - MARGIN - left, count * step
    )  # bars by their rows
    return Cells(profile.top + profile.height + GAP, signal, mosaic, spatial, profile, scales, bar)


def _draw_wave(ax: Axes, x: Array) -> None:
    fill_wave(ax, x, INK)
    ax.set_xticks(np.linspace(0, x.shape[1], 5).round())
    ax.tick_params(labelsize=11)


def _draw_wave_glow(ax: Axes, x: Array, heat: Array, norm: PowerNorm) -> None:
    """The wave in grey over a strip with the map's colours."""
    starts = column_starts(len(heat))
    behind = ax.twinx()
    fill_wave(behind, x, "#ffffff66")
    behind.set_axis_off()
    strip = np.maximum.reduceat(heat, starts)[None]
    ax.imshow(strip, cmap=MAGNITUDE, norm=norm, aspect="auto", extent=(-0.5, len(heat) - 0.5, 0, 1))


def _draw_line_mosaic(ax: Axes, picture: Array, layout: Layout, norm: PowerNorm) -> None:
    starts = column_starts(len(picture))
    strip = np.maximum.reduceat(picture, starts)[None]
    ax.imshow(strip, cmap=MAGNITUDE, norm=norm, aspect="auto", extent=(-0.5, len(picture) - 0.5, 0, 1))
    for band, (place,) in maps.mosaic_slices(layout).items():
        ax.axvline(place.start - 0.5, color="white", linewidth=0.9)
        if place.stop - place.start >= 0.1 * len(picture):
            _name_band(ax, str(band), (place.start, 1))


VIEWS = {
    1: AxesView("sample", _arrange_lines, _draw_wave, _draw_wave, _draw_wave_glow, _draw_line_mosaic),
    2: AxesView("px", _arrange_pictures, draw_picture, draw_picture, draw_glow, _draw_picture_mosaic),
    3: AxesView("voxel", _arrange_pictures, _draw_slice, _draw_middle, _draw_slice_glow, _draw_slice_mosaic),
}
