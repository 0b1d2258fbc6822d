"""What several domains say of the same explanation: the mean of their maps and shares, and how far they lie apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import PowerNorm
from torch import Tensor

from wavelens import maps
from wavelens.core import Coefficients, one_item
from wavelens.grid import Grid
from wavelens.plots.cloud import CloudView, cloud_view
from wavelens.plots.comparison import COLOURS
from wavelens.plots.figure import Figure
from wavelens.plots.parts import (
    CHARACTER,
    DPI,
    FAINT,
    GAP,
    HEADER,
    INK,
    MARGIN,
    TITLE,
    WIDTH,
    Frame,
    add_axes,
    array,
    draw_bar,
    literal,
    scale_end,
    title_of,
    write_header,
)
from wavelens.plots.scalogram import tick_samples
from wavelens.plots.views import VIEWS, AxesView
from wavelens.wording import in_words

MARKS = "osD^vP*X<>"
SIDE, WAVE, STRIP, ROW, KEY = 2.9, 8.2, 0.9, 0.36, 0.24  # inches: picture, wave, its height, a scale, a domain's name
NUMBER, NUMBERS = 0.9, 1.25  # inches for the numbers beside the shares, and for the colours with theirs


def marginal(
    several: Sequence[Coefficients], x: Tensor, item: int = 0, title: str = "", grid: Grid | None = None
) -> Figure:
    """The marginal account of one item: where its domains agree, and how far their shares lie apart.

    `several` are attributions in different domains (`maps.marginal`), `x` is what they explain, `(batch, channel,
    *axes)` with 1 to 3 axes. On the left are the mean of the spatial maps, each of total 1, and their standard
    deviation from one domain to another, on one scale of colours; on the right a bar for the mean share of each scale,
    the coarsest on top, the standard deviation as a line, and a mark for each domain.

    >>> domains = [wl.DWT("haar", levels=2), wl.DWT("db2", levels=2)]
    >>> several = wl.attribute(model, x, 1, domain=domains, method=wl.IntegratedGradients())
    >>> len(wl.plots.marginal(several, x).axes)
    5
    """
    axes = several[0].layout.signal_shape if several else ()
    if len(axes) not in VIEWS or tuple(x.shape[2:]) != axes:
        raise ValueError(
            f"a marginal account is drawn of attributions of x, a signal with 1 to 3 axes; got {axes} and x "
            f"{tuple(x.shape)}. Pass the x that was attributed."
        )
    account = maps.marginal([one_item(c, item) for c in several])
    place = grid or Grid.plain(len(axes))
    view, signal = _view(x[item], place), array(x[item])
    mean, spread = array(account.place[0]), array(account.place_spread[0])
    norm = PowerNorm(0.5, 0, scale_end(mean), clip=True)
    spans = zip(account.names, map(place.label, account.extents), strict=True)
    labels = [f"{name} · {span}" if span else name for name, span in spans]
    shape, letters = (1, 1) if place.scattered else axes, max(map(len, labels))
    pictures, bar, bars, height = _frames(shape, len(labels), len(several), letters)
    figure = Figure((WIDTH, height), dpi=DPI, facecolor="white")
    write_header(figure, title or title_of(several[0]), f"marginal account over {len(several)} domains")
    shown = add_axes(figure, pictures[0], "input")
    view.signal(shown, signal)
    if len(axes) == 1 and not place.scattered:
        tick_samples(shown, axes[0], place)
    for box, name, heat in zip(pictures[1:], ("map, mean", "map, spread"), (mean, spread), strict=True):
        view.overlay(add_axes(figure, box, name), signal, heat, norm)
    draw_bar(figure, bar, norm, view.unit, "part")
    names = [literal(in_words(c.layout.domain)) for c in several]
    _draw_shares(figure, bars, account, labels, names)
    return figure


def _view(x: Tensor, grid: Grid) -> AxesView | CloudView:
    """How a signal is drawn: by its axes, or as a cloud from its widest side."""
    return cloud_view(x, grid) if grid.scattered else VIEWS[x.ndim - 1]


def _frames(axes: tuple[int, ...], scales: int, domains: int, letters: int) -> tuple[list[Frame], Frame, Frame, float]:
    """Where input, mean and spread lie, then the colour bar and the shares; and the figure's height.

    The names of scales have so many `letters`, at most, and keep clear of the colours' numbers.
    """
    top = HEADER + TITLE
    if len(axes) == 1:
        step = STRIP + TITLE + GAP
        pictures = [Frame(MARGIN, top + k * step, WAVE, STRIP) for k in range(3)]
        bar = Frame(MARGIN + WAVE + 0.12, top + step, 0.2, step + STRIP)
    else:
        height = SIDE * min(max(axes[-2] / axes[-1], 0.4), 1.6)
        pictures = [Frame(MARGIN + k * (SIDE + GAP), top, SIDE, height) for k in range(3)]
        bar = Frame(pictures[-1].left + SIDE + 0.12, top, 0.2, height)
    left = bar.left + max(2.5, NUMBERS + 11 * CHARACTER * letters)
    bars = Frame(left, top, WIDTH - MARGIN - NUMBER - left, max(bar.top + bar.height - top, ROW * scales))
    return pictures, bar, bars, bars.top + bars.height + GAP + KEY * domains + MARGIN


def _draw_shares(figure: Figure, box: Frame, account: maps.Marginal, labels: list[str], names: list[str]) -> None:
    ax = add_axes(figure, box, "share of Σ|γ|, mean ± spread")
    places, share, spread = np.arange(len(labels)), array(account.share[0]), array(account.share_spread[0])
    ax.barh(places, share, 0.6, color=FAINT)
    ax.errorbar(share, places, xerr=spread, fmt="none", ecolor=INK, elinewidth=1.4, capsize=3)
    offsets = 0.5 * (np.arange(len(names)) + 0.5) / len(names) - 0.25  # marks of a scale lie below one another
    for k, (name, own) in enumerate(zip(names, account.shares, strict=True)):
        colour, mark = COLOURS[k % len(COLOURS)], MARKS[k % len(MARKS)]
        ax.plot(array(own[0]), places + offsets[k], mark, color=colour, markersize=5, label=name, clip_on=False)
    for where, value, more in zip(places, share, spread, strict=True):
        text = f"{100 * value:.1f} ± {100 * more:.1f} %"
        ax.annotate(
            text, (1, where), (4, 0), ("axes fraction", "data"), textcoords="offset points", size=10, va="center"
        )
    ax.set_xlim(0, max(1.04 * float(array(account.shares).max()), 1e-9))
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.set_yticks(places, labels, size=11)
    ax.tick_params(axis="y", length=0)
    ax.spines[:].set_visible(False)
    ax.axvline(0, color=INK, linewidth=0.9)
    place = (MARGIN / WIDTH, MARGIN / figure.get_size_inches()[1])
    figure.legend(loc="lower left", bbox_to_anchor=place, frameon=False, fontsize=11, borderaxespad=0, borderpad=0)
