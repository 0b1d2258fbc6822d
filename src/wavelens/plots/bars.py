"""The scale profile as bars: the share of each scale, and its signed sum."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from wavelens import maps
from wavelens.accounts import aligned
from wavelens.core import Coefficients
from wavelens.counts import with_minus
from wavelens.plots.figure import Figure
from wavelens.plots.parts import DPI, INK, NEGATIVE, POSITIVE, SHARE, Array, Frame, add_axes, array

ROW = 0.16  # inches, at least, of a row with a text
ROUNDING = 1e-3  # of the rise: what sums of float32 may miss


def draw_profile(
    figure: Figure, box: Frame, a: Coefficients, item: int, octaves: Mapping[str, str] | None = None
) -> None:
    """The shares of one item's scales and their signed sums, the coarsest on top.

    With the `octaves` that the scales are, the finest is on top as in a spectrogram.
    """
    profile, error = maps.profile(a), getattr(a, "standard_error", None)
    order = slice(None, None, 1 if octaves is None else -1)
    share, signed = array(profile.share[item])[order], array(profile.signed[item])[order]
    uncertain = np.zeros_like(share) if error is None else np.nan_to_num(array(error[item])[order])  # NaN: one sample
    names = [(octaves or {}).get(name, name) for name in profile.names[order]]
    less, more, size = (0.41, 0.53, 13) if octaves is None else (0.36, 0.52, 11)
    left = add_axes(figure, box._replace(width=less * box.width), "share of Σ|γ|")
    texts = shown, fitting = _sparse(box.height / len(share), int(share.argmax()))
    _draw_bars(left, share, [SHARE] * len(share), [f"{value:.0%}" for value in share], uncertain, texts)
    left.set_yticks(range(len(share))[shown], names[shown], size=min(size, fitting))
    left.tick_params(axis="y", length=0)
    if np.isnan(signed).any():  # a complex gradient has no signs
        return
    right = add_axes(figure, box._replace(left=box.left + (1 - more) * box.width, width=more * box.width), "signed sum")
    colours = [POSITIVE if value >= 0 else NEGATIVE for value in signed]
    _draw_bars(right, signed, colours, aligned(signed.tolist()), np.zeros_like(signed), texts)
    right.set_xlabel(_account(a, item, signed.sum()), size=12, loc="right")


def _draw_bars(
    ax: Axes, values: Array, colours: list[str], labels: list[str], error: Array, texts: tuple[slice, float]
) -> None:
    """Horizontal bars, the first on top, with their standard errors; those of `texts` have numbers past their ends."""
    width, slot = ax.bbox.width / DPI, ax.bbox.height / DPI / len(values)
    places = np.arange(len(values))
    ax.barh(places, values, min(0.6, 0.4 / slot) if slot > ROW else 0.8, color=colours)
    ax.errorbar(values, places, xerr=error, fmt="none", ecolor=INK, capsize=3 * bool(error.any()))
    shown, size = texts
    for place, value, more, label in list(zip(places, values, error, labels, strict=True))[shown]:
        side = 1 if value >= 0 else -1
        align = "left" if side > 0 else "right"
        end = value + side * more, place
        ax.annotate(label, end, (5 * side, 0), textcoords="offset points", size=min(11, size), va="center", ha=align)
    low, high = min((values - error).min(), 0), max((values + error).max(), 0)
    before = _room([label for label, value in zip(labels, values, strict=True) if value < 0]) / width
    after = _room([label for label, value in zip(labels, values, strict=True) if value >= 0]) / width
    span = (high - low or 1) / (1 - before - after)
    ax.set_xlim(low - before * span, high + after * span)
    ax.set_ylim(len(values) - 0.5, -0.5)
    ax.axvline(0, color=INK, linewidth=0.9, clip_on=False)
    ax.spines[:].set_visible(False)


def _sparse(slot: float, strongest: int) -> tuple[slice, float]:
    """Of rows so many inches high those with a text, the strongest among them, and the text's largest size."""
    every = math.ceil(ROW / slot)
    return slice(strongest % every, None, every), 60 * slot * every


def _room(labels: list[str]) -> float:
    """Inches for the longest of the labels."""
    return 0.085 * max(map(len, labels)) + 0.1 if labels else 0.0


def _account(a: Coefficients, item: int, total: float) -> str:
    """What the signed sums add up to; for a path method also what they miss of f(x) − f(x₀).

    A signal beside others, as a photo beside its caption, has a part of the account: the total then is that of all.
    """
    score, start, gap = (getattr(a, name, None) for name in ("score", "baseline_score", "gap"))
    parts = [f"total {total:+.3g}"]
    if score is not None and start is not None and gap is not None:
        rise, missed = float(score[item] - start[item]), float(gap[item])
        elsewhere = rise - missed - total
        if abs(elsewhere) > ROUNDING * max(abs(rise), abs(total)):
            parts = [f"total {rise - missed:+.3g}, {elsewhere:+.3g} of it elsewhere"]
    if gap is not None:
        parts.append(f"gap {float(gap[item]):+.3g}")
    return with_minus(" · ".join(parts))
