"""Signals with one axis over time and frequency: each part of the attribution at its own times and frequencies.

As in the panel, one colour scale serves the figure: |γ| for each sample, under a square root.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from torch import Tensor

from wavelens import maps
from wavelens.core import Coefficients, Layout, one_item
from wavelens.grid import Grid
from wavelens.maps import TimeFrequency
from wavelens.plots.bars import draw_profile
from wavelens.plots.figure import Figure
from wavelens.plots.parts import (
    CHARACTER,
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
    origin_of,
    scale_end,
    title_of,
    write_header,
)

COLUMNS = 800  # of a spectrogram, at most
RANGE = 80.0  # decibels under its loudest point that a spectrogram shows
PLOT, PROFILE = 8.3, (3.3, 3.7)  # inches of width: panes at most, the profile at least and at most
WAVE, ROW, PANE = 1.1, 0.34, (1.4, 3.6)  # inches of height: the waveform, a scale, a pane at least and at most
KEY = 1.35  # inches of width of the colours with their numbers
BARS = 0.75  # inches of height of a scale in the profile, at most


class FrequencyAxis:
    """The edges of cells in cycles per sample as places on an axis, linear or logarithmic.

    Whichever shows the narrowest cell best; the lowest edge of a logarithmic axis, where it is 0, lies an octave below
    the next. `edges` are those of the figure, `rate` times the edges in cycles per sample.
    """

    def __init__(self, edges: tuple[float, ...], rate: float = 1.0) -> None:
        above = np.array([edges[0] or edges[1] / 2, *edges[1:]])
        self.is_logarithmic = len(edges) > 2 and _narrowest(np.log2(above)) >= _narrowest(np.array(edges))
        self.edges: Array = rate * (above if self.is_logarithmic else np.array(edges))

    def cells_at(self, count: int) -> Array:
        """The cell at each of `count` even steps up the axis."""
        places = self._places((np.arange(count) + 0.5) / count)
        cells: Array = (np.searchsorted(self.edges, places, side="right") - 1).clip(0, len(self.edges) - 2)
        return cells

    def narrowest(self, edges: Array) -> float:
        """The part of the axis that the narrowest of the cells between `edges` takes."""
        places = np.unique(edges.clip(self.edges[0], self.edges[-1]))
        return _narrowest(np.log2(places) if self.is_logarithmic else places)

    def steps(self, edges: Array, values: Array, count: int) -> tuple[Array, Array]:
        """The greatest value in each of `count` even steps up the axis, and their edges.

        `values` `(cells, columns)` lie between `edges`; values of cells lower than a step are not lost.
        """
        bounds, last = self._places(np.linspace(0, 1, count + 1)), len(values) - 1
        starts = (np.searchsorted(edges, bounds[:-1], side="right") - 1).clip(0, last)
        stops = np.searchsorted(edges, bounds[1:], side="left").clip(starts + 1, last + 1)
        pairs = np.stack([starts, stops], 1).ravel()
        return np.maximum.reduceat(np.concatenate([values, values[-1:]]), pairs)[::2], bounds

    def _places(self, steps: Array) -> Array:
        """The frequencies at parts of the axis."""
        low, high = self.edges[0], self.edges[-1]
        places: Array = low * (high / low) ** steps if self.is_logarithmic else low + (high - low) * steps
        return places

    def apply(self, ax: Axes, unit: str) -> None:
        """Scale, limits and ticks of the vertical axis: octaves below the highest edge, or round numbers."""
        low, high = self.edges[0], self.edges[-1]
        if self.is_logarithmic:
            ax.set_yscale("log", base=2)
            octaves = high / 2.0 ** np.arange(math.ceil(math.log2(high / low) - 1e-9))
            ax.yaxis.set_major_locator(FixedLocator(octaves))
        else:
            ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        ax.set_ylim(low, high)
        ax.yaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_formatter(FuncFormatter(lambda f, _: f"{f / 1000:.3g}k" if f >= 999.5 else f"{f:.3g}"))
        ax.tick_params(labelsize=11, color=FAINT)
        ax.set_ylabel(unit, size=12, color=INK)


def has_frequencies(layout: Layout) -> bool:
    """Whether the domain of a signal with one axis gives frequencies to all its scales."""
    extents = [scale.extent for scale in layout.scales().values()]
    return len(layout.signal_shape) == 1 and all(one and one[0].measure == "frequency" for one in extents)


def over_time_and_frequency(
    a: Coefficients, x: Tensor, grid: Grid, item: int, title: str, shared_scale: float | None
) -> Figure:
    """Waveform, spectrogram where the axis is in hertz, the attribution over the same axes, and its profile."""
    one, wave = one_item(a, item), samples(x[item])
    rows: TimeFrequency = maps.time_frequency(one, COLUMNS)
    cells, edges = rows.cells()
    shown, step = array(cells[0]), grid.spacing[0]
    axis, in_hertz = FrequencyAxis(edges, 1 / step), grid.units == ("Hz",)
    norm = PowerNorm(0.5, 0, scale_end(shown) if shared_scale is None else shared_scale, clip=True)
    titles = grid.labels(a.layout) if in_hertz else grid.titles(a.layout)
    boxes = _boxes(len(a.layout.scales()), len(rows.scales), in_hertz, max(map(len, titles.values())))
    bottom = max(box.top + box.height for box in boxes.values())
    figure = Figure((WIDTH, bottom + 0.75), facecolor="white", dpi=DPI)
    write_header(figure, title or title_of(a), origin_of(a))
    unit, end = "Hz" if in_hertz else f"cycles per {grid.units[0].removesuffix('s')}", wave.shape[1] * step

    fill_wave(add_axes(figure, boxes["wave"], "waveform" if in_hertz else "signal"), wave, INK)
    panes = [add_axes(figure, boxes["cells"], "attribution over time and frequency")]
    times = np.linspace(0, end, shown.shape[1] + 1)
    _draw_rows(panes[0], axis, times, axis.edges, shown, cmap=MAGNITUDE, norm=norm)
    if in_hertz:
        panes.append(add_axes(figure, boxes["spectrum"], "spectrogram (dB under its loudest point)"))
        decibels, moments, bins = spectrum(wave, 1 / step)
        _draw_rows(panes[1], axis, moments, bins, decibels, cmap="gray_r", norm=Normalize(-RANGE, 0))
    for ax in panes:
        axis.apply(ax, unit)
        tick_times(ax, end, "s" if in_hertz else grid.units[0])
    draw_bar(figure, boxes["bar"], norm, "sample", is_narrow=True)
    draw_profile(figure, boxes["profile"], a, item, titles)
    return figure


def samples(x: Tensor) -> Array:
    """A waveform as it is drawn, in its own precision: minutes of it are large."""
    wave: Array = (x if x.dtype == torch.float64 else x.float()).detach().cpu().numpy()
    return wave


def spectrum(wave: Array, rate: float) -> tuple[Array, Array, Array]:
    """Decibels of a Hann spectrogram under its loudest point, `(bins, frames)`, and the edges of both in s and Hz."""
    size = 2 ** max(4, min(round(math.log2(rate * 0.064)), 12))
    hop = max(size // 4, wave.shape[1] // COLUMNS, 1)
    signal = torch.from_numpy(wave.mean(0))
    window = torch.hann_window(size, dtype=signal.dtype)
    stft = torch.stft(signal, size, hop, window=window, pad_mode="constant", return_complex=True)
    power = stft.abs().square().numpy()
    decibels = 10 * np.log10(np.maximum(power / (power.max() or 1), 1e-12))  # silence has no loudest point
    bins = (np.arange(size // 2 + 2) - 0.5) * rate / size
    times = np.clip((np.arange(decibels.shape[1] + 1) - 0.5) * hop / rate, 0, wave.shape[1] / rate)
    return decibels, times, bins


def _narrowest(edges: Array) -> float:
    """The part of an axis that the narrowest of its cells takes."""
    return float(np.diff(edges).min() / (edges[-1] - edges[0]))


def _boxes(scales: int, rows: int, has_spectrum: bool, letters: int) -> dict[str, Frame]:
    """Panes under each other, the colours beside theirs; the profile to the right, from the top on.

    Its names have so many `letters`, at most, and keep clear of the colours.
    """
    left, height = MARGIN + 1.0, min(max(ROW * scales, PANE[0], 2.4 * (rows > scales)), PANE[1])
    names = KEY + 11 * CHARACTER * letters  # inches from the panes to the profile
    width = min(PLOT, WIDTH - MARGIN - PROFILE[0] - names - left)
    wave = Frame(left, HEADER + TITLE, width, WAVE)
    spectrum = Frame(left, wave.top + wave.height + 0.5, width, height)
    cells = spectrum._replace(top=spectrum.top + height + 0.75) if has_spectrum else spectrum
    bar = Frame(left + width + 0.12, cells.top, 0.2, cells.height)
    room = cells.top + cells.height - wave.top
    start = max(left + width + names, WIDTH - MARGIN - PROFILE[1])
    profile = Frame(start, wave.top, WIDTH - MARGIN - start, min(max(height, BARS * scales), room))
    return {"wave": wave, "cells": cells, "bar": bar, "profile": profile} | (
        {"spectrum": spectrum} if has_spectrum else {}
    )


def _draw_rows(ax: Axes, axis: FrequencyAxis, times: Array, edges: Array, values: Array, **colours: Any) -> None:
    """Cells `(rows, columns)` between `times` and `edges` in Hz; Matplotlib leaves out those lower than a pixel."""
    pixels = int(ax.bbox.height)
    if axis.narrowest(edges) * pixels < 1:
        values, edges = axis.steps(edges, values, pixels)
    ax.pcolormesh(times, edges, values, rasterized=True, **colours)


def tick_samples(ax: Axes, n: int, grid: Grid) -> None:
    """Ticks of a horizontal axis over `n` samples at round places in the grid's unit."""
    step, unit = grid.spacing[0], "s" if grid.units == ("Hz",) else grid.units[0]
    round_places = MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(0, n * step)
    places = [place for place in round_places if 0 <= place <= n * step]
    ax.set_xticks([place / step for place in places], [f"{place:.3g} {unit}" for place in places])


def tick_times(ax: Axes, end: float, unit: str) -> None:
    """Limits and ticks of the horizontal axis, from 0 to `end`."""
    ax.set_xlim(0, end)
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda t, _: f"{t:.3g} {unit}"))
    ax.tick_params(axis="x", labelsize=11)
