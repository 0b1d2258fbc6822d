"""The scale profile of a network with standard and one with adversarial training (WAM's figure 3, section 4.2).

    python benchmarks/paper/figure3.py                # 32 crops with and 32 without a panel
    FULL=1 python benchmarks/paper/figure3.py         # all

Mean share of each scale and its signed sum, of the crop's own class, with 95 % intervals (paired bootstrap), for
integrated gradients as in the paper, SmoothGrad and the plain gradient; and the crops' own coefficients, |z|, which
every method that multiplies by the input takes part of its profile from. Accuracies are those on the same crops. What
is computed is kept in the cache folder, so a run that is ended goes on. Writes results/figure3.json and the figure
docs/images/figure3.png.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import judging
import numpy as np
import pv
import record
import torch
from robustness_inputs import EPSILONS, pgd
from torch import Tensor

import wavelens as wl
from wavelens.maps import Profile

SMALL, FULL = {"crops": 32}, {"crops": 200}  # of each label
DOMAIN = wl.DWT("haar", levels=5)
METHODS = {
    "IntegratedGradients": wl.IntegratedGradients(steps=25),
    "SmoothGrad": wl.SmoothGrad(samples=25, sigma=0.25),
    "Saliency": wl.Saliency(),
}
SHORT = {"IntegratedGradients": "WAM-IG", "SmoothGrad": "WAM-SG", "Saliency": "gradient"}
IMAGE = Path(__file__).parents[2] / "docs" / "images" / "figure3.png"


def profiles(network: str, method: str, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
    net = pv.network(network).module
    several = [
        wl.attribute(net, crops, own.tolist(), domain=DOMAIN, method=METHODS[method], batch_size=25)
        for crops, own in zip(x.split(25), labels.split(25), strict=True)
    ]
    found = [wl.maps.profile(a) for a in several]
    told = {name: torch.cat([getattr(one, name) for one in found]) for name in ("share", "signed")}
    missed = [judging.missed(a) for a in several if a.gap is not None]
    return told | ({"gap": torch.cat(missed)} if missed else {})


def answers(network: str, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Whether the class is right, on the crops and after PGD of each strength."""
    net = pv.network(network).module
    pairs = list(zip(x.split(25), labels.split(25), strict=True))
    attacked = [[pgd(net, crops, own, epsilon) for crops, own in pairs] for epsilon in EPSILONS]
    with torch.no_grad():
        right = [torch.cat([net(one).argmax(1) for one in each]) == labels for each in [x.split(25), *attacked]]
    return {"right": torch.stack(right, 1)}


def average(found: dict[str, dict[str, Tensor]]) -> wl.runs.Average:
    names = tuple(DOMAIN.analysis(torch.zeros(1, 1, pv.SIZE, pv.SIZE)).layout.scales())
    none = torch.zeros(1, 0)
    return wl.runs.average(
        {name: Profile(names, own["signed"], own["share"], (), none, none) for name, own in found.items()}
    )


def rows(found: wl.runs.Average) -> dict[str, Any]:
    def estimate(value: Any) -> list[float]:
        return [round(number, 4) for number in asdict(value).values()]

    return {
        model: {
            "share": {row.scale: estimate(row.share) for row in found.rows if row.model == model},
            "signed": {row.scale: estimate(row.signed) for row in found.rows if row.model == model},
            "mean level": estimate(found.level(model).level),
            "mean level, less the first": estimate(found.level(model).difference),
        }
        for model in found.models
    }


def main(argv: list[str] | None = None) -> None:
    given = record.options(__doc__, SMALL, FULL, argv)
    x, labels = pv.crops()
    chosen = pv.spread(labels, given.crops)
    x, labels = x[chosen], labels[chosen]
    right = {
        name: pv.kept(
            f"figure3-{name}-answers-{len(x)}",
            lambda name=name: answers(name, x, labels),
            x=x,
            labels=labels,
            epsilons=EPSILONS,
        )["right"]
        for name in pv.NETWORKS
    }
    table: dict[str, Any] = {}
    gaps: dict[str, Any] = {}  # of the path alone
    for method in METHODS:
        found = {
            name: pv.kept(
                f"figure3-{name}-{method}-{len(x)}",
                lambda name=name, m=method: profiles(name, m, x, labels),
                x=x,
                labels=labels,
                domain=DOMAIN,
                method=METHODS[method],
            )
            for name in pv.NETWORKS
        }
        averaged = average(found)
        table[method] = rows(averaged)
        gaps |= {
            name: record.interval(own["gap"].double().tolist(), np.median)
            for name, own in found.items()
            if "gap" in own
        }
        if method == "IntegratedGradients":
            draw(averaged, len(x))
    z = wl.maps.profile(DOMAIN.analysis(x))
    own = average({"the crops, |z|": {"share": z.share, "signed": z.signed}})
    settings = {"crops": len(x), "domain": repr(DOMAIN), "methods": {n: repr(m) for n, m in METHODS.items()}}
    strengths = ["0", *(f"{round(255 * epsilon)}/255" for epsilon in EPSILONS)]
    accuracy = {
        name: {f"PGD {s}": record.interval(one.double().tolist()) for s, one in zip(strengths, own.T, strict=True)}
        for name, own in right.items()
    }
    extents = pv.GEOMETRY.grid(torch.zeros(1, 3, 101, 101)).labels(DOMAIN.analysis(x[:1]).layout)
    path = record.write(
        "figure3",
        {**settings, "scales": extents, "accuracy": accuracy, "gap": gaps, "profiles": table, "control": rows(own)},
        given.results,
    )
    print(path)
    for method, told in table.items():
        far = told["adversarial"]["mean level, less the first"]
        print(f"{SHORT[method]}: adversarial {far[0]:+.2f} levels [{far[1]:+.2f}, {far[2]:+.2f}] coarser than standard")


def draw(found: wl.runs.Average, count: int) -> None:
    grid = pv.GEOMETRY.grid(torch.zeros(1, 3, 101, 101))
    layout = DOMAIN.analysis(torch.zeros(1, 1, pv.SIZE, pv.SIZE)).layout
    extents = dict.fromkeys(found.models, grid.labels(layout))
    title = f"ResNet-18 with a quarter of its channels, {count} aerial crops, WAM-IG (25 steps), Haar"
    wl.plots.save(wl.plots.mean_profiles(found, extents, title=title), IMAGE)


if __name__ == "__main__":
    main()
