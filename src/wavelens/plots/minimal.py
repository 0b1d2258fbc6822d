"""Minimal inputs as pictures: what is left of an image for each alpha, the front of zeros against score, and scales."""

from __future__ import annotations

import math
from typing import Any

from matplotlib.axes import Axes
from torch import Tensor

from wavelens.grid import Grid
from wavelens.masks import Minimal
from wavelens.plots.figure import Figure
from wavelens.plots.parts import DPI, FAINT, INK, NEGATIVE

SIDE, ROW, HEAD = 2.6, 3.1, 0.55  # inches of a picture, of a row with its caption, and of the title
ACROSS = 6  # pictures in a row


def minimal(result: Minimal, x: Tensor, item: int = 0, title: str = "", *, grid: Grid | None = None) -> Figure:
    """One item of `masks.minimal`: the image, what is left of it for each alpha, and two charts.

    They are the front of zeros against score, and how much is kept of each scale; `grid` gives the scales their unit.
    `x` is the image that was given, `(batch, 1 or 3, height, width)` in [0, 1]; values outside are shown as its ends.
    For signals with other axes the charts stand alone.
    """
    if tuple(result.rebuilt.shape[-x.ndim :]) != tuple(x.shape):
        raise ValueError(
            f"x must be the signal that was masked, {tuple(result.rebuilt.shape[-x.ndim :])}; got {tuple(x.shape)}. "
            "Pass the x that masks.minimal was given."
        )
    several = result.rebuilt if isinstance(result.alpha, tuple) else result.rebuilt[None]
    captions = [_caption(result, k, item) for k in range(len(several))]
    pictures = [(f"input\nscore {float(result.before[item]):.2f}", x[item])]
    pictures += [(text, one[item]) for text, one in zip(captions, several, strict=True)]
    shown = pictures if x.ndim == 4 else []
    rows = math.ceil((len(shown) + 2) / ACROSS)
    columns = math.ceil((len(shown) + 2) / rows)
    figure = Figure(
        (max(columns * (SIDE + 0.2), 4.0), rows * ROW + HEAD), dpi=DPI, facecolor="white", layout="constrained"
    )
    figure.suptitle(title, color=INK, fontsize=11)
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for ax in axes[len(shown) + 2 :]:
        ax.set_axis_off()
    for ax, (text, picture) in zip(axes, shown, strict=False):
        _draw_picture(ax, text, picture)
    _draw_front(axes[len(shown)], result, item)
    _draw_scales(axes[len(shown) + 1], result, item, grid or Grid.plain(x.ndim - 2))
    return figure


def _caption(result: Minimal, k: int, item: int) -> str:
    alpha = result.alpha[k] if isinstance(result.alpha, tuple) else result.alpha
    zeros, score = (float(_line(value, result)[k, item]) for value in (result.sparsity, result.after))
    return f"α = {alpha:g}\n{zeros:.1%} zeros, score {score:.2f}"


def _line(value: Tensor, result: Minimal) -> Tensor:
    """`(alphas, batch)`, also for a single alpha."""
    return value if isinstance(result.alpha, tuple) else value[None]


def _draw_picture(ax: Axes, text: str, picture: Tensor) -> None:
    shown: Any = picture.detach().float().clamp(0, 1).movedim(0, -1).cpu().numpy()
    ax.imshow(shown if shown.shape[-1] == 3 else shown[..., 0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_title(text, fontsize=8.5, color=INK)
    ax.set_axis_off()


def _draw_front(ax: Axes, result: Minimal, item: int) -> None:
    zeros, score = (_line(value, result)[:, item].tolist() for value in (result.sparsity, result.after))
    before = float(result.before[item])
    ax.axhline(before, color=FAINT, linewidth=1, linestyle="--")
    ax.plot(zeros, score, color=NEGATIVE, marker="o", markersize=4, linewidth=1.2)
    ax.set_title("zeros against score\n(dashes: untouched input)", fontsize=8.5, color=INK)
    ax.set_xlabel("share of coefficients that are zero", fontsize=8)
    ax.set_xlim(-0.02, 1.02)
    ax.tick_params(labelsize=8, colors=INK)
    ax.spines[["top", "right"]].set_visible(False)


def _draw_scales(ax: Axes, result: Minimal, item: int, grid: Grid) -> None:
    titles = grid.titles(result.mask.layout)
    kept = {name: _line(value, result)[:, item].tolist() for name, value in result.mask.by_scale().items()}
    places = range(len(kept))
    alphas = result.alpha if isinstance(result.alpha, tuple) else (result.alpha,)
    for k, alpha in enumerate(alphas):
        shade = (k + 1) / len(alphas)
        values = [shares[k] for shares in kept.values()]
        ax.plot(values, places, color=NEGATIVE, alpha=shade, marker="o", markersize=4, label=f"α = {alpha:g}")
    ax.set_yticks(places, [titles[name] for name in kept])
    ax.invert_yaxis()
    ax.set_title("kept of each scale\n(mean of the mask)", fontsize=8.5, color=INK)
    ax.set_xlim(-0.02, 1.02)
    ax.legend(frameon=False, fontsize=7)
    ax.tick_params(labelsize=8, colors=INK)
    ax.spines[["top", "right"]].set_visible(False)
