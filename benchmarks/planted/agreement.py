"""How far each measure of `wavelens.metrics` agrees with planted truth, over orders of coefficients.

    python benchmarks/planted/agreement.py                                   # all networks; resumes
    python benchmarks/planted/agreement.py --tasks "orientation;pitch" --architectures "convolutions, max"

On each verified network, every order of `ORDERS` is judged by truth, the share of the planted coefficients among as
many top ones, and by every measure, on the same items, in the Haar domain (TreeHaar for points). The agreement of a
measure is the rank correlation (Spearman) of the two over the orders, network by network, turned so that 1 is best.
Beside it is the share of the orders of methods that the measure ranks below the energy order.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import common
import find
import orders
import torch
from common import rows
from orders import Order
from torch import Tensor, nn

import wavelens as wl
from wavelens import metrics, planted
from wavelens.core import Coefficients
from wavelens.masks.ranking import signed

ITEMS, STEPS, SUBSETS, STARTS, NEAR = 8, 8, 32, 1, 2  # of curves, correlations, shuffled starts, sensitivities
ORDERS = (
    Order("saliency"),
    Order("saliency", True, "signed"),
    Order("SmoothGrad"),
    Order("SmoothGrad", True),
    Order("SmoothGrad", True, "signed"),
    Order("SmoothGrad", True, "signed", True),
    Order("VarGrad"),
    Order("SquareGrad"),
    Order("IG"),
    Order("IG", reading="signed"),
    Order("IG", reading="signed", contrast=True),
    Order("expected gradients", reading="signed"),
    Order("Shapley by scale"),
    Order("Shapley by scale", reading="signed"),
    Order("energy"),
    Order("random"),
)
Measure = Callable[[nn.Module, Tensor, Any, Coefficients], Tensor]
CURVES: dict[str, dict[str, Any]] = {
    "faithfulness": {},
    "faithfulness, log": {"fractions": "log"},
    "faithfulness, shuffled": {"fill": "shuffled", "samples": STARTS},
    "faithfulness, shuffled, log": {"fill": "shuffled", "samples": STARTS, "fractions": "log"},
    "faithfulness, shuffled, log, logit": {
        "fill": "shuffled",
        "samples": STARTS,
        "fractions": "log",
        "score": "logit",
    },
    "faithfulness, blur, log": {"fill": "blur", "fractions": "log"},
    "faithfulness, noise, log": {"fill": "noise", "samples": STARTS, "fractions": "log"},
    "faithfulness, mean, log": {"fill": "mean", "fractions": "log"},
}
OTHERS: dict[str, tuple[int, Measure]] = {
    "ff": (1, partial(metrics.ff, reduce=signed)),
    "fid_in": (1, partial(metrics.fid_in, reduce=signed)),
    "mu_fidelity": (1, partial(metrics.mu_fidelity, subsets=SUBSETS)),
    "infidelity, removal": (-1, partial(metrics.infidelity, perturb="removal", samples=SUBSETS, normalize=True)),
    "infidelity, noise": (-1, partial(metrics.infidelity, perturb="noise", samples=SUBSETS, normalize=True)),
    "sparseness": (1, metrics.sparseness),
    "complexity": (-1, metrics.complexity),
}
SENSITIVITY = "max_sensitivity"  # asks the explainer, so it has no number for controls
SIGNS = {"insertion": 1, "deletion": -1, **dict.fromkeys(CURVES, 1)}  # 1 where more is better
SIGNS |= {name: sign for name, (sign, _) in OTHERS.items()} | {SENSITIVITY: -1}


def attributed(order: Order, network: planted.PlantedNetwork, x: Tensor, domain: Any, target: Any) -> Coefficients:
    """The order's numbers, ranked from the largest down."""
    if order.method in orders.CONTROLS:
        c = dict(orders.controls(x, domain))[order]
        return c.map(torch.abs)
    return orders.explainer(order, domain, network.task)(network.module, x, target)


class Judged(NamedTuple):
    """An order's numbers on a network's signals, and what measures of it are given."""

    order: Order
    network: planted.PlantedNetwork
    x: Tensor
    labels: list[int]
    target: Any
    c: Coefficients
    explain: Measure | None  # None for controls, which no network is asked for


def row(
    task: str, architecture: str, seed: int, *, items: int, measured: Callable[[Judged], dict[str, float]] | None = None
) -> rows.Row:
    """Every order judged by truth, and by the measures of this script or those of `measured`."""
    try:
        network = planted.network(planted.TASKS[task], architecture, seed=seed)
    except ValueError as error:
        return {"refused": str(error)}
    signals = planted.explained_signals(network, items)
    x, labels = signals.x, signals.labels.tolist()
    domain = common.domains_of(network.task)[common.main_domain(network.task)].bind(x)
    others = common.others_of(network.module, x, signals.labels)
    targets = {False: labels, True: wl.targets.Contrast(tuple(labels), tuple(others))}
    known, table = planted.truth(signals.pattern, domain), {}
    for order in ORDERS:
        target = targets[order.contrast]
        c = attributed(order, network, x, domain, target)
        explain = None if order.method in orders.CONTROLS else orders.explainer(order, domain, network.task)
        truth = {"truth": mean(planted.scores(c, known, "signed").precision)}
        table[str(order)] = truth | (measured or measures)(Judged(order, network, x, labels, target, c, explain))
    return {"measures": table}


