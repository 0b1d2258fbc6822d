"""Sounds explained: the waveform, its spectrogram and, on the same axes, the attribution over time and octaves.

As in the panel, one colour scale serves all octaves: |γ| for each sample, under a square root.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator
from torch import Tensor

from wavelens import maps
from wavelens.core import Coefficients, one_item
from wavelens.grid import Grid
from wavelens.plots.bars import draw_profile
from wavelens.plots.figure import Figure
from wavelens.plots.panel import panel
from wavelens.plots.parts import (
    FAINT,
    HEADER,
    INK,
    MAGNITUDE,
    MARGIN,
    TITLE,
    WIDTH,
    Array,
    Box,
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
PLOT, PROFILE = 9.1, 3.9  # inches


def sound(
    a: Coefficients,
    x: Tensor,
    rate: float,
    *,
    item: int = 0,
    title: str = "",
    shared_scale: float | None = None,
) -> Figure:
    """The explanation of one sound: waveform, spectrogram, scalogram of the attribution and its profile over octaves.

    `x` is the explained waveform `(batch, channel, samples)` at `rate` Hz, `a` its attribution in a domain whose scales
    follow one another in frequency, such as `DWT`; the approximation is drawn as one more octave. In other domains the
    figure is that of `panel`. `shared_scale` is the |γ| per sample at which colours end, for figures to be compared.
    """
    if a.data.ndim != 3 or len(a.layout.signal_shape) != 1:
        raise ValueError(
            "a sound's figure shows one target over one axis: coefficients (batch, channel, size) of a waveform; got "
            f"{tuple(a.data.shape)} for axes {a.layout.signal_shape}."
        )
    if x.shape[2:] != a.layout.signal_shape or len(x) != len(a.data):
        raise ValueError(
            f"x is the explained waveform ({len(a.data)}, channel, {a.layout.signal_shape[0]}); got {tuple(x.shape)}. "
            "Pass the x that was attributed, at the rate that the model heard."
        )
    meeting = Grid.sound(rate).edges(a.layout)
    if meeting is None:
        return panel(a, x, item=item, title=title, grid=Grid.sound(rate), shared_scale=shared_scale)
    edges = np.array([meeting[0] or meeting[1] / 2, *meeting[1:]])
    one, wave = one_item(a, item), samples(x[item])
    found = array(maps.scalogram(one)[0])
    norm = PowerNorm(0.5, 0, scale_end(found) if shared_scale is None else shared_scale, clip=True)
    cells = _cells(len(found))
    figure = Figure((WIDTH, cells["profile"].top + cells["profile"].height + 0.75), facecolor="white", dpi=100)
    write_header(figure, title or title_of(a), origin_of(a))
    seconds = wave.shape[1] / rate

    waveform = add_axes(figure, cells["wave"], "waveform")
    fill_wave(waveform, wave, INK)
    spectrum = add_axes(figure, cells["spectrum"], "spectrogram (dB under its loudest point)")
    _draw_spectrum(spectrum, wave, rate, edges)
    octaves = add_axes(figure, cells["octaves"], "attribution over time and frequency")
    columns = np.linspace(0, seconds, found.shape[1] + 1)
    octaves.pcolormesh(columns, edges, found, cmap=MAGNITUDE, norm=norm, rasterized=True)
    for ax in (spectrum, octaves):
        _tick_hertz(ax, edges)
        _tick_seconds(ax, seconds)
    draw_bar(figure, cells["bar"], norm, "sample")
    draw_profile(figure, cells["profile"], a, item, Grid.sound(rate).labels(a.layout))
    return figure


def samples(x: Tensor) -> Array:
    """A waveform as it is drawn, in its own precision: minutes of it are large."""
    found: Array = (x if x.dtype == torch.float64 else x.float()).detach().cpu().numpy()
    return found


def _cells(count: int) -> dict[str, Box]:
    left, height = MARGIN + 0.75, max(0.34 * count, 1.4)
    wave = Box(left, HEADER + TITLE, PLOT, 1.1)
    spectrum = Box(left, wave.top + wave.height + 0.5, PLOT, height)
    octaves = Box(left, spectrum.top + height + 0.75, PLOT, height)
    bar = Box(left + PLOT + 0.12, wave.top + 0.3, 0.2, wave.height + 0.5)
    profile = Box(WIDTH - MARGIN - PROFILE, octaves.top, PROFILE, height)
    return {"wave": wave, "spectrum": spectrum, "octaves": octaves, "bar": bar, "profile": profile}


def _draw_spectrum(ax: Axes, wave: Array, rate: float, edges: Array) -> None:
    """A spectrogram over a logarithmic frequency axis."""
    decibels, times, bins = spectrum(wave, rate)
    bins[0] = edges[0] / 2
    ax.pcolormesh(times, bins, decibels, cmap="gray_r", norm=Normalize(-RANGE, 0), rasterized=True)


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


def _tick_hertz(ax: Axes, edges: Array) -> None:
    """A logarithmic axis over the rows of the scalogram, with the frequencies between them."""
    ax.set_yscale("log", base=2)
    ax.set_ylim(edges[0], edges[-1])
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_yticks(edges[1:])
    ax.yaxis.set_major_formatter(FuncFormatter(lambda hz, _: f"{hz / 1000:.3g}k" if hz >= 999.5 else f"{hz:.3g}"))
    ax.tick_params(labelsize=11, color=FAINT)
    ax.set_ylabel("Hz", size=12, color=INK)


def _tick_seconds(ax: Axes, seconds: float) -> None:
    ax.set_xlim(0, seconds)
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda s, _: f"{s:.3g} s"))
    ax.tick_params(axis="x", labelsize=11)
