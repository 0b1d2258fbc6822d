"""Mean scale profiles of several models, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from wavelens.plots.comparison import COLOURS
from wavelens.plots.figure import Figure
from wavelens.plots.parts import DPI, INK, literal
from wavelens.runs.statistics.intervals import Estimate
from wavelens.runs.statistics.profiles import Average, ScaleRow


def mean_profiles(average: Average, extents: Mapping[str, Mapping[str, str]] | None = None, title: str = "") -> Figure:
    """The share of each scale, coarsest first, and its signed sum, one bar per model, with 95 % intervals.

    Beside the signed sums stand the Shapley values, on the same axis, where the average has them.
    `extents[model][scale]` says what a scale spans; it stands below the scale where it is the same for all models.
    """
    labels = _labels(average, extents or {})
    longest = max(len(line) for label in labels for line in label.split("\n"))
    slot = max(0.25 + 0.25 * len(average.models), 0.3 + 0.07 * longest)  # inches of a scale
    width = max(3.4, 0.5 + slot * len(average.scales))
    count = 3 if average.has_shapley else 2
    figure = Figure((count * width + 0.6, 4.2), dpi=DPI, facecolor="white", layout="constrained")
    share, signed, *added = axes = figure.subplots(1, count)
    _draw(share, average, lambda row: row.share, 100.0)
    _draw(signed, average, lambda row: row.signed, 1.0)
    share.set_ylabel("share of Σ|γ| in %, mean over items", color=INK)
    signed.set_ylabel("signed sum, mean over items", color=INK)
    for ax in added:
        ax.sharey(signed)
        _draw(ax, average, lambda row: row.shapley, 1.0)
        ax.set_ylabel("Shapley value, mean over items", color=INK)
    for ax in axes:
        ax.set_xticks(range(len(average.scales)), labels, fontsize=8.5)
    figure.suptitle(title, fontsize=11, color=INK)
    figure.legend(*share.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure


def _draw(ax: Axes, average: Average, column: Callable[[ScaleRow], Estimate | None], times: float) -> None:
    places, width = np.arange(len(average.scales)), 0.8 / len(average.models)
    for number, model in enumerate(average.models):
        own = [one for scale in average.scales if (one := column(average.row(model, scale))) is not None]
        values = times * np.array([e.value for e in own])
        ends = times * np.array([[e.low for e in own], [e.high for e in own]])
        shift = (number - (len(average.models) - 1) / 2) * width
        error: Any = np.abs(ends - values)
        ax.bar(places + shift, values, 0.92 * width, color=COLOURS[number % len(COLOURS)], label=literal(model))
        ax.errorbar(places + shift, values, error, fmt="none", ecolor=INK, elinewidth=1, capsize=2)
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.grid(axis="y", color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(axis="x", length=0)


def _labels(average: Average, extents: Mapping[str, Mapping[str, str]]) -> Sequence[str]:
    """Scales with what they span, a line for each axis, where that is the same for all models."""
    spans = {scale: {own[scale] for own in extents.values()} for scale in average.scales}
    return [
        f"{scale}\n{next(iter(own)).replace(' × ', chr(10) + '× ')}" if len(own) == 1 else scale
        for scale, own in spans.items()
    ]