def measures(one: Judged) -> dict[str, float]:
    """What the measures of `SIGNS` say of an order."""
    model = one.network.module
    cell = curves(model, one.x, one.labels, one.c)
    cell |= {name: mean(measure(model, one.x, one.labels, one.c)) for name, (_, measure) in OTHERS.items()}
    if one.explain is not None:
        moved = metrics.max_sensitivity(model, one.x, one.target, one.c, explainer=one.explain, samples=NEAR)
        cell[SENSITIVITY] = mean(moved)
    return cell


def curves(model: nn.Module, x: Tensor, labels: list[int], c: Coefficients) -> dict[str, float]:
    """Insertion less deletion by every start and spacing, and the two from zero by themselves."""
    table = {}
    for name, options in CURVES.items():
        both = metrics.curves(model, x, labels, c, steps=STEPS, reduce=signed, **options)
        if name == "faithfulness":
            table |= {"insertion": mean(both.insertion_area), "deletion": mean(both.deletion_area)}
        table[name] = mean(both.faithfulness)
    return table


def mean(values: Tensor) -> float:
    return round(values.double().nanmean().item(), 5)


def agreement(one: rows.Row, name: str, sign: int | None = None) -> float:
    """Spearman's correlation of a measure with truth over the orders of a network; NaN where either is constant."""
    cells = [cell for cell in one["measures"].values() if name in cell]
    sign = SIGNS[name] if sign is None else sign
    measured, true = (torch.tensor([[cell[key] for cell in cells]], dtype=torch.float64) for key in (name, "truth"))
    return metrics.spearman(sign * measured, true).item()


def behind_energy(one: rows.Row, name: str, sign: int | None = None) -> float:
    """The share of the orders of methods that a measure ranks below the energy order."""
    sign, cells = SIGNS[name] if sign is None else sign, one["measures"]
    energy = sign * cells["energy"][name]
    methods = [sign * cell[name] < energy for order, cell in cells.items() if order not in orders.CONTROLS]
    return sum(methods) / len(methods)


def summary(made: list[rows.Row], signs: dict[str, int] = SIGNS) -> dict[str, Any]:
    """By purpose: each measure's agreement, with its interval over networks, and the orders it ranks behind energy."""
    table: dict[str, Any] = {}
    for purpose in ("choosing", "judging"):
        mine = [one for one in made if planted.TASKS[one["key"]["task"]].purpose == purpose and "measures" in one]
        cell: dict[str, Any] = {"networks": len(mine)}
        for name, sign in signs.items():
            known = [one for one in mine if any(name in numbers for numbers in one["measures"].values())]
            if known:
                cell[name] = {"networks": len(known)} if len(known) < len(mine) else {}
                cell[name]["agreement"] = find.interval([[agreement(one, name, sign)] for one in known])
            if known and name in known[0]["measures"]["energy"]:
                cell[name]["behind energy"] = find.interval([[behind_energy(one, name, sign)] for one in known])
        if mine:
            cell["truth"] = {"behind energy": find.interval([[_behind(one)] for one in mine])}
        table[purpose] = cell
    return table


def _behind(one: rows.Row) -> float:
    cells = one["measures"]
    methods = [cell["truth"] < cells["energy"]["truth"] for name, cell in cells.items() if name not in orders.CONTROLS]
    return sum(methods) / len(methods)


def main(argv: list[str] | None = None) -> None:
    given = common.options(__doc__, argv, items=ITEMS)
    settings = {"items": given.items, "steps": STEPS, "subsets": SUBSETS, "starts": STARTS, "near": NEAR}
    settings |= {"orders": list(map(str, ORDERS)), "measures": list(SIGNS), "effort": orders.EFFORT}
    made = common.each(
        "agreement", given, lambda task: settings | {"task": repr(task)}, partial(row, items=given.items)
    )
    means = {
        "networks": [one["key"] for one in made if "measures" in one],
        "measures": [one["measures"] for one in made if "measures" in one],
    }
    whole = {
        "settings": settings,
        "load": common.load(),
        "seconds": round(sum(one["seconds"] for one in made)),
        "of processor": round(sum(one.get("processor", 0) for one in made)),
        "results": summary(made),
        "by network": means,
    }
    common.records.write(given.results / "agreement.json", whole)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
