"""Table 7: insertion, deletion and faithfulness on AdrenalMNIST3D and VesselMNIST3D, three architectures.

    python benchmarks/paper/table7.py              # 24 volumes of each, 64 steps
    FULL=1 python benchmarks/paper/table7.py       # both test splits

Needs the networks of nets3d.py. Orders are judged on voxels and on wavelet coefficients (Haar, 2 levels); those of one
level in their own domain alone. Paths have nodes until they miss 2 % of the rise. The class is the one that the network
names; means are over all volumes, and in wavelets of each class alone. On record beside the scores is what the network
says of an empty volume (where that is of the same class, deletion cannot fall), and how many coefficients are not zero:
behind these, curves are flat.
"""

from __future__ import annotations

import itertools
from typing import Any

import at_hand
import judging
import nets3d
import record
import torch
from guided import guided_backpropagation
from record import rows
from torch import Tensor, nn

import wavelens as wl
from wavelens.baselines import GradCAM, GradCAMPlusPlus
from wavelens.runs.evaluation import weights_digest

SMALL = {"adrenal": 24, "vessel": 24, "steps": 64, "effort": 25}
FULL = {"adrenal": 298, "vessel": 382}
SIGMA = 0.0001  # the paper's, for volumes
DOMAINS = {
    "voxels": wl.Identity(),
    "wavelets": wl.DWT("haar", levels=2),
    "wavelets, one level": wl.DWT("haar", levels=1),
}
PIXELS = ("Saliency", "Integrated Gradients", "SmoothGrad", "Guided Backpropagation", "GradCAM", "GradCAM++")
ORDERS = {
    "voxels": (*PIXELS, "WAM-SG (J = 2)", "WAM-IG (J = 2)"),
    "wavelets": (*PIXELS, "WAM-SG (J = 2)", "WAM-IG (J = 2)"),
    "wavelets, one level": ("WAM-SG (J = 1)", "WAM-IG (J = 1)"),
}


def explainers(effort: int) -> dict[object, object]:
    ig, sg = wl.IntegratedGradients(tolerance=judging.TOLERANCE), wl.SmoothGrad(samples=effort, sigma=SIGMA)
    return {
        ("Saliency",): wl.Saliency(),
        ("Integrated Gradients", "WAM-IG (J = 2)", "WAM-IG (J = 1)"): ig,
        ("SmoothGrad", "WAM-SG (J = 2)", "WAM-SG (J = 1)"): sg,
        "Guided Backpropagation": guided_backpropagation,
        "GradCAM": GradCAM(),
        "GradCAM++": GradCAMPlusPlus(),
    }


def judged(net: nn.Module, x: Tensor, item: str, steps: int, effort: int) -> rows.Row:
    """The row of one volume."""
    with torch.no_grad():
        sure, target = net(x).softmax(1)[0].max(0)
        empty = net(torch.zeros_like(x)).softmax(1)[0, target]
    found, seconds, left_out = judging.explained(net, x, int(target), explainers(effort), list(DOMAINS.values()))
    measures = judging.Measures(steps)
    quick = judging.quick(net, x.shape[1:])
    scores = judging.judged(quick, x, int(target), found, DOMAINS, measures, item=item, orders=ORDERS)
    filled = {
        name: round((domain.analysis(x).data.abs() > 1e-6).float().mean().item(), 5) for name, domain in DOMAINS.items()
    }
    made = {
        "class": int(target),
        "probability": round(float(sure), 5),
        "empty": round(float(empty), 5),
        "filled": filled,
    }
    return made | {"explaining": seconds, "left_out": left_out, "gaps": judging.gaps(found), "scores": scores}


def summary(mine: list[rows.Row]) -> rows.Row:
    named = {str(c): [row["class"] for row in mine].count(c) for c in sorted({row["class"] for row in mine})}
    return {
        "named": named,
        "probability": record.interval([row["probability"] for row in mine]),
        "empty": record.interval([row["empty"] for row in mine]),
        "filled": {name: record.interval([row["filled"][name] for row in mine]) for name in DOMAINS},
        "left_out": judging.left_out(mine),
        "cells": judging.cells(mine, "volume"),
    }


def by_class(mine: list[rows.Row]) -> dict[str, list[dict[str, Any]]]:
    """The cells of wavelets of the volumes that the network names so."""
    found = {}
    for which in sorted({row["class"] for row in mine}):
        cells = judging.cells([row for row in mine if row["class"] == which], "volume")
        found[str(which)] = [cell for cell in cells if cell["domain"] == "wavelets"]
    return found


def made_with(effort: int) -> dict[str, dict[str, str]]:
    texts = {"domains": judging.texts(DOMAINS), "explainers": judging.texts(explainers(effort))}
    return texts | {"measured": judging.MEASURED}


def main(argv: list[str] | None = None) -> None:
    given = record.options(__doc__, SMALL, FULL, argv)
    settings = {name: getattr(given, name) for name in ("steps", "effort")}
    chosen = {name: at_hand.drawn(range(len(at_hand.medmnist(name)[0])), getattr(given, name)) for name in nets3d.NAMES}
    weights = {
        (name, kind): weights_digest(nets3d.network(kind, name))
        for name in chosen
        for kind in ("residual", *nets3d.KINDS)
    }
    keys = [
        {"data": name, "network": kind, "weights": weights[name, kind], "volume": int(k)}
        for several in itertools.zip_longest(*chosen.values())
        for name, k in zip(chosen, several, strict=True)
        for kind in ("residual", *nets3d.KINDS)
        if k is not None
    ]

    def row(data: str, network: str, weights: str, volume: int) -> rows.Row:
        x = at_hand.medmnist(data)[0][volume : volume + 1]
        return judged(nets3d.network(network, data), x, f"{data} {volume}", **settings)

    constants = made_with(given.effort)
    found = rows.each(rows.place("table7"), settings | constants, keys, row)
    networks = {
        f"{kind}, {name}": summary(mine) | {"classes": by_class(mine)}
        for name in chosen
        for kind in ("residual", *nets3d.KINDS)
        if (mine := [r for r in found if (r["key"]["data"], r["key"]["network"]) == (name, kind)])
    }
    whole = {
        "title": "Table 7: AdrenalMNIST3D and VesselMNIST3D",
        "data": f"volumes of the official test splits, {at_hand.DRAW}",
        "volumes": {name: len(numbers) for name, numbers in chosen.items()},
        "settings": settings,
        **constants,
        "seconds": round(sum(one["seconds"] for one in found)),
        "networks": networks,
    }
    record.write("table7", whole, given.results)


if __name__ == "__main__":
    main()
