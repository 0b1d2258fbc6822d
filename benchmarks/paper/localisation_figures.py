"""The pictures of docs/guides/localisation.md: a cat above an espresso, its contrast, and the pointing game.

    python benchmarks/paper/localisation_figures.py

A map for each of the two classes, and their contrast; then the boxes and the highest places of three kinds of map for
both classes of three pictures of `pointing.py` (Caltech-101, CC BY 4.0; the folder WAVELENS_DATA has them).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pictures
import pointing
import skimage
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

import wavelens as wl

CAT, ESPRESSO = 282, 967
NETWORK, PICTURES = "EfficientNet-lite0", 3
MAPS = ("IG, wavelets", "IG, pixels", "Grad-CAM")
CLASS_COLOURS = ("#56b4e9", "#e69f00")
SMOOTH = 4.0  # pixels: signed maps of single coefficients cancel from place to place


def pair() -> Tensor:
    halves = wl.models.Geometry(resize=(112, 224), crop=(112, 224))
    data = Path(skimage.__file__).parent / "data"
    return torch.cat([halves(wl.frontends.read_image(data / name)) for name in ("chelsea.png", "coffee.png")], 2)


def game() -> None:
    """Each picture with its two boxes, and each map with the highest place of either class."""
    labels = wl.models.load().labels
    figure = Figure((11, 2.9 * PICTURES), dpi=90, facecolor="white", layout="constrained")
    rows: Any = figure.subplots(PICTURES, 1 + len(MAPS))
    for row, (above, below) in zip(rows, pointing.pairs(NETWORK, PICTURES), strict=True):
        x, targets = pointing.picture(NETWORK, above, below)
        names = [labels[target].split(", ")[0] for target in targets]
        found = pointing.maps_of(NETWORK, x, targets)
        for ax, title in zip(row, ("input", *MAPS), strict=True):
            ax.imshow(x[0].movedim(0, -1).numpy())
            ax.set_title(title if title != "input" else f"{names[0]}\nabove {names[1]}", fontsize=10)
            ax.set_axis_off()
            for colour, ((top, bottom), (left, right)) in zip(CLASS_COLOURS, pointing.HALVES, strict=True):
                box = Rectangle((left, top), right - left - 1, bottom - top - 1, fill=False, color=colour, linewidth=3)
                ax.add_patch(box)
        for ax, name in zip(row[1:], MAPS, strict=True):
            for colour, c in zip(CLASS_COLOURS, found[name], strict=True):
                heat = wl.maps.spatial_map(c)[0]
                y, place = np.unravel_index(int(heat.argmax()), heat.shape)
                ax.plot(place, y, "o", markersize=11, color=colour, markeredgecolor="white", markeredgewidth=2)
    pictures.keep(pictures.drawn(figure), "pointing.webp")


def contrast() -> None:
    model, both = wl.models.load(), pair()
    targets = wl.targets.Several(CAT, ESPRESSO, wl.targets.Contrast(CAT, ESPRESSO))
    options: dict[str, Any] = {"domain": wl.DWT("haar", levels=5), "method": wl.IntegratedGradients(steps=64)}
    a = wl.attribute(model.module, both, targets, **options)
    assert a.score is not None
    assert a.baseline_score is not None
    signed = [wl.maps.spatial_map(wl.Coefficients(data, a.layout), signed=True) for data in a.data]
    for name, found, rise in zip(("cat", "espresso", "contrast"), signed, a.score - a.baseline_score, strict=True):
        print(name, f"cat {found[0, :112].sum():+.2f} cup {found[0, 112:].sum():+.2f} rise {float(rise):+.2f}")
    blurred = [wl.masks.Blur(SMOOTH)(found[None])[0, 0].numpy() for found in signed]
    end = float(np.abs(blurred).max())
    figure = Figure((12, 3.5), dpi=90, facecolor="white", layout="constrained")
    axes: Any = figure.subplots(1, 4)
    axes[0].imshow(both[0].movedim(0, -1).numpy())
    titles = ("input", "tiger cat", "espresso", "tiger cat rather than espresso")
    for ax, title in zip(axes, titles, strict=True):
        ax.set_title(title, fontsize=11)
        ax.set_axis_off()
    for ax, found in zip(axes[1:], blurred, strict=True):
        drawn = ax.imshow(found, cmap="RdBu_r", vmin=-end, vmax=end)
    figure.colorbar(drawn, ax=axes, shrink=0.8, label="γ per pixel: red for, blue against")
    pictures.keep(pictures.drawn(figure, 90), "localisation.webp")


if __name__ == "__main__":
    contrast()
    game()
