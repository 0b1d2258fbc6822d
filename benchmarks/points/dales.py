"""Aerial LiDAR: what a PointNet loses with coefficients of a tree, of a graph, and with points; a pole or a tree.

    python benchmarks/points/dales.py                 # resumed where it stopped
    python benchmarks/points/dales.py --judged 499

Of the 499 objects of DALES Objects, in one draw, the first `--judged` are explained for the class that the network
names, in three spaces: `TreeHaar`, `GraphWavelets`, and points (`Identity`; a point is kept or goes to the start as a
whole). Faithfulness (insertion less deletion) of each method in each space, from zero on uniform fractions and from
shuffled starts on log-spaced ones; zero is the middle of the box. Controls are the energy order and a random one;
`IG, points` is what integrated gradients say of the points, read in the other spaces through a heat map (`translate`).
Nobody knows the truth here: the figures say what the network loses, not where its evidence lies.

On every pole and every tree the difference of their logits is explained: signed sums by scale, where a scale counts for
the octave in metres that the middle of its extent lies in, each object by its own tree.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import objects
import torch
from objects import interval, rows
from torch import Tensor

import wavelens as wl
from wavelens.metrics.controls import energy_order

SMALL = {"judged": 60, "steps": 16, "seed": 0}
BATCH, CURVE_STEPS = 20, 6
SPACES = {"tree": wl.TreeHaar(), "graph": wl.GraphWavelets(levels=8), "points": wl.Identity()}
STARTS = {"zero, uniform": {}, "shuffled, log": {"fill": "shuffled", "fractions": "log", "samples": 1}}
METHODS = {
    "IG": lambda steps: wl.IntegratedGradients(steps=steps),
    "SmoothGrad × input": lambda steps: wl.SmoothGrad(samples=16, sigma=0.02, times_input=True),
    "gradient × input": lambda steps: wl.InputTimesGradient(),
    "SmoothGrad": lambda steps: wl.SmoothGrad(samples=16, sigma=0.02),
    "saliency": lambda steps: wl.Saliency(),
}
OCTAVES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # metres
PAIR = ("pole", "tree")


def row(part: str, number: int, *, steps: int, seed: int) -> rows.Row:
    """All numbers of a batch of objects, one per object."""
    return PARTS[part](chosen_of(part, number, seed), steps, seed)


def chosen_of(part: str, number: int, seed: int) -> list[int]:
    """The objects of a batch: of all in the draw, or of its poles and trees."""
    every = objects.drawn(len(objects.objects()["label"]), seed)
    if part == "pair":
        pair = [objects.classes().index(name) for name in PAIR]
        every = [k for k in every if objects.objects()["label"][k] in pair]
    return every[number * BATCH : (number + 1) * BATCH]


def faithful(chosen: list[int], steps: int, seed: int) -> rows.Row:
    """The methods and controls that every judged object has."""
    net, x = objects.network(), objects.prepared(objects.clouds(chosen))
    with torch.no_grad():
        target = net(x).argmax(1)
    bound = {name: domain.bind(x) for name, domain in SPACES.items()}
    read = {
        name: dict(
            zip(bound, wl.attribute(net, x, target, domain=list(bound.values()), method=make(steps)), strict=True)
        )
        for name, make in METHODS.items()
    }
    a = read["IG"]["tree"]
    rise = (a.score - a.baseline_score).abs().clamp_min(1e-9)
    scored = {
        space: judged(net, x, target, domain, orders(read, space, domain, x, chosen, seed), seed)
        for space, domain in bound.items()
    }
    return {"objects": len(chosen), "gap": (a.gap.abs() / rise).tolist(), "scores": scored}


def orders(
    read: dict[str, Any], space: str, domain: wl.Domain, x: Tensor, chosen: list[int], seed: int
) -> dict[str, wl.Coefficients]:
    energy = energy_order(x, domain)
    made = {name: own[space] for name, own in read.items()}
    made |= {"energy": energy, "random": objects.random_order(energy, chosen, seed)}
    return made if space == "points" else made | {"IG, points": wl.metrics.translate(read["IG"]["points"], domain)}


def judged(
    net: Any, x: Tensor, target: Tensor, domain: wl.Domain, several: dict[str, wl.Coefficients], seed: int
) -> dict[str, dict[str, list[float]]]:
    return {
        start: {
            name: wl.metrics.faithfulness(
                net, x, target, order, domain=domain, steps=CURVE_STEPS, seed=seed, **options
            ).tolist()
            for name, order in several.items()
        }
        for start, options in STARTS.items()
    }


def by_length(chosen: list[int], steps: int, seed: int) -> rows.Row:
    """For each of these poles and trees, the signed sums of their logits' difference by octave in metres."""
    pair, labels = [objects.classes().index(name) for name in PAIR], objects.objects()["label"]
    several = objects.clouds(chosen)
    x = objects.prepared(several)
    method = wl.IntegratedGradients(steps=steps)
    a = wl.attribute(objects.network(), x, wl.targets.Contrast(*pair), domain=SPACES["tree"], method=method)
    made = []
    for k, cloud in enumerate(several):
        one = a.item(k)
        sums = dict.fromkeys(["mean", *range(len(OCTAVES) + 1)], 0.0)
        extents = objects.TAKES.grid(cloud).extents(one.layout)
        for name, value in zip(one.layout.scales(), wl.maps.profile(one).signed[0].tolist(), strict=True):
            sums["mean" if name == "a" else octave(extents[name][0])] += value
        rise = float(one.score - one.baseline_score)
        made.append({"label": int(labels[chosen[k]]), "sums": list(sums.values()), "rise": rise})
    return {"pair": made}


