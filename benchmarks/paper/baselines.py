"""Every baseline on one photo and four ImageNet networks, as one picture.

    python benchmarks/paper/baselines.py

The photo is the cat of scikit-image; the networks' weights lie in the folder that WAVELENS_DATA names. Maps without
negative values run from black to yellow, signed ones (summed over channels) from blue to red, each to its own limit.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pictures
import skimage
import timm
import torchvision
from safetensors.torch import load_file
from torch import Tensor, nn

import wavelens as wl
from wavelens.baselines import LRP, SRD, FromMethod, GradCAM, GradCAMPlusPlus, LayerCAM
from wavelens.models.preparations.image import Geometry, Normalized

TARGET = 282  # tiger cat
HALF = (0.5, 0.5, 0.5)
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
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


def networks() -> dict[str, nn.Module]:
    folder = Path(os.environ.get("WAVELENS_DATA", "../shared/data")) / "weights"
    if not (folder / "mobilenetv2_100.safetensors").is_file():
        sys.exit(f"WAVELENS_DATA names the folder with weights/mobilenetv2_100.safetensors and others; got {folder}.")
    bare = {
        "EfficientNet-lite0": ("tf_efficientnet_lite0", timm.create_model("tf_efficientnet_lite0")),
        "MobileNetV2": ("mobilenetv2_100", timm.create_model("mobilenetv2_100", pad_type="same", bn_eps=1e-3)),
        "SqueezeNet 1.1": ("squeezenet1_1", torchvision.models.squeezenet1_1(weights=None)),
        "ViT-tiny": ("vit_tiny_patch16_224", timm.create_model("vit_tiny_patch16_224")),
    }
    ready = {}
    for name, (file, net) in bare.items():
        net.load_state_dict({key: t.float() for key, t in load_file(folder / f"{file}.safetensors").items()})
        ready[name] = Normalized(net, *(IMAGENET if file.startswith("squeezenet") else (HALF, HALF))).eval()
    return ready


def draw(axes: plt.Axes, heat: Tensor) -> None:
    if heat.min() < 0:
        limit = float(heat.abs().quantile(0.995))
        axes.imshow(heat, cmap="RdBu_r", vmin=-limit, vmax=limit)
    else:
        axes.imshow(heat, cmap="inferno")


def main() -> None:
    file = Path(skimage.__file__).parent / "data" / "chelsea.png"
    photo = Geometry((256, 256), (224, 224))(wl.frontends.read_image(file))
    nets = networks()
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
