"""The pictures of docs/guides/minimal.md: a cat for three prices with its control, and the mean fronts on record.

python benchmarks/paper/minimal_figures.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pictures
import skimage
import torch
from matplotlib.figure import Figure
from PIL import Image

import wavelens as wl

RESULTS = Path(__file__).parent / "results" / "minimal.json"
ALPHAS = [100.0, 1000.0, 10000.0]
STEPS = 60
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


if __name__ == "__main__":
    cat()
    fronts()
