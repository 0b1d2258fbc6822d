"""Sounds explained: the waveform, its spectrogram and, on the same axes, the attribution over time and frequency."""

from __future__ import annotations

from torch import Tensor

from wavelens.core import Coefficients
from wavelens.grid import Grid
from wavelens.plots.figure import Figure
from wavelens.plots.panel import panel
from wavelens.plots.scalogram import has_frequencies, over_time_and_frequency


def sound(
    a: Coefficients,
    x: Tensor,
    rate: float,
    *,
    item: int = 0,
    title: str = "",
    shared_scale: float | None = None,
) -> Figure:
    """The explanation of one sound: waveform, spectrogram, scalogram of the attribution and its profile.

    `x` is the explained waveform `(batch, channel, samples)` at `rate` Hz. Each coefficient is drawn over the times and
    the frequencies that its domain gives it (`maps.time_frequency`), in hertz: octaves of a `DWT` and tones of a
    `ConstantQ` on a logarithmic axis, bins of an `STFT` and bands of `Packets` on a linear one. In domains without
    frequencies the figure is that of `panel`. `shared_scale` is the |γ| per sample at which colours end, for figures to
    be compared.
    """
    if a.data.ndim != 3 or len(a.layout.signal_shape) != 1:
        raise ValueError(
            "a sound's figure shows one target over one axis: coefficients (batch, channel, size) of a waveform; got "
            f"{tuple(a.data.shape)} for axes {a.layout.signal_shape}."
        )
    if x.shape[2:] != a.layout.signal_shape or len(x) != len(a.data):
        raise ValueError(
            f"x must be the explained waveform ({len(a.data)}, channel, {a.layout.signal_shape[0]}); got "
            f"{tuple(x.shape)}. Pass the x that was attributed, at the rate that the model heard."
        )
    grid = Grid.sound(rate)
    if not has_frequencies(a.layout):
        return panel(a, x, item=item, title=title, grid=grid, shared_scale=shared_scale)
    return over_time_and_frequency(a, x, grid, item, title, shared_scale)
