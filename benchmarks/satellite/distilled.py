"""A small convolutional network over all bands, distilled from Presto's land cover: by band and by scale.

    python benchmarks/satellite/distilled.py

Trains a network of three convolutions over all twelve bands at 10 m on Presto's probabilities in the central 640 m of
eight patches, in minutes on one core, and keeps three patches for the test (drawn by a fixed seed). The commonest class
of each patch is then explained: the mean of its logit over the patch, by integrated gradients in octaves, from the mean
spectrum. The account by band and by scale stands beside the part of the patch's energy there, and the order of the
coefficients is judged by insertion less deletion against the energy order and a random one, and against the same
gradients pixel by pixel.

Eleven patches, three of them not trained on: a case and no benchmark. Presto sees single pixels, so that its land cover
asks for no neighbourhood; scales say where the evidence's variation lies on the ground, not that shapes are looked for.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import scenes
import torch
from presto import COVER
from scenes import rows
from torch import Tensor, nn

import wavelens as wl

SMALL = {"steps": 300, "gradients": 16, "seed": 0}
SIDE = 64  # pixels of 10 m, in the middle of a patch
HELD_OUT, CROP, ITEMS = 3, 32, 8
WIDTH = 32
DOMAIN = wl.DWT("haar", levels=4)
CURVE_STEPS = 12


class Cover(nn.Module):
    """Reflectance `(batch, 12, rows, columns)` to logits of land cover `(batch, 9, rows, columns)`."""

    def __init__(self, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean[:, None, None])
        self.register_buffer("deviation", deviation[:, None, None])
        layers: list[nn.Module] = []
        for before in (len(mean), WIDTH, WIDTH):
            layers += [nn.Conv2d(before, WIDTH, 3, padding=1), nn.BatchNorm2d(WIDTH), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(WIDTH, len(COVER), 1))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers((x - self.mean) / self.deviation)
        return logits


def central(x: Tensor) -> Tensor:
    """The middle of a patch, `SIDE` pixels wide and high."""
    first = (x.shape[-1] - SIDE) // 2
    return x[..., first : first + SIDE, first : first + SIDE]


@cache
@torch.no_grad()
def cover(name: str) -> Tensor:
    """Presto's logits of the middle of a patch, `(1, 9, SIDE, SIDE)`."""
    net = scenes.network(name)
    return torch.cat([net(strip) for strip in central(scenes.picked(name)).split(8, 2)], 2)


def held_out(seed: int) -> list[str]:
    """The patches that are not trained on."""
    names = scenes.patches()
    chosen = np.random.default_rng(seed).choice(len(names), HELD_OUT, replace=False)
    return [names[k] for k in sorted(chosen)]


