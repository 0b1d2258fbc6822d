"""The panel of an explanation: input, mosaic, a map for each scale and the profile. Drawing only, from `maps`.

One colour scale serves a whole figure: |γ| for each sample, under a square root that keeps faint parts visible. No
band and no map is normalised by itself, so what is brighter matters more, in the mosaic and between the scales.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import PowerNorm
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from torch import Tensor

from wavelens import maps
from wavelens.core import Band, Coefficients, Layout
from wavelens.grid import Grid
from wavelens.plots.figure import Figure

Array = NDArray[Any]

MAGNITUDE = colormaps["inferno"]  # as all colours here: told apart with any colour vision, and in grey
POSITIVE, NEGATIVE, SHARE, INK, FAINT = "#d55e00", "#0072b2", "#5b5b5b", "#222222", "#9a9a9a"
PERCENTILE = 99.0  # of the values that are not 0: a few outliers do not make the rest dark
DPI = 100
WIDTH, MARGIN, GAP, TITLE, HEADER = 16.0, 0.3, 0.3, 0.45, 0.85  # inches


class Box(NamedTuple):
    """Where axes lie in a figure, in inches from its upper left corner."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Cells:
    """Where each part of a panel lies; `scales` is empty where the one scale is the sum."""

    height: float
    signal: Box
    mosaic: Box
    spatial: Box
    profile: Box
    scales: tuple[Box, ...]
    bar: Box


@dataclass(frozen=True)
class View:
    """How signals with one number of axes are drawn."""

    unit: str
    arrange: Callable[[tuple[int, ...], int], Cells]
    signal: Callable[[Axes, Array], None]
    overlay: Callable[[Axes, Array, Array, PowerNorm], None]
    mosaic: Callable[[Axes, Array, Layout, PowerNorm], None]


