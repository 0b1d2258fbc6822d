"""Cascading randomization (WAM's figure 8, appendix A.3) on real photos, both orders, with intervals.

    python benchmarks/paper/randomization.py              # 20 photos, 5 samples and steps
    FULL=1 python benchmarks/paper/randomization.py       # all 460 photos, 25 samples and steps

The layers of a network are reset one after another, from the output ("top-down") and from the input ("bottom-up": the
paper describes one in its text and the other in its caption). After each reset the photo is explained again, of the
class that the whole network named first, and Spearman's correlation with the first explanation is taken. Means over
photos with 95 % bootstrap intervals go to results/randomization.json; null where every explanation is constant, as
Grad-CAM's is where its rectified sum leaves nothing. Parameters are drawn with their own mean and standard deviation:
torch's initial weights are so small that batch norms behind them, which keep their statistics, leave every unit silent.
An explanation that depends on what the network has learnt falls to 0; a control that does not look at the network at
all, the energy |z| of the wavelet coefficients, stays at 1 by definition and needs no run.
"""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import at_hand
import judging
import numpy as np
import record
import torch
from record import rows
from torch import nn

import wavelens as wl
from wavelens.baselines import FromMethod, GradCAM

SMALL = {"photos": 20, "effort": 5}
FULL = {"photos": 460, "effort": 25}
HAAR = wl.DWT("haar", levels=3)
NETS = ("EfficientNet-lite0", "MobileNetV2")
ORDERS = ("top-down", "bottom-up")


@cache
def network(name: str) -> nn.Module:
    net = copy.deepcopy(at_hand.image_network(name))
    for module in net.modules():  # then a reset draws each parameter with its own mean and standard deviation
        module.reset_parameters = None  # type: ignore[assignment]
    return net


def stages(net: nn.Module) -> list[str]:
    """From the first to the last: the stem, each stage of blocks, the last convolution and the classifier."""
    blocks = [f"module.blocks.{k}" for k in range(len(net.module.blocks))]  # type: ignore[union-attr,arg-type]
    return ["module.conv_stem", *blocks, "module.conv_head", "module.classifier"]


def explainers(effort: int) -> dict[str, Any]:
    return {
        "WAM-IG": FromMethod(wl.IntegratedGradients(steps=effort), HAAR),
        "WAM-SG": FromMethod(wl.SmoothGrad(samples=effort), HAAR),
        "Grad-CAM": GradCAM(),
        "guided backpropagation": FromMethod(wl.Zennit("GuidedBackprop")),
    }


def row(network_: str, explainer: str, order: str, photo: str, *, effort: int) -> rows.Row:
    net, x, explain = network(network_), at_hand.photo(photo), explainers(effort)[explainer]
    with torch.no_grad():
        target = net(x).argmax(1)
    before = explain(net, x, target)
    left = wl.metrics.randomization(net, x, target, before, explainer=explain, order=order, layers=stages(net))
    found = [None if v != v else round(v, 5) for v in left.correlation[:, 0].tolist()]
    gaps = judging.gaps({explainer: before})  # of the whole network's explanation
    return {"layers": [layer.removeprefix("module.") for layer in left.layers], "correlation": found, "gaps": gaps}


def curve(mine: list[rows.Row]) -> dict[str, Any]:
    """Mean and interval after each reset, over the photos that have a correlation there."""
    table = np.array([one["correlation"] for one in mine], dtype=float)
    known = np.isfinite(table).sum(0)
    three = [record.interval(column) for column in table.T]
    named = dict(zip(("mean", "low", "high"), ([t[k] for t in three] for k in range(3)), strict=True))
    gaps = [gap for one in mine for gap in one["gaps"].values()]
    told = {"gap": record.interval(gaps, np.median)} if gaps else {}
    return {"layers": mine[0]["layers"], "photos": len(mine), **told, **named, "known": known.tolist()}


def main(argv: list[str] | None = None) -> None:
    given = record.options(__doc__, SMALL, FULL, argv)
    settings = {"effort": given.effort}
    keys = [
        {"network_": net, "explainer": name, "order": order, "photo": photo}
        for photo in at_hand.photo_names(given.photos)
        for net in NETS
        for name in explainers(given.effort)
        for order in ORDERS
    ]
    made_with = {name: repr(explainer) for name, explainer in explainers(given.effort).items()}
    found = rows.each(rows.place("randomization"), settings | made_with, keys, lambda **key: row(**key, **settings))
    curves = []
    for net in NETS:
        for name, explainer in explainers(given.effort).items():
            for order in ORDERS:
                which = {"network": net, "explainer": name, "order": order}
                mine = [
                    r for r in found if [r["key"][k] for k in ("network_", "explainer", "order")] == [*which.values()]
                ]
                curves.append(which | {"text": repr(explainer)} | curve(mine))
    whole = {
        "title": "Figure 8: cascading randomization",
        "data": f"photos of Caltech-101, {at_hand.DRAW}",
        "photos": given.photos,
        "settings": settings,
        "seconds": round(sum(one["seconds"] for one in found)),
        "rows": curves,
    }
    record.write("randomization", whole, given.results)


if __name__ == "__main__":
    main()
