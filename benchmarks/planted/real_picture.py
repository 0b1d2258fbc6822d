"""The gallery's picture of a pattern planted in a photo: what orders, and measures of the orders, say of it.

    python benchmarks/planted/real_picture.py     # docs/images/gallery/planted.webp

The photo comes with scikit-image, the network is that of real_training.py (EfficientNet-lite0's first stages and a head
that tells horizontal from vertical gratings).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import real_training
import skimage
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from real_signals import CONTRAST, DULL, TASKS
from torch import Tensor

sys.path.insert(1, str(Path(__file__).parents[1] / "paper"))
import pictures

import wavelens as wl
from wavelens import planted
from wavelens.core import Coefficients
from wavelens.planted import Wave, grid

NETWORK = "EfficientNet-lite0, 4 stages"
PHOTO, CENTRE = "chelsea.png", (60.0, 170.0)  # pixels from the top and from the left
WIDTH = 12.0  # of the grating's bell
HAAR = wl.DWT("haar", levels=5)
MEASURES = ("planted truth found", "ins − del, from zero", "ins − del, shuffled, log")
STEPS, SAMPLES = 16, 2


def photo() -> tuple[Tensor, Tensor]:
    """The photo as real_signals has them, `(1, 3, 224, 224)`, and a horizontal grating in it."""
    read = wl.frontends.read_image(Path(skimage.__file__).parent / "data" / PHOTO)
    x = DULL + CONTRAST * wl.models.Geometry()(read)
    wave: Wave = TASKS["orientation in photos"].variants[0][0][0]
    pattern = wave.at(grid((224, 224)), torch.tensor([CENTRE]), torch.zeros(1))
    return x, pattern[:, None].expand_as(x)


def orders(net: torch.nn.Module, x: Tensor) -> dict[str, Coefficients]:
    """Each order with the numbers that it ranks by; those below zero rank last and are drawn as nothing."""
    smooth = wl.attribute(net, x, 0, domain=HAAR, method=wl.SmoothGrad(samples=16))
    ig = wl.attribute(net, x, 0, domain=HAAR, method=wl.IntegratedGradients(steps=16))
    z = HAAR.analysis(x)

    def ranked(data: Tensor) -> Coefficients:
        return Coefficients(data.mean(1, keepdim=True).clamp_min(0), z.layout)

    return {
        "energy |z|": ranked(z.data.abs()),
        "SmoothGrad (WAM-SG)": ranked(smooth.data.abs()),
        "IG (WAM-IG)": ranked(ig.data.abs()),
        "SmoothGrad × z, signed": ranked(smooth.data * z.data),
    }


def measured(net: torch.nn.Module, x: Tensor, known: planted.Truth, order: Coefficients) -> list[float]:
    """What each of `MEASURES` says of an order."""
    zero = wl.metrics.curves(net, x, 0, order, steps=STEPS)
    shuffled = wl.metrics.curves(net, x, 0, order, steps=STEPS, fill="shuffled", fractions="log", samples=SAMPLES)
    precision = planted.scores(order, known).precision
    return [float(value) for value in (precision, zero.faithfulness, shuffled.faithfulness)]


def drawn(x: Tensor, known: planted.Truth, found: dict[str, Coefficients], values: dict[str, list[float]]) -> Figure:
    figure = Figure((12.8, 5.6), dpi=80, facecolor="white", layout="constrained")
    axes: Any = figure.subplots(2, 1 + len(found), height_ratios=(1.6, 1), squeeze=False)
    show(axes[0, 0], "a photo, a grating planted in it", x[0].movedim(0, -1).numpy())
    for ax, (name, order) in zip(axes[0, 1:], found.items(), strict=True):
        top = wl.masks.top(order, float(known.count) / order.layout.size)
        heat = wl.maps.spatial_map(Coefficients(order.data * top.data, order.layout))[0].numpy()
        show(ax, name, np.sqrt(heat / max(np.percentile(heat, 99.8), 1e-12)).clip(0, 1))
        ax.add_patch(Circle(CENTRE[::-1], 2 * WIDTH, fill=False, color="#39d0ff", linewidth=1.2))
    axes[1, 0].set_axis_off()
    axes[1, 0].text(0, 0.95, "What each measure says\nof each order above", va="top", fontsize=11, weight="bold")
    axes[1, 0].text(
        0,
        0.55,
        "Blue circle: where the pattern lies.\nMaps: as many top coefficients\nas the pattern has.",
        va="top",
        fontsize=9,
    )
    for ax, name in zip(axes[1, 1:], found, strict=True):
        bars = ax.barh(list(MEASURES), values[name], color=["#0b6e4f", "#999999", "#c77d0a"])
        ax.bar_label(bars, fmt="%.2f", fontsize=9, padding=2)
        ax.invert_yaxis()
        ax.set_xlim(min(0, *(v for row in values.values() for v in row)) - 0.25, 1.15)
        ax.axvline(0, color="black", linewidth=0.8)
        ax.tick_params(labelsize=9, length=0, labelleft=bool(ax is axes[1, 1]))
        for side in ax.spines:
            ax.spines[side].set_visible(False)
        ax.set_xticks([])
    return figure


def show(ax: Any, title: str, values: Any) -> None:
    ax.imshow(values, cmap="inferno", vmin=0, vmax=1)
    ax.set_title(title, fontsize=10)
    ax.set_axis_off()


def main() -> None:
    torch.set_num_threads(1)
    options = real_training.arguments(__doc__, signals=960, choosing=96)
    net = real_training.network(NETWORK, options.signals, options.choosing)
    background, pattern = photo()
    x, known = background + pattern, planted.truth(pattern, HAAR)
    found = orders(net, x)
    values = {name: measured(net, x, known, order) for name, order in found.items()}
    with torch.no_grad():
        print("probability of horizontal:", [float(net(one).softmax(1)[0, 0]) for one in (x, background)])
    print(values)
    pictures.keep(pictures.drawn(drawn(x, known, found, values)), "gallery/planted.webp")


if __name__ == "__main__":
    main()