def panel(
    a: Coefficients,
    x: Tensor,
    item: int = 0,
    title: str = "",
    shared_scale: float | None = None,
    grid: Grid | None = None,
) -> Figure:
    """The explanation of one item in one figure: input, mosaic, a map for each scale, their sum, and the profile.

    `x` is the explained signal `(batch, channel, *axes)` with 1 to 3 axes; images have 1 or 3 channels and values in
    [0, 1], volumes are shown by their central slice. `shared_scale` is the |γ| for each sample at which colours end
    (see `common_scale`), for figures to be compared; without it they end at the item's own. `grid` names the scales in
    its units; without it they are named in samples, pixels or voxels.
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
            f"x is the explained signal ({len(a.data)}, channel, {', '.join(map(str, axes))}); got {tuple(x.shape)}. "
            "Pass the x that was attributed, at the resolution that the model saw."
        )
    view, signal = VIEWS[len(axes)], _array(x[item])
    one = Coefficients(a.data[item][None], a.layout)
    norm = PowerNorm(0.5, 0, common_scale(one) if shared_scale is None else shared_scale, clip=True)
    scales = maps.scale_maps(one)
    labels = (grid or Grid.plain(len(axes))).labels(a.layout)
    cells = view.arrange(axes, len(scales))
    figure = Figure((WIDTH, cells.height), dpi=DPI, facecolor="white")
    _write_header(figure, title or _title(a), _origin(a))

    view.signal(_axes(figure, cells.signal, "input"), signal)
    view.overlay(
        _axes(figure, cells.spatial, "all scales" if cells.scales else "map"),
        signal,
        _array(maps.spatial_map(one)[0]),
        norm,
    )
    view.mosaic(_axes(figure, cells.mosaic, "mosaic"), _array(maps.mosaic(maps.density(one))[0, 0]), a.layout, norm)
    for box, (name, found) in zip(cells.scales, scales.items(), strict=bool(cells.scales)):
        view.overlay(_axes(figure, box, f"{name} · {labels[name]}"), signal, _array(found[0]), norm)
    _draw_bar(figure, cells.bar, norm, view.unit)
    _draw_profile(figure, cells.profile, a, item)
    return figure


def show(a: Coefficients, x: Tensor) -> Figure:
    """The panel of the first item; a notebook shows the figure that is returned."""
    return panel(a, x)


def save(figure: Figure, path: str | PathLike[str], dpi: int = DPI) -> None:
    """Write a figure to a file; the suffix chooses the format: png, pdf, svg or jpg."""
    figure.savefig(path, dpi=dpi)


def common_scale(a: Coefficients) -> float:
    """A `shared_scale` for every item of `a`: the 99th percentile of |γ| for each sample, where it is not 0."""
    return _end(_array(maps.spatial_map(a)))


def _end(found: Array) -> float:
    """Where the colours of these values end."""
    visible = found[found > 0]
    return float(np.percentile(visible, PERCENTILE)) if visible.size else 1.0


# Pictures: signals with two axes, and with three by their middle.


def _arrange_pictures(axes: tuple[int, ...], count: int) -> Cells:
    """Input, mosaic, sum and profile in a row; a row of scales below, unless the one scale is the sum itself."""
    aspect = min(max(axes[-2] / axes[-1], 0.4), 1.6)
    side, inner = 3.1, WIDTH - 2 * MARGIN
    row = [Box(MARGIN + k * (side + GAP), HEADER + TITLE, side, side * aspect) for k in range(3)]
    bar = Box(row[2].left + side + 0.12, row[2].top, 0.2, row[2].height)
    left = bar.left + 1.65
    profile = Box(left, bar.top, WIDTH - MARGIN - left, bar.height)
    bottom = bar.top + bar.height + GAP
    if count == 1:
        return Cells(bottom, row[0], row[1], row[2], profile, (), bar)
    width = side if count < 4 else (inner - (count - 1) * GAP) / count  # few scales: below the columns above
    top = bottom + TITLE
    scales = tuple(Box(MARGIN + k * (width + GAP), top, width, width * aspect) for k in range(count))
    return Cells(top + width * aspect + GAP, row[0], row[1], row[2], profile, scales, bar)


def _draw_picture(ax: Axes, x: Array) -> None:
    shown = np.moveaxis(x, 0, -1) if len(x) == 3 else x.mean(0)
    ax.imshow(shown.clip(0, 1), cmap="gray", vmin=0, vmax=1)


def _draw_glow(ax: Axes, x: Array, found: Array, norm: PowerNorm) -> None:
    ax.imshow(_glow(x, np.asarray(norm(found))))


def _glow(x: Array, strength: Array) -> Array:
    """A map in [0, 1] over the darkened grey picture, the more opaque the larger it is: `(*axes, 3)`."""
    grey = 0.6 * x.mean(0).clip(0, 1)[..., None]
    glowing: Array = grey * (1 - strength[..., None]) + MAGNITUDE(strength)[..., :3] * strength[..., None]
    return glowing


def _draw_picture_mosaic(ax: Axes, picture: Array, layout: Layout, norm: PowerNorm) -> None:
    ax.imshow(picture, cmap=MAGNITUDE, norm=norm)
    inch = min(ax.bbox.height / picture.shape[0], ax.bbox.width / picture.shape[1]) / DPI  # a coefficient's side
    for name, (*_, rows, columns) in _seen_bands(layout).items():
        height, width = rows.stop - rows.start, columns.stop - columns.start
        corner = columns.start - 0.5, rows.start - 0.5
        ax.add_patch(Rectangle(corner, width, height, fill=False, edgecolor="white", linewidth=0.7, alpha=0.8))
        if min(width, 2 * height) * inch >= 0.55:
            _name_band(ax, name, corner)


def _seen_bands(layout: Layout) -> dict[str, tuple[slice, ...]]:
    """The bands of the last two axes: in a volume, details of the first axis lie behind the others."""
    places = maps.mosaic_slices(layout).items()
    seen = [(band, place) for band, place in places if "d" in band.key[-2:] or not band.is_detail]
    return {str(Band(band.level, band.key[-2:], ())): place for band, place in seen}


def _name_band(ax: Axes, name: str, corner: tuple[float, float]) -> None:
    ax.annotate(name, corner, (4, -4), textcoords="offset points", color="white", size=11, va="top")


def _draw_slice(ax: Axes, x: Array) -> None:
    ax.set_title(f"input, slice {x.shape[1] // 2 + 1} of {x.shape[1]}", size=15, loc="left", color=INK)
    _draw_picture(ax, _middle(x))


def _draw_slice_glow(ax: Axes, x: Array, found: Array, norm: PowerNorm) -> None:
    _draw_glow(ax, _middle(x), _middle(found[None])[0], norm)


def _draw_slice_mosaic(ax: Axes, picture: Array, layout: Layout, norm: PowerNorm) -> None:
    """The largest value along the first axis: a slice would show the details of that axis alone."""
    ax.set_title("mosaic, largest along axis 1", size=15, loc="left", color=INK)
    _draw_picture_mosaic(ax, picture.max(0), layout, norm)


def _middle(x: Array) -> Array:
    return x[:, x.shape[1] // 2]


# Lines: signals with one axis.


def _arrange_lines(axes: tuple[int, ...], count: int) -> Cells:
    """Signal, sum and scales under each other on one time axis; profile and mosaic beside them."""
    width, row = 10.3, 0.9 if count > 1 else 1.5
    step = row + 0.42
    signal = Box(MARGIN, HEADER + TITLE, width, 1.5)
    spatial = Box(MARGIN, signal.top + signal.height + 0.75, width, row)
    first = spatial.top + step
    scales = tuple(Box(MARGIN, first + k * step, width, row) for k in range(count)) if count > 1 else ()
    bar = Box(MARGIN + width + 0.12, spatial.top, 0.2, row + step * bool(scales))
    left = MARGIN + width + 1.9
    mosaic = Box(left - 0.5, signal.top, WIDTH - MARGIN - left + 0.5, signal.height)
    profile = Box(
        left, first - 0.2 if scales else spatial.top, WIDTH - MARGIN - left, count * step
    )  # bars by their rows
    return Cells(profile.top + profile.height + GAP, signal, mosaic, spatial, profile, scales, bar)


def _draw_wave(ax: Axes, x: Array) -> None:
    _fill_wave(ax, x, INK)
    ax.set_xticks(np.linspace(0, x.shape[1], 5).round())
    ax.tick_params(labelsize=11)


def _fill_wave(ax: Axes, x: Array, colour: str) -> None:
    """From the least to the greatest value, over channels and over samples that share a column of the figure."""
    starts = _columns(x.shape[1])
    low, high = np.minimum.reduceat(x.min(0), starts), np.maximum.reduceat(x.max(0), starts)
    ax.fill_between(starts, low, high, color=colour, linewidth=0.9)
    ax.set_xlim(0, max(x.shape[1] - 1, 1))


def _draw_wave_glow(ax: Axes, x: Array, found: Array, norm: PowerNorm) -> None:
    """The wave in grey over a strip with the map's colours."""
    starts = _columns(len(found))
    behind = ax.twinx()
    _fill_wave(behind, x, "#ffffff66")
    behind.set_axis_off()
    strip = np.maximum.reduceat(found, starts)[None]
    ax.imshow(strip, cmap=MAGNITUDE, norm=norm, aspect="auto", extent=(-0.5, len(found) - 0.5, 0, 1))


