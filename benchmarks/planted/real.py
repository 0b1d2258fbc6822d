"""How much of a pattern planted in real photos, sounds and scans each method finds, with networks tuned to it.

    python benchmarks/planted/real.py                                  # all networks, 24 items each; resumes
    python benchmarks/planted/real.py --networks "YAMNet, 4 layers" --items 12

Networks are those of real_training.py that passed: right on 95 % of the items that are for choosing, with the pattern,
with it moved and with the other one in its place, by chance without any. Items are those for judging, which no network
was trained or chosen on. Truth, scores and orders are those of find.py. results/real.json.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import common
import find
import orders
import real_training
import torch
from common import rows
from real_networks import RECIPES
from torch import Tensor

import wavelens as wl
from wavelens import planted
from wavelens.core import Coefficients, Domain

METHODS = ("saliency", "SmoothGrad", "SmoothGrad, little noise", "IG", "Shapley by scale")
BASELINES = ("Grad-CAM", "Layer-CAM")
DOMAINS: dict[str, dict[str, Domain]] = {
    "photo": {"DWT haar": wl.DWT("haar", levels=5), "DWT db4": wl.DWT("db4", levels=4), "Identity": wl.Identity()},
    "sound": {"DWT haar": wl.DWT("haar", levels=8), "DWT db4": wl.DWT("db4", levels=8), "Identity": wl.Identity()},
    "scan": {"DWT haar": wl.DWT("haar", levels=3), "DWT db4": wl.DWT("db4", levels=1), "Identity": wl.Identity()},
}
RECIPE = 1  # to be raised when what the names stand for changes, so that rows are made again
BEST, OTHERS = "IG, signed", ("energy", "IG", "SmoothGrad", "SmoothGrad × z, signed")  # chosen on synthetic tasks
REQUIRED = 0.95
CHANCE_DEVIATIONS = 4.0


def is_verified(measured: dict[str, float], signals: int) -> bool:
    """Whether a network goes by the pattern, as `wl.planted.verify` asks for, at this number of signals."""
    shares = ("accuracy", "moved", "exchanged", "distractor", "background")
    reach = CHANCE_DEVIATIONS * (measured["chance"] * (1 - measured["chance"]) / signals) ** 0.5
    steady = abs(measured["removed"] - measured["chance"]) <= reach
    return steady and all(measured[name] >= REQUIRED for name in shares)


@cache
def signals(network: str, items: int) -> planted.PlantedSignals:
    """The signals that a network is judged on."""
    return real_training.task_of(network, "judging").signals(items, planted.judging.ITEM_SEED)


def row(network: str, item: int, *, items: int, training: int, check: int) -> rows.Row:
    """The scores of every order in every domain, of one item."""
    net, s = real_training.network(network, training, check), signals(network, items)
    x, pattern, label = s.x[item : item + 1], s.pattern[item : item + 1], int(s.labels[item])
    domains = DOMAINS[real_training.task_of(network, "judging").kind]
    truths = {name: planted.truth(pattern, domain) for name, domain in domains.items()}
    cells: dict[str, dict[str, Any]] = {name: {} for name in domains}
    for name, order, c in read(net, x, label, domains):
        cells[name][str(order)] = find.lists(planted.scores(c, truths[name], order.reading))
    counts = {name: int(known.count) for name, known in truths.items()}
    return {"true coefficients": counts, "scores": cells}


def read(
    net: torch.nn.Module, x: Tensor, label: int, domains: dict[str, Domain]
) -> Iterator[tuple[str, orders.Order, Coefficients]]:
    """`(domain, order, attribution)` of an item: controls, methods of a class and of a contrast, baselines."""
    target = wl.targets.Several(label, wl.targets.Contrast(label, 1 - label))
    z = {name: domain.analysis(x) for name, domain in domains.items()}
    for name, domain in domains.items():
        for order, c in orders.controls(x, domain):
            yield name, order, c
    for method in METHODS:
        own = {k: v for k, v in domains.items() if method != "Shapley by scale" or few_scales(v, x)}
        if not own:
            continue
        several = wl.attribute(net, x, target, domain=list(own.values()), method=orders.METHODS[method])
        for name, a in zip(own, several, strict=True):
            for number, contrast in enumerate((False, True)):
                plain = Coefficients(a.data[number], a.layout)
                for order, c in orders.read(method, plain, z[name], contrast):
                    yield name, order, c
    for name, heat in orders.baselines(net, x, [label]):
        if heat is not None and name in BASELINES:
            yield "Identity", orders.Order(name), heat


def few_scales(domain: Domain, x: Tensor) -> bool:
    """Whether Shapley values of a domain's scales are exact and cheap."""
    return 1 < len(domain.layout(tuple(x.shape[2:])).scales()) <= orders.MAX_COALITIONS_SCALES


def summary(made: list[rows.Row]) -> dict[str, Any]:
    """By kind of signal, domain and order: each score's mean and interval over networks and items, `n` networks."""
    kinds: dict[str, dict[str, list[rows.Row]]] = {}
    for one in made:
        name = one["key"]["network"]
        kind = real_training.task_of(name, "judging").kind
        kinds.setdefault(kind, {}).setdefault(name, []).append(one)
    table: dict[str, Any] = {}
    for kind, networks in kinds.items():
        table[kind] = {}
        for domain in DOMAINS[kind]:
            cells = [joined([one["scores"][domain] for one in several]) for several in networks.values()]
            differences = {f"{BEST} less {other}": find.paired(cells, BEST, other) for other in OTHERS}
            table[kind][domain] = {"orders": find.of_domain(cells), "differences": differences}
    return table


def joined(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """The scores of a network's items, one list per order and score."""
    return {
        order: {score: [v for cell in cells for v in cell[order][score]] for score in cells[0][order]}
        for order in cells[0]
    }


def main(argv: list[str] | None = None) -> None:
    made = real_training.arguments(__doc__, argv, items=24)
    record = common.records.read(made.results / "real-networks.json")["networks"]
    trusted = [
        name for name in made.networks if is_verified(record[name]["choosing"], record[name]["choosing signals"])
    ]
    for name in set(made.networks) - set(trusted):
        print(f"{name} is refused: {record[name]['choosing']}", file=sys.stderr)
    found = []
    for name in trusted:
        task = real_training.task_of(name, "judging")
        settings = {
            "task": repr(task),
            "network": repr((RECIPES[name].depth, RECIPES[name].pooling)),
            "domains": {key: repr(domain) for key, domain in DOMAINS[task.kind].items()},
            "methods": list(METHODS),
            "effort": orders.EFFORT,
            "recipe": RECIPE,
            "items": made.items,
        }
        keys = [{"network": name, "item": item} for item in range(made.items)]
        training, check = record[name]["training signals"], record[name]["choosing signals"]

        def one(network: str, item: int, training: int = training, check: int = check) -> rows.Row:
            return row(network, item, items=made.items, training=training, check=check)

        found += rows.each(common.place("real"), settings, keys, one)
    networks = {name: record[name] for name in trusted}
    kinds = [real_training.task_of(one["key"]["network"], "judging").kind for one in found]
    whole = {
        "load": common.load(),
        "seconds": round(sum(one["seconds"] for one in found)),
        "networks": networks,
        "items by kind": {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)},
        "results": summary(found),
    }
    common.records.write(made.results / "real.json", whole)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
