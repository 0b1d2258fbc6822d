"""The pictures of docs/guides/minimal.md.

    python benchmarks/paper/minimal_figures.py [cat] [fronts] [gallery]

A cat for three prices with its control; the mean fronts on record; photos beside their minimal images (WAM's figure
13), with what is printed of each: the logit of the photo and of the minimal image, and of both in grey. The folder
WAVELENS_DATA has the network and photos of the last (Caltech-101, CC BY 4.0; the others are scikit-image's).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import at_hand
import pictures
import skimage
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

import wavelens as wl

RESULTS = Path(__file__).parent / "results" / "minimal-40.json"
ALPHAS = [100.0, 1000.0, 10000.0]
STEPS = 60
SHOWN = ("chelsea.png", "coffee.png")  # of scikit-image
CATEGORIES = ("dalmatian", "flamingo", "strawberry")  # the first photo of each, of Caltech-101
NETWORK, PRICE = "EfficientNet-lite0", 300.0
COLOURS = ("#0072b2", "#d55e00")
SHORT = {"tf_efficientnet_lite0": "EfficientNet-lite0", "vit_tiny_patch16_224": "ViT-tiny"}


def cat() -> None:
    model = wl.models.load()
    photo = model.preprocess(wl.frontends.read_image(Path(skimage.__file__).parent / "data" / "chelsea.png"))
    with torch.no_grad():
        order = model.module(photo)[0].argsort()
    rows = []
    for target in (282, int(order[len(order) // 2])):
        found = wl.masks.minimal(
            model.module, photo, target, domain=wl.DWT("haar", levels=5), alpha=ALPHAS, steps=STEPS
        ).front()
        label = model.labels[target].split(", ")[0]
        figure = wl.plots.minimal(found, photo, title=f"EfficientNet-lite0, {label}, {STEPS} steps")
        rows.append(pictures.drawn(figure))
    whole = Image.new("RGB", (rows[0].width, sum(row.height for row in rows)), "white")
    for k, row in enumerate(rows):
        whole.paste(row, (0, k * rows[0].height))
    pictures.keep(whole, "minimal.webp")


def fronts() -> None:
    record = json.loads(RESULTS.read_text())
    figure = Figure((9, 3.6), dpi=100, facecolor="white", layout="constrained")
    axes: Any = figure.subplots(1, 2)
    for net, colour in zip(record["nets"], COLOURS, strict=False):
        points = net["front"]["points"]
        name = f"{SHORT[net['net']]} ({net['front']['photos']} photos)"
        for ax, key, before in zip(axes, ("after", "p"), ("before", "p_before"), strict=True):
            x, y = ([point[column]["mean"] for point in points] for column in ("sparsity", key))
            errors = {
                axis: [[abs(point[column]["mean"] - point[column][end]) for point in points] for end in ("from", "to")]
                for axis, column in (("xerr", "sparsity"), ("yerr", key))
            }
            ax.errorbar(x, y, **errors, color=colour, marker="o", markersize=4, linewidth=1.2, label=name)
            ax.axhline(points[0][before]["mean"], color=colour, linewidth=1, linestyle="--")
            for point, a, b in zip(points, x, y, strict=True):
                ax.annotate(f"{point['alpha']:g}", (a, b), (4, 4), textcoords="offset points", fontsize=7)
    for ax, title in zip(axes, ("logit", "probability"), strict=True):
        ax.set_xlabel("share of coefficients that are zero")
        ax.set_ylabel(f"mean {title} of the class")
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, fontsize=8)
    figure.suptitle("mean fronts with 95 % intervals; numbers are α, dashes the untouched photos", fontsize=10)
    pictures.keep(pictures.drawn(figure, 100), "minimal-front.png")


def gathered() -> dict[str, Tensor]:
    data = Path(skimage.__file__).parent / "data"
    square = wl.models.Geometry((256, 256), (224, 224))
    folder = at_hand.at("images/caltech101_460")
    firsts = [sorted(folder.glob(f"{name}_*.jpg"))[0].name for name in CATEGORIES]
    return {name: square(wl.frontends.read_image(data / name)) for name in SHOWN} | {
        name: at_hand.photo(name) for name in firsts
    }


def gallery() -> None:
    shown, labels, net = gathered(), wl.models.load().labels, at_hand.image_network(NETWORK)
    x = torch.cat(list(shown.values()))
    with torch.no_grad():
        targets = net(x).argmax(1)
    found = wl.masks.minimal(net, x, targets, domain=wl.DWT("haar", levels=5), alpha=PRICE, steps=STEPS)
    with torch.no_grad():
        grey = [net(y.mean(1, keepdim=True).expand_as(y))[range(len(y)), targets] for y in (x, found.rebuilt)]
    figure = Figure((2.4 * len(shown), 5.3), dpi=80, facecolor="white", layout="constrained")
    axes: Any = figure.subplots(2, len(shown))
    for k, name in enumerate(shown):
        label, zeros = labels[int(targets[k])].split(", ")[0], float(found.sparsity[k])
        texts = (f"{label}\nlogit {found.before[k]:.1f}", f"{zeros:.1%} zeros\nlogit {found.after[k]:.1f}")
        for ax, picture, text in zip(axes[:, k], (x[k], found.rebuilt[k]), texts, strict=True):
            ax.imshow(picture.clamp(0, 1).movedim(0, -1).numpy())
            ax.set_title(text, fontsize=10)
            ax.set_axis_off()
        logits = f"{found.before[k]:.1f}, in grey {grey[0][k]:.1f} -> {found.after[k]:.1f}, in grey {grey[1][k]:.1f}"
        print(f"{name}: {label}, {zeros:.1%} zeros, logit {logits}")
    pictures.keep(pictures.drawn(figure), "minimal-gallery.webp")


if __name__ == "__main__":
    for made in (cat, fronts, gallery):
        if made.__name__ in (sys.argv[1:] or ["cat", "fronts", "gallery"]):
            made()