def _draw_line_mosaic(ax: Axes, picture: Array, layout: Layout, norm: PowerNorm) -> None:
    starts = _columns(len(picture))
    strip = np.maximum.reduceat(picture, starts)[None]
    ax.imshow(strip, cmap=MAGNITUDE, norm=norm, aspect="auto", extent=(-0.5, len(picture) - 0.5, 0, 1))
    for band, (place,) in maps.mosaic_slices(layout).items():
        ax.axvline(place.start - 0.5, color="white", linewidth=0.9)
        if place.stop - place.start >= 0.1 * len(picture):
            _name_band(ax, str(band), (place.start, 1))


def _columns(n: int) -> Array:
    """Where at most 2000 columns start among `n` samples."""
    return np.unique(np.linspace(0, n, min(n, 2000), endpoint=False).astype(int))


# What every panel has.


def _draw_bar(figure: Figure, box: Box, norm: PowerNorm, unit: str) -> None:
    cax = _axes(figure, box, "")
    bar = figure.colorbar(ScalarMappable(norm, MAGNITUDE), cax=cax, extend="max", extendfrac=0.03)
    bar.set_ticks(norm.inverse(np.array([0, 0.5, 1])))
    bar.ax.set_yticklabels([f"{tick:.2g}" for tick in bar.get_ticks()])
    cax.set_title(f"|γ| per {unit} (√)", size=12, loc="left", color=INK, pad=9)
    bar.ax.tick_params(labelsize=11)


