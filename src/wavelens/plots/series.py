"""Time series explained: a row per channel with the attribution behind its trace, channel × scale, and over frequency.

One colour scale serves the traces: γ for each sample, orange for what supports the target and blue for what opposes
it, under a square root.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from wavelens import maps
from wavelens.accounts import aligned
from wavelens.core import Coefficients, one_item
from wavelens.grid import Grid
from wavelens.plots.bars import draw_profile
from wavelens.plots.figure import Figure
from wavelens.plots.parts import (
    DPI,
    FAINT,
    HEADER,
    INK,
    MAGNITUDE,
    MARGIN,
    TITLE,
    WIDTH,
    Array,
    Frame,
    add_axes,
    array,
    draw_bar,
    fill_wave,
    literal,
    origin_of,
    scale_end,
    title_of,
    write_header,
)
from wavelens.plots.scalogram import COLUMNS, FrequencyAxis, has_frequencies, samples
from wavelens.plots.scalp import draw_scalps, scalp_boxes
from wavelens.plots.tints import tinted

MAX_ROWS = 24  # of channels that are drawn: of more, those that matter most
MAX_LINE_SAMPLES = 4000  # drawn as a line; more as an envelope
NAMES, PLOT, CELLS = 1.25, 8.4, 4.6  # inches of width: names of channels, traces, the matrix
ROW, PANE = (0.36, 1.3), 1.9  # inches of height: a channel at least and at most, the scalogram
ROWS_HEIGHT = 6.6  # inches, of all channels together
ABOVE_MARKS = 14  # points between the first trace and a title that stands above marks
Spans = Sequence[tuple[float, float]]  # from, to, in samples


def traces(
    a: Coefficients,
    x: Tensor,
    *,
    item: int = 0,
    title: str = "",
    grid: Grid | None = None,
    channels: Sequence[str] = (),
    marks: Spans = (),
    positions: Sequence[tuple[float, float, float]] = (),
    shared_scale: float | None = None,
) -> Figure:
    """The explanation of one series: each channel's trace over its attribution, and the sums by channel and scale.

    `x` is the explained signal `(batch, channel, samples)`. Behind each trace lies γ over time, all scales together;
    the cells beside it have the signed sum of each scale in that channel, so all cells add up to the attribution's sum.
    Below are |γ| over time and frequency, where the domain knows frequencies, and the scale profile. `channels` are
    names, `marks` spans of samples that the target is of. Where there are more than 24 channels, those with the largest
    Σ|γ| are drawn. With the `positions` of electrodes, (x, y, z) in metres, the sums of each scale are maps of the
    scalp at the foot. `shared_scale` is the |γ| per sample at which colours end, for figures to be compared.

    >>> x = torch.randn(1, 2, 64, generator=torch.Generator().manual_seed(0))
    >>> figure = wl.plots.traces(wl.DWT("haar", levels=2).analysis(x), x, channels=("I", "II"))
    >>> [ax.get_ylabel() for ax in figure.axes[:2]]
    ['I', 'II']
    """
    if len(a.layout.signal_shape) != 1 or a.data.ndim != 3 or tuple(x.shape[2:]) != a.layout.signal_shape:
        raise ValueError(
            f"traces show one target over one axis: coefficients (batch, channel, size) and their x; got "
            f"{tuple(a.data.shape)} for axes {a.layout.signal_shape}, and x {tuple(x.shape)}."
        )
    one, wave, grid = one_item(a, item), samples(x[item]), grid or Grid.plain(1)
    names = tuple(channels) or tuple(f"channel {k + 1}" for k in range(len(wave)))
    if len(names) != len(wave):
        raise ValueError(f"channels must name each of {len(wave)} channels; got {len(names)}.")
    shown = strongest_channels(one, MAX_ROWS)
    boxes = _boxes(len(shown), len(a.layout.scales()), has_frequencies(a.layout))
    bottom = max(box.top + box.height for box in boxes.values())
    heads = scalp_boxes(bottom + 0.75, len(a.layout.scales()), positions)
    bottom = max([bottom, *(box.top + box.height for box in heads)])
    figure = Figure((WIDTH, bottom + 0.75), facecolor="white", dpi=DPI)
    write_header(figure, title or title_of(a), origin_of(a))
    heat = array(channel_map(one)[0])
    end = scale_end(np.abs(heat)) if shared_scale is None else shared_scale
    axes = [_row_axes(figure, boxes["rows"], k, len(shown)) for k in range(len(shown))]
    for ax, k in zip(axes, shown, strict=True):
        _draw_trace(ax, wave[k], heat[k], end, literal(names[k]), marks)
    for start, stop in marks:
        middle = (start + max(stop, start + 1) - 1) / 2
        axes[0].plot(
            [middle], [1.03], "v", color=INK, markersize=7, clip_on=False, transform=axes[0].get_xaxis_transform()
        )
    left_out = f", the {len(shown)} of {len(names)} with the largest Σ|γ|" if len(shown) < len(names) else ""
    axes[0].set_title(
        f"traces over γ per sample, ±{end:.2g} (√){left_out}",
        size=15,
        loc="left",
        color=INK,
        pad=ABOVE_MARKS if marks else None,
    )
    _tick_times(axes[-1], wave.shape[1], grid)
    if len(names) > 1:
        draw_cells(add_axes(figure, boxes["cells"], ""), one, shown, grid)
    _draw_frequencies(figure, boxes, one, grid)
    if heads:
        draw_scalps(figure, heads, one, positions, names, grid)
    draw_profile(
        figure, boxes["profile"], a, item, grid.labels(a.layout) if all(grid.labels(a.layout).values()) else None
    )
    return figure


def channel_map(c: Coefficients) -> Tensor:
    """γ over time by channel, `(batch, channel, samples)`; |γ| of complex gradients, which have no sign."""
    return maps.spatial_map(c, signed=not c.data.is_complex(), by_channel=True)


def strongest_channels(one: Coefficients, most: int) -> list[int]:
    """The channels of one item with the largest Σ|γ|, at most so many, in their order."""
    sums = one.data[0].abs().sum(-1)
    return sorted(sums.argsort(descending=True, stable=True)[:most].tolist())


def _boxes(rows: int, scales: int, has_scalogram: bool) -> dict[str, Frame]:
    """Traces with the matrix beside them; below, the scalogram with the profile beside it."""
    left, top = MARGIN + NAMES, HEADER + TITLE + 0.1
    height = rows * min(max(ROWS_HEIGHT / rows, ROW[0]), ROW[1])
    right = left + PLOT + 0.35
    width = WIDTH - MARGIN - right
    boxes = {"rows": Frame(left, top, PLOT, height)}
    if rows > 1:
        boxes["cells"] = Frame(right, top, width, height)
    below, pane = top + height + 0.95, max(PANE, 0.24 * scales)
    if has_scalogram:
        boxes |= {"scalogram": Frame(left, below, PLOT, pane)}
    profile = Frame(right + 1.65, below, width - 1.65, pane)
    return boxes | {"profile": profile if has_scalogram or rows > 1 else profile._replace(top=top, height=pane)}


def _row_axes(figure: Figure, box: Frame, k: int, count: int) -> Axes:
    height = box.height / count
    return add_axes(figure, box._replace(top=box.top + k * height, height=height), "")


def _draw_trace(ax: Axes, wave: Array, heat: Array, end: float, name: str, marks: Spans) -> None:
    count = len(wave)
    low, high = float(wave.min()), float(wave.max())
    room = 0.08 * (high - low or 1)
    extent = (-0.5, count - 0.5, low - room, high + room)
    ax.imshow(tinted(heat[None], end), extent=extent, aspect="auto", interpolation="nearest", origin="lower")
    if count <= MAX_LINE_SAMPLES:
        ax.plot(np.arange(count), wave, color=INK, linewidth=0.9)
    else:
        fill_wave(ax, wave[None], INK)
    for start, stop in marks:
        ax.axvspan(start - 0.5, max(stop, start + 1) - 0.5, ymin=0, ymax=0.07, color=INK)
        ax.axvline((start + max(stop, start + 1) - 1) / 2, color=INK, linewidth=0.6, linestyle=":")
    ax.set_xlim(-0.5, count - 0.5)
    ax.set_ylim(extent[2:])
    ax.set_ylabel(name, rotation=0, ha="right", va="center", size=11, color=INK, labelpad=6)
    ax.spines[["top", "bottom"]].set_visible(False)


def draw_cells(
    ax: Axes, one: Coefficients, shown: Sequence[int], grid: Grid, names: Sequence[str] = (), what: str = "channel"
) -> None:
    """Signed sums, or of complex gradients shares, of each scale in each of the channels `shown`, with their totals."""
    profile = maps.profile(one, by_channel=True)
    signed = not one.data.is_complex()
    values = array((profile.signed if signed else profile.share)[0])[list(shown)]
    end = float(np.abs(values).max()) or 1.0
    ax.imshow(tinted(values, end), aspect="auto", interpolation="nearest")
    labels = grid.labels(one.layout)
    unit = grid.units[0]
    short = {name: "" if "×" in label else label.removesuffix(f" {unit}") for name, label in labels.items()}
    texts = [f"{name}\n{short[name]}" if short[name] else name for name in profile.names]
    ax.set_xticks(range(len(texts)), texts, size=9 if len(texts) <= 7 else 7)
    ax.xaxis.tick_top()
    if names:
        ax.set_yticks(range(len(shown)), [literal(names[k]) for k in shown], size=10)
    ax.tick_params(length=0)
    if len(values) <= MAX_ROWS and len(texts) <= 10:
        for (row, column), text in zip(np.ndindex(values.shape), aligned(values.ravel().tolist()), strict=True):
            ax.annotate(text, (column, row), ha="center", va="center", size=9, color=INK)
    ax.set_xlabel(("signed sum" if signed else "share of Σ|γ|") + f" by {what} and scale ({unit})", size=12, color=INK)


def _draw_frequencies(figure: Figure, boxes: dict[str, Frame], one: Coefficients, grid: Grid) -> None:
    if "scalogram" not in boxes:
        return
    cells, edges = maps.time_frequency(one, COLUMNS).cells()
    shown, step = array(cells[0]), grid.spacing[0]
    norm = PowerNorm(0.5, 0, scale_end(shown), clip=True)
    axis = FrequencyAxis(edges, 1 / step)
    ax = add_axes(figure, boxes["scalogram"], "|γ| over time and frequency, all channels")
    count = one.layout.signal_shape[0]
    ax.pcolormesh(
        np.linspace(-0.5, count - 0.5, shown.shape[1] + 1),
        axis.edges,
        shown,
        cmap=MAGNITUDE,
        norm=norm,
        rasterized=True,
    )
    axis.apply(ax, "Hz" if grid.units == ("Hz",) else f"cycles per {grid.units[0].removesuffix('s')}")
    ax.set_xlim(-0.5, count - 0.5)
    _tick_times(ax, count, grid)
    box = boxes["scalogram"]
    draw_bar(figure, Frame(box.left + box.width + 0.12, box.top, 0.14, box.height), norm, "sample")


def _tick_times(ax: Axes, count: int, grid: Grid) -> None:
    step, unit = grid.spacing[0], "s" if grid.units == ("Hz",) else grid.units[0]
    places = MaxNLocator(8, steps=[1, 2, 5, 10]).tick_values(0, (count - 1) * step)
    inside = [place for place in places if 0 <= place <= (count - 1) * step]
    ax.set_xticks([place / step for place in inside], [f"{place:.4g} {unit}" for place in inside], size=11)
    ax.tick_params(axis="x", color=FAINT)
