"""Every baseline on one photo and four ImageNet networks, as one picture.

    python benchmarks/paper/baselines.py

The photo is the cat of scikit-image; the networks' weights lie in the folder that WAVELENS_DATA names. Maps without
negative values run from black to yellow, signed ones (summed over channels) from blue to red, each to its own limit.
"""

from __future__ import annotations

from pathlib import Path

import at_hand
import matplotlib.pyplot as plt
import pictures
import skimage
from torch import Tensor

import wavelens as wl
from wavelens.baselines import LRP, SRD, FromMethod, GradCAM, GradCAMPlusPlus, LayerCAM
from wavelens.models.preparations.image import Geometry

TARGET = 282  # tiger cat
EXPLAINERS = {
    "Saliency": FromMethod(),
    "SmoothGrad": FromMethod(wl.SmoothGrad()),
    "integrated gradients": FromMethod(wl.IntegratedGradients()),
    "guided backprop.": FromMethod(wl.Zennit("GuidedBackprop")),
    "Grad-CAM": GradCAM(),
    "Grad-CAM++": GradCAMPlusPlus(),
    "LayerCAM": LayerCAM(),
    "LRP": LRP(),
    "SRD": SRD(),
}


def draw(axes: plt.Axes, heat: Tensor) -> None:
    if heat.min() < 0:
        limit = float(heat.abs().quantile(0.995))
        axes.imshow(heat, cmap="RdBu_r", vmin=-limit, vmax=limit)
    else:
        axes.imshow(heat, cmap="inferno")


def main() -> None:
    file = Path(skimage.__file__).parent / "data" / "chelsea.png"
    photo = Geometry((256, 256), (224, 224))(wl.frontends.read_image(file))
    nets = {name: at_hand.image_network(name) for name in at_hand.IMAGE_NETWORKS}
    figure, grid = plt.subplots(len(nets), len(EXPLAINERS) + 1, figsize=(1.5 * len(EXPLAINERS) + 1.5, 1.62 * len(nets)))
    for row, (name, net) in zip(grid, nets.items(), strict=True):
        row[0].imshow(photo[0].permute(1, 2, 0))
        row[0].set_ylabel(name, fontsize=8)
        for axes, (title, explainer) in zip(row[1:], EXPLAINERS.items(), strict=True):
            if name == next(iter(nets)):
                axes.set_title(title, fontsize=9)
            try:
                draw(axes, explainer(net, photo, TARGET).data.sum(1).reshape(photo.shape[2:]))
            except ValueError as error:  # a transformer has no rules of relevance, and no rectifiers
                print(f"{name}: {error}")
                axes.set(facecolor="0.95", box_aspect=1)
                axes.text(0.5, 0.5, "no rule", ha="center", va="center", transform=axes.transAxes, fontsize=8)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
    figure.tight_layout(pad=0.3)
    pictures.keep(pictures.drawn(figure, 90), "baselines.webp")


if __name__ == "__main__":
    main()
