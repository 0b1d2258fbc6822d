"""What a cascade of resets does to the maps of one photo (WAM's figure 9): docs/images/randomization.webp.

    python benchmarks/paper/randomization_figure.py

The photo is the cat of scikit-image, the network EfficientNet-lite0, and the cascade that of randomization.py from the
output to the input. Rows are its WAM-IG, WAM-SG and Grad-CAM, the gradient in the same wavelets, and the energy order,
which never looks at the network. Maps are |γ| spread over the photo, each scaled to its own largest values; below each
stands Spearman's correlation of the coefficients' |γ| with that of the trained network.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pictures
import randomization
import skimage
import torch
from at_hand import Geometry
from matplotlib.figure import Figure
from torch import Tensor, nn

import wavelens as wl
from wavelens.baselines import FromMethod

NETWORK, TARGET = "EfficientNet-lite0", 282  # tiger cat
STAGES = {  # of those of the cascade the ones to draw: what has been reset by then
    "classifier": "classifier",
    "blocks.6": "… to block 6",
    "blocks.4": "… to block 4",
    "blocks.2": "… to block 2",
    "conv_stem": "all layers",
}
HIGHEST = 0.995  # quantile of a map that is drawn white
NOTE = (
    "Layers of {network} are reset one after another, from the output to the\n"
    "input, and the photo is explained again. Each map is scaled to its own\n"
    "largest values. ρ is Spearman's correlation of |γ|, coefficient by coefficient,\n"
    "with that of the trained network: 1 where the resets change no rank."
)


def explainers() -> dict[str, Any]:
    those = randomization.explainers(randomization.FULL["effort"])
    return {
        "WAM-IG": those["WAM-IG"],
        "WAM-SG": those["WAM-SG"],
        "gradient": FromMethod(wl.Saliency(), randomization.HAAR),
        "Grad-CAM": those["Grad-CAM"],
        "energy order": lambda model, x, target: wl.metrics.energy_order(x, randomization.HAAR),
    }


def cascade(net: nn.Module, x: Tensor, target: int, explain: Any) -> dict[str, tuple[Tensor, float]]:
    """By the layer that was reset last the map and the correlation, the trained network's first."""
    found = [explain(net, x, target)]

    def kept(*asked: Any) -> wl.Coefficients:
        found.append(explain(*asked))
        return found[-1]

    left = wl.metrics.randomization(net, x, target, found[0], explainer=kept, layers=randomization.stages(net))
    names = ["trained", *(layer.removeprefix("module.") for layer in left.layers)]
    heats = [wl.maps.spatial_map(one)[0] for one in found]
    return dict(zip(names, zip(heats, [1.0, *left.correlation[:, 0].tolist()], strict=True), strict=True))


def draw(axes: Any, heat: Tensor, correlation: float) -> None:
    axes.imshow(heat, cmap="inferno", vmin=0, vmax=max(float(heat.quantile(HIGHEST)), 1e-12))
    value = round(correlation, 2) + 0.0  # no −0.00
    axes.set_xlabel("constant" if np.isnan(correlation) else f"ρ = {value:.2f}".replace("-", "−"), fontsize=11)


def main() -> None:
    torch.set_num_threads(1)
    file = Path(skimage.__file__).parent / "data" / "chelsea.png"
    photo = Geometry((256, 256), (224, 224))(wl.frontends.read_image(file))
    net, titles = randomization.network(NETWORK), {"trained": "trained"} | STAGES
    figure = Figure((1.55 * len(titles), 1.75 * (1 + len(explainers()))), facecolor="white", layout="constrained")
    grid = figure.add_gridspec(1 + len(explainers()), len(titles))
    top, note = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1:])
    top.imshow(photo[0].movedim(0, -1).numpy())
    top.set_axis_off()
    note.text(0.02, 0.5, NOTE.format(network=NETWORK), fontsize=11.5, va="center", linespacing=1.5)
    note.set_axis_off()
    for row, (name, explain) in enumerate(explainers().items(), 1):
        several = cascade(net, photo, TARGET, explain)
        print(name, *(f"{layer} {correlation:.2f}" for layer, (_, correlation) in several.items()), flush=True)
        for column, (layer, title) in enumerate(titles.items()):
            axes = figure.add_subplot(grid[row, column])
            draw(axes, *several[layer])
            axes.set(xticks=[], yticks=[])
            if row == 1:
                axes.set_title(title, fontsize=11.5)
            if column == 0:
                axes.set_ylabel(name, fontsize=12)
    pictures.keep(pictures.drawn(figure, 90), "randomization.webp")


if __name__ == "__main__":
    main()
