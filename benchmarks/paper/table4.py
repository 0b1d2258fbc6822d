"""Tables 4 and 5: insertion, deletion, faithfulness and μ-fidelity of every method on photos and four architectures.

    python benchmarks/paper/table4.py              # 20 photos, 12 steps, 32 subsets
    FULL=1 python benchmarks/paper/table4.py       # all 460 photos, 64 steps, 128 subsets

Every order is judged twice, on pixels and on wavelet coefficients: pixel maps are read in wavelets and wavelet
attributions in pixels (`metrics.translate`), so that methods are not compared by what their domain allows. Paths have
nodes until they miss 2 % of the rise. The class is the one that the network names first. Photos are those of
Caltech-101, which no network was trained on.
"""

from __future__ import annotations

import at_hand
import judging
import record
import torch
from record import rows

import wavelens as wl
from wavelens.baselines import LRP, SRD, FromMethod, GradCAM, GradCAMPlusPlus, LayerCAM

SMALL = {"photos": 20, "steps": 12, "subsets": 32, "effort": 25}
FULL = {"photos": 460, "steps": 64, "subsets": 128}
DOMAINS = {"pixels": wl.Identity(), "wavelets": wl.DWT("haar", levels=3)}


def explainers(effort: int) -> dict[object, object]:
    return {
        ("Saliency", "WAM saliency"): wl.Saliency(),
        ("Integrated Gradients", "WAM-IG"): wl.IntegratedGradients(tolerance=judging.TOLERANCE),
        ("SmoothGrad", "WAM-SG"): wl.SmoothGrad(samples=effort),
        "Guided Backpropagation": FromMethod(wl.Zennit("GuidedBackprop")),
        "GradCAM": GradCAM(),
        "GradCAM++": GradCAMPlusPlus(),
        "LayerCAM": LayerCAM(),
        "LRP": LRP(),
        "SRD": SRD(),
    }


def row(network: str, photo: str, *, steps: int, subsets: int, effort: int) -> rows.Row:
    net, x = at_hand.image_network(network), at_hand.photo(photo)
    with torch.no_grad():
        sure, target = net(x).softmax(1)[0].max(0)
    found, seconds, left_out = judging.explained(net, x, int(target), explainers(effort), list(DOMAINS.values()))
    measures = judging.Measures(steps, subsets)
    scores = judging.judged(judging.quick(net, x.shape[1:]), x, int(target), found, DOMAINS, measures, item=photo)
    made = {"class": int(target), "probability": round(float(sure), 5), "explaining": seconds, "left_out": left_out}
    return made | {"gaps": judging.gaps(found), "scores": scores}


def main(argv: list[str] | None = None) -> None:
    given = record.options(__doc__, SMALL, FULL, argv)
    settings = {name: getattr(given, name) for name in ("steps", "subsets", "effort")}
    keys = [{"network": net, "photo": p} for p in at_hand.photo_names(given.photos) for net in at_hand.IMAGE_NETWORKS]
    made_with = {"domains": judging.texts(DOMAINS), "explainers": judging.texts(explainers(given.effort))}
    made_with["measured"] = judging.MEASURED
    found = rows.each(rows.place("table4"), settings | made_with, keys, lambda **key: row(**key, **settings))
    networks = {}
    for net in [*at_hand.IMAGE_NETWORKS, "all"]:
        mine = [one for one in found if net in (one["key"]["network"], "all")]
        sure = record.interval([one["probability"] for one in mine])
        left_out = {} if net == "all" else judging.left_out(mine)
        networks[net] = {"probability": sure, "left_out": left_out, "cells": judging.cells(mine, "photo")}
    record.write(
        "table4",
        {
            "title": "Tables 4 and 5: images",
            "data": f"photos of Caltech-101, {at_hand.DRAW}",
            "photos": len(found) // len(at_hand.IMAGE_NETWORKS),
            "settings": settings,
            **made_with,
            "seconds": round(sum(one["seconds"] for one in found)),
            "networks": networks,
        },
        given.results,
    )


if __name__ == "__main__":
    main()
