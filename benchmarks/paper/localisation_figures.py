"""The picture of docs/guides/localisation.md: a cat above an espresso, a map for each, and their contrast.

python benchmarks/paper/localisation_figures.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pictures
import skimage
import torch
from matplotlib.figure import Figure
from torch import Tensor

import wavelens as wl

CAT, ESPRESSO = 282, 967
SMOOTH = 4.0  # pixels: signed maps of single coefficients cancel from place to place


def pair() -> Tensor:
    halves = wl.models.Geometry(resize=(112, 224), crop=(112, 224))
    data = Path(skimage.__file__).parent / "data"
    return torch.cat([halves(wl.frontends.read_image(data / name)) for name in ("chelsea.png", "coffee.png")], 2)


def main() -> None:
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
    main()