PARTS = {"pair": by_length, "faithfulness": faithful}


def octave(ends: tuple[float, float]) -> int:
    """Which octave of `OCTAVES` the middle of an extent lies in; 0 below the first."""
    low, high = ends
    middle = math.sqrt(max(low, 1e-9) * high) if low > 0 else high / 2
    return sum(middle >= edge for edge in OCTAVES)


def octave_name(k: int) -> str:
    if k == 0:
        return f"< {OCTAVES[0]:g} m"
    return f"{OCTAVES[k - 1]:g}–{OCTAVES[k]:g} m" if k < len(OCTAVES) else f"> {OCTAVES[-1]:g} m"


def joined(made: list[rows.Row]) -> dict[str, Any]:
    """The record: means with intervals over objects."""
    record: dict[str, Any] = {"accuracy": accuracy()}
    if some := [row for row in made if row["key"]["part"] == "faithfulness"]:
        count = sum(row["objects"] for row in some)
        record["faithfulness"] = {"objects": count, **{space: spaces(some, space) for space in SPACES}}
    gaps = [value for row in made for value in row.get("gap", [])]
    return record | {
        "gap, part of the rise": interval(gaps),
        "pole or tree": lengths([one for row in made for one in row.get("pair", [])]),
    }


@torch.no_grad()
def accuracy() -> dict[str, Any]:
    """Of the objects that the network was not trained on, and of all."""
    every = objects.objects()
    x = objects.prepared(objects.clouds(range(len(every["label"]))))
    right = (objects.network()(x).argmax(1).numpy() == every["label"]).astype(float)
    unseen = right[every["test"].astype(bool)]
    return {"objects": len(right), "all": interval(right), "not trained on": interval(unseen), "of them": len(unseen)}


def spaces(some: list[Any], space: str) -> dict[str, Any]:
    """Of a space, each start: each order's faithfulness, and what integrated gradients have more than others."""
    made: dict[str, Any] = {}
    for start in STARTS:
        names = some[0]["scores"][space][start]
        cells = {name: [value for row in some for value in row["scores"][space][start][name]] for name in names}
        made[start] = {name: interval(values) for name, values in cells.items()}
        for other in ("energy", "IG, points"):
            if other in cells:
                less = [a - b for a, b in zip(cells["IG"], cells[other], strict=True)]
                made[start][f"IG less {other}"] = interval(less)
    return made


def lengths(several: list[dict[str, Any]]) -> dict[str, Any]:
    """For poles and for trees, the signed sum of each octave, the rise, and how many there are."""
    made: dict[str, Any] = {}
    for name in PAIR:
        own = [one for one in several if one["label"] == objects.classes().index(name)]
        columns = zip(*(one["sums"] for one in own), strict=True)
        names = ["mean", *map(octave_name, range(len(OCTAVES) + 1))]
        made[name] = {
            "objects": len(own),
            "rise": interval([one["rise"] for one in own]),
            "sums": {key: interval(values) for key, values in zip(names, columns, strict=True)},
        }
    return made


def main(argv: list[str] | None = None) -> None:
    given = objects.sized(__doc__, SMALL, {}, objects.RESULTS, argv)
    settings = {
        "steps": given.steps, "seed": given.seed, "curve steps": CURVE_STEPS,
        "spaces": {name: repr(domain) for name, domain in SPACES.items()},
        "methods": {name: repr(make(given.steps)) for name, make in METHODS.items()},
    }  # fmt: skip
    labels = objects.objects()["label"].tolist()
    pairs = sum(labels.count(objects.classes().index(name)) for name in PAIR)
    counts = {"pair": pairs, "faithfulness": given.judged}
    keys = [
        {"part": part, "number": k}
        for part, count in counts.items()
        for k in range(math.ceil(min(count, len(labels)) / BATCH))
    ]
    compute = partial(row, steps=given.steps, seed=given.seed)
    made = rows.each(rows.place("dales"), settings, keys, compute)
    print(objects.records.write(given.results / "dales.json", {"settings": settings, **joined(made)}))


if __name__ == "__main__":
    main()