def _draw_profile(figure: Figure, box: Box, a: Coefficients, item: int) -> None:
    profile = maps.profile(a)
    share, signed = _array(profile.share[item]), _array(profile.signed[item])
    error = getattr(a, "standard_error", None)
    less, more = 0.41 * box.width, 0.53 * box.width
    left = _axes(figure, box._replace(width=less), "share of Σ|γ|")
    right = _axes(figure, box._replace(left=box.left + box.width - more, width=more), "signed sum")
    uncertain = np.zeros_like(share) if error is None else _array(error[item])
    _draw_bars(left, share, [SHARE] * len(share), [f"{value:.0%}" for value in share], uncertain)
    colours = [POSITIVE if value >= 0 else NEGATIVE for value in signed]
    _draw_bars(right, signed, colours, _numbers(signed), np.zeros_like(signed))
    left.set_yticks(range(len(share)), profile.names, size=13)
    left.tick_params(axis="y", length=0)
    right.set_xlabel(_account(a, item, signed.sum()), size=12, loc="right")


def _draw_bars(ax: Axes, values: Array, colours: list[str], labels: list[str], error: Array) -> None:
    """Horizontal bars, the first on top, each with its number past its end and its standard error."""
    width, slot = ax.bbox.width / DPI, ax.bbox.height / DPI / len(values)
    places = np.arange(len(values))
    ax.barh(places, values, min(0.6, 0.4 / slot), color=colours)
    ax.errorbar(values, places, xerr=error, fmt="none", ecolor=INK, capsize=3 * bool(error.any()))
    for place, value, more, label in zip(places, values, error, labels, strict=True):
        side = 1 if value >= 0 else -1
        align = "left" if side > 0 else "right"
        end = value + side * more, place
        ax.annotate(label, end, (5 * side, 0), textcoords="offset points", size=11, va="center", ha=align)
    low, high = min((values - error).min(), 0), max((values + error).max(), 0)
    before = _room([label for label, value in zip(labels, values, strict=True) if value < 0]) / width
    after = _room([label for label, value in zip(labels, values, strict=True) if value >= 0]) / width
    span = (high - low or 1) / (1 - before - after)
    ax.set_xlim(low - before * span, high + after * span)
    ax.set_ylim(len(values) - 0.5, -0.5)
    ax.axvline(0, color=INK, linewidth=0.9, clip_on=False)
    ax.spines[:].set_visible(False)


def _room(labels: list[str]) -> float:
    """Inches for the longest of the labels."""
    return 0.085 * max(map(len, labels)) + 0.1 if labels else 0.0


def _numbers(values: Array) -> list[str]:
    """With sign, and as many decimals for all as show two or three digits of the largest."""
    magnitude = int(np.floor(np.log10(np.abs(values).max() or 1)))
    form = f"+.{max(1 - magnitude, int(magnitude < 2))}f" if -3 <= magnitude <= 5 else "+.0e"
    return [format(value, form).replace("-", "−") if value else "0" for value in values]


def _account(a: Coefficients, item: int, total: float) -> str:
    """What the signed sums add up to; for a path method also what they miss of f(x) − f(x₀)."""
    gap = getattr(a, "gap", None)
    parts = [f"total {total:+.3g}", *([] if gap is None else [f"gap {float(gap[item]):+.1g}"])]
    return " · ".join(parts).replace("-", "−")


def _title(a: Coefficients) -> str:
    target = getattr(a, "target", "")
    return f"target {target}" if target else "explanation"


def _origin(a: Coefficients) -> str:
    return " · ".join(text for text in (getattr(a, "method", ""), repr(a.layout.domain)) if text)


def _write_header(figure: Figure, title: str, origin: str) -> None:
    width, height = figure.get_size_inches()
    figure.text(MARGIN / width, 1 - 0.4 / height, title, size=18, weight="bold", va="center", color=INK)
    figure.text(MARGIN / width, 1 - 0.75 / height, origin, size=12, va="center", color=SHARE)


def _axes(figure: Figure, box: Box, title: str) -> Axes:
    width, height = figure.get_size_inches()
    bottom = height - box.top - box.height
    ax = figure.add_axes((box.left / width, bottom / height, box.width / width, box.height / height))
    ax.set_title(title, size=15, loc="left", color=INK)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_color(FAINT)
    return ax


def _array(values: Tensor) -> Array:
    return values.detach().cpu().double().numpy()


VIEWS = {
    1: View("sample", _arrange_lines, _draw_wave, _draw_wave_glow, _draw_line_mosaic),
    2: View("px", _arrange_pictures, _draw_picture, _draw_glow, _draw_picture_mosaic),
    3: View("voxel", _arrange_pictures, _draw_slice, _draw_slice_glow, _draw_slice_mosaic),
}