@cache
def trained(steps: int, seed: int) -> Cover:
    """The network after so many steps on crops of the other patches."""
    torch.manual_seed(seed)
    names = [name for name in scenes.patches() if name not in held_out(seed)]
    images = torch.cat([central(scenes.patch(name)[0]) for name in names])
    wanted = torch.cat([cover(name) for name in names]).softmax(1)
    net = Cover(images.mean((0, 2, 3)), images.std((0, 2, 3)))
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    source = np.random.default_rng(seed)
    for _ in range(steps):
        places = source.integers(0, images.shape[-1] - CROP, (ITEMS, 2))
        chosen = source.integers(0, len(names), ITEMS)
        cuts = [(k, slice(r, r + CROP), slice(c, c + CROP)) for k, (r, c) in zip(chosen, places, strict=True)]
        x = torch.stack([images[k, :, r, c] for k, r, c in cuts])
        y = torch.stack([wanted[k, :, r, c] for k, r, c in cuts])
        loss = nn.functional.cross_entropy(net(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return net.eval()


def row(name: str, *, steps: int, gradients: int, seed: int) -> rows.Row:
    net, (whole, header) = trained(steps, seed), scenes.patch(name)
    x = central(whole)
    with torch.no_grad():
        given, wanted = net(x).argmax(1), cover(name).argmax(1)
    commonest = int(wanted.flatten().mode().values)
    target = wl.targets.ByItem(Mean(commonest, x.shape[2] * x.shape[3]))
    start = torch.cat([scenes.patch(one)[0].mean((2, 3)) for one in scenes.patches()]).mean(0)[None, :, None, None]
    method = wl.IntegratedGradients(steps=gradients)
    several = [DOMAIN, wl.Identity()]
    a, by_pixel = wl.attribute(net, x, target, domain=several, method=method, baseline=start)
    z = DOMAIN.analysis(x - start)
    orders = {
        "IG, wavelets": a,
        "IG, pixels": by_pixel,
        "energy": wl.Coefficients(z.data.square(), z.layout),
        "random": scenes.random_order(z, seed),
    }
    labels = header.grid.labels(a.layout)
    profile, energy = wl.maps.profile(a, by_channel=True), wl.maps.profile(orders["energy"], by_channel=True)
    scores = {
        label: float(wl.metrics.faithfulness(net, x, target, c, domain=DOMAIN, steps=CURVE_STEPS, baseline=start))
        for label, c in orders.items()
    }
    return {
        "held out": name in held_out(seed),
        "labels": scenes.labels(name),
        "class": COVER[commonest],
        "agreement": float((given == wanted).double().mean()),
        "commonest": float((wanted == commonest).double().mean()),
        "rise": float(a.score - a.baseline_score),
        "gap": float(a.gap),
        "bands": list(header.bands),
        "scales": [labels[scale] for scale in a.layout.scales()],
        "signed": profile.signed[0].tolist(),
        "share": profile.share[0].tolist(),
        "energy": energy.share[0].tolist(),
        "faithfulness": scores,
    }


class Mean:
    """The mean of a class's logit over a patch."""

    def __init__(self, label: int, pixels: int) -> None:
        self.label, self.pixels = label, pixels

    def __call__(self, output: Tensor, items: Tensor) -> Tensor:
        scores: Tensor = output[:, self.label].flatten(1).mean(1)
        return scores

    def __repr__(self) -> str:
        return f"mean logit of {COVER[self.label]}"


def summary(made: list[rows.Row]) -> dict[str, Any]:
    """Means over patches with intervals; agreement apart for those that were not trained on."""
    out = [one for one in made if one["held out"]]
    bands, scales = made[0]["bands"], made[0]["scales"]
    share, energy = (np.array([one[key] for one in made]) for key in ("share", "energy"))
    difference = {order: [one["faithfulness"]["IG, wavelets"] - one["faithfulness"][order] for one in made]
                  for order in ("IG, pixels", "energy", "random")}  # fmt: skip
    return {
        "patches": len(made),
        "held out": [one["key"]["name"] for one in out],
        "agreement, held out": scenes.interval([one["agreement"] for one in out]),
        "agreement, trained on": scenes.interval([one["agreement"] for one in made if not one["held out"]]),
        "commonest class, held out": scenes.interval([one["commonest"] for one in out]),
        "gap, part of the rise": scenes.interval([abs(one["gap"] / one["rise"]) for one in made]),
        "by band": {
            band: {"γ": scenes.interval(share[:, k].sum(1)), "energy": scenes.interval(energy[:, k].sum(1))}
            for k, band in enumerate(bands)
        },
        "by scale": {
            scale: {"γ": scenes.interval(share[:, :, k].sum(1)), "energy": scenes.interval(energy[:, :, k].sum(1))}
            for k, scale in enumerate(scales)
        },
        "cells": {
            band: {scale: round(float(share[:, i, k].mean()), 4) for k, scale in enumerate(scales)}
            for i, band in enumerate(bands)
        },
        "faithfulness": {
            order: scenes.interval([one["faithfulness"][order] for one in made]) for order in made[0]["faithfulness"]
        },
        "faithfulness, IG in wavelets less": {name: scenes.interval(values) for name, values in difference.items()},
        "classes": {one["key"]["name"]: one["class"] for one in made},
    }


def main(argv: list[str] | None = None) -> None:
    given = scenes.sized(__doc__, SMALL, {}, scenes.RESULTS, argv)
    settings = {"steps": given.steps, "gradients": given.gradients, "seed": given.seed}
    about = {"domain": repr(DOMAIN), "curve steps": CURVE_STEPS}
    keys = [{"name": name} for name in scenes.patches()]
    made = rows.each(rows.place("satellite_distilled"), settings | about, keys, lambda name: row(name, **settings))
    record = {"settings": settings | about, **summary(made)}
    print(scenes.records.write(given.results / "distilled.json", scenes.records.rounded(record)))


if __name__ == "__main__":
    main()
