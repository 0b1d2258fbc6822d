"""How much of a planted pattern every method finds, in every domain and by every reading.

    python benchmarks/planted/find.py                                        # all that is there; resumes
    python benchmarks/planted/find.py --tasks "orientation;pitch" --architectures "convolutions, max"

For each task and architecture a network is trained from a fixed seed and verified (`wl.planted.verify`); one that fails
is refused and listed. 20 new signals are explained for their class, and for their class less the other. Truth is the
fewest coefficients with 90 % of its energy in the domain at hand, the scores are those of `wl.planted.scores`.
Controls: the energy order, a random order. Pixel methods and class activation maps compete in samples (Identity).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import common
import orders
import torch
from common import rows

from wavelens import planted
from wavelens.core import Coefficients
from wavelens.planted import interval_over_networks

Lists = dict[str, list[float | None]]
RECIPE = 1  # to be raised when what the names stand for changes, so that rows are made again
HEADLINE = (
    "random",
    "energy",
    "saliency",
    "SmoothGrad",
    "IG",
    "IG, signed",
    "IG, signed, contrast",
    "SmoothGrad × z, signed, contrast",
)
KINDS = ("points", "one axis", "two axes", "three axes")
MIN_ARCHITECTURES = 4  # verified on a task, for it to count where architectures are compared
HAAR, IN_HAAR = "Haar", ("DWT haar", "TreeHaar")


def row(
    task: str,
    architecture: str,
    seed: int,
    *,
    items: int,
    methods: Callable[[planted.PlantedTask], dict[str, dict[str, Any]]] | None = None,
) -> rows.Row:
    """All methods, controls and baselines in all domains; or those alone that `methods` has of a task, by domain."""
    try:
        network = planted.network(planted.TASKS[task], architecture, seed=seed)
    except ValueError as error:
        return {"refused": str(error)}
    signals, domains = planted.explained_signals(network, items), common.domains_of(network.task)
    runs = [(domains, orders.METHODS)]
    if methods:
        runs = [({name: domains[name]}, own) for name, own in methods(network.task).items()]
        domains = {name: domain for several, _ in runs for name, domain in several.items()}
    x, labels = signals.x, signals.labels.tolist()
    others = common.others_of(network.module, x, signals.labels)
    bound = {name: domain.bind(x) for name, domain in domains.items()}
    z = {name: domain.analysis(x) for name, domain in bound.items()}
    truths = {name: planted.truth(signals.pattern, domain) for name, domain in bound.items()}
    cells: dict[str, dict[str, Lists]] = {name: {} for name in domains}

    def judge(domain: str, order: orders.Order, c: Coefficients) -> None:
        cells[domain][str(order)] = lists(planted.scores(c, truths[domain], order.reading))  # type: ignore[arg-type]

    for several, own in runs:
        for name, method, contrast, plain in orders.attributions(network, x, labels, others, several, own):
            for order, c in orders.read(method, plain, z[name], contrast):
                judge(name, order, c)
    if methods:
        return {"scores": cells}
    for name, domain in domains.items():
        for order, c in orders.controls(x, domain):
            judge(name, order, c)
    for name, heat in orders.baselines(network.module, x, labels):
        if heat is not None:
            judge("Identity", orders.Order(name), heat)
    counts = {name: round(known.count.double().mean().item(), 1) for name, known in truths.items()}
    verification = {key: round(value, 4) for key, value in network.verification._asdict().items()}
    return {"verification": verification, "true coefficients": counts, "scores": cells}


def accounts(task: planted.PlantedTask) -> dict[str, dict[str, Any]]:
    """`orders.ACCOUNTS` in a task's main domain."""
    return {common.main_domain(task): orders.ACCOUNTS}


def merged(made: list[rows.Row], further: list[rows.Row]) -> list[rows.Row]:
    """The rows with the further orders of the same networks."""
    more = {json.dumps(one["key"]): one["scores"] for one in further if "scores" in one}
    table = []
    for one in made:
        own = more.get(json.dumps(one["key"]), {}) if "scores" in one else {}
        scores = {name: cell | own.get(name, {}) for name, cell in one.get("scores", {}).items()}
        table.append(one | ({"scores": scores} if scores else {}))
    return table


def lists(scores: planted.Scores) -> Lists:
    """Every score item by item; None for what is not a number."""
    named = scores._asdict().items()
    return {name: [None if math.isnan(v) else round(v, 4) for v in values.tolist()] for name, values in named}


def cells_of(made: list[rows.Row], purpose: str, domain: str) -> list[dict[str, Lists]]:
    """The orders' scores in a domain, network by network; "Haar" is `DWT haar`, or TreeHaar for points."""
    table = []
    for one in made:
        task = planted.TASKS[one["key"]["task"]]
        name = common.main_domain(task) if domain == HAAR else domain
        if task.purpose == purpose and name in one.get("scores", {}):
            table.append(one["scores"][name])
    return table


def summary(made: list[rows.Row]) -> dict[str, Any]:
    """By purpose, domain and order: each score's mean with its interval over networks and items, and `n` networks."""
    known = dict.fromkeys([HAAR, *(name for one in made for name in one.get("scores", {}) if name not in IN_HAAR)])
    table: dict[str, Any] = {}
    for purpose in ("choosing", "judging"):
        cells = {name: cells_of(made, purpose, name) for name in known}
        table[purpose] = {name: of_domain(several) for name, several in cells.items() if several}
    return table


def verdict(made: list[rows.Row], results: dict[str, Any]) -> dict[str, Any]:
    """By domain: the order of highest precision on the tasks for choosing, and what it does on those for judging.

    It is one that was measured on all of the domain's networks. Differences to other orders are paired, item by item.
    """
    table: dict[str, Any] = {}
    for domain, chosen_from in results["choosing"].items():
        most = chosen_from["energy"]["n"]
        every = {k: cell for k, cell in chosen_from.items() if k not in orders.CONTROLS and cell["n"] == most}
        chosen = max(every, key=lambda name: every[name]["precision"][0])
        cells = [cell for cell in cells_of(made, "judging", domain) if chosen in cell]
        entry: dict[str, Any] = {"chosen": chosen, "choosing": every[chosen]["precision"], "n": len(cells)}
        if cells:
            entry["judging"] = interval([cell[chosen]["precision"] for cell in cells])
            entry |= {f"less {other}": paired(cells, chosen, other) for other in ("energy", "SmoothGrad", "IG")}
        table[domain] = entry
    return table


def paired(cells: list[dict[str, Lists]], name: str, other: str) -> list[float] | None:
    """The mean difference in precision of two orders, with its interval over networks and items."""
    pairs = [zip(cell[name]["precision"], cell[other]["precision"], strict=True) for cell in cells]
    return interval([[(a or 0.0) - (b or 0.0) for a, b in pair] for pair in pairs])


def groups(made: list[rows.Row]) -> dict[str, dict[str, Any]]:
    """The precision of `HEADLINE` in the main domains, by kind of signal, task and architecture, with intervals.

    Architectures are compared on tasks that several of them learnt.
    """
    made = [one for one in made if "scores" in one]
    learnt = [one["key"]["task"] for one in made]
    several = [one for one in made if learnt.count(one["key"]["task"]) >= MIN_ARCHITECTURES]
    names: dict[str, tuple[Callable[[rows.Row], str], list[rows.Row]]] = {
        "signals": (lambda one: kind(planted.TASKS[one["key"]["task"]]), made),
        "task": (lambda one: one["key"]["task"], made),
        "architecture": (lambda one: one["key"]["architecture"], several),
    }
    table: dict[str, dict[str, Any]] = {}
    for field, (name, mine) in names.items():
        table[field] = {}
        for value in dict.fromkeys(map(name, mine)):
            cells = [main_cell(one) for one in mine if name(one) == value]
            means = {order: interval([cell[order]["precision"] for cell in cells]) for order in HEADLINE}
            table[field][value] = {"n": len(cells), **means}
    return table


def main_cell(one: rows.Row) -> dict[str, Lists]:
    cell: dict[str, Lists] = one["scores"][common.main_domain(planted.TASKS[one["key"]["task"]])]
    return cell


def kind(task: planted.PlantedTask) -> str:
    return KINDS[0] if task.cloud else KINDS[len(task.axes)]


def of_domain(cells: list[dict[str, Lists]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for order in dict.fromkeys(name for cell in cells for name in cell):
        several = [cell[order] for cell in cells if order in cell]
        means = {score: interval([one[score] for one in several]) for score in planted.Scores._fields}
        table[order] = {"n": len(several), **{score: mean for score, mean in means.items() if mean is not None}}
    return table


def interval(values: list[list[float | None]]) -> list[float] | None:
    numbers = [[math.nan if v is None else v for v in one] for one in values]
    mean = interval_over_networks(numbers)
    return None if math.isnan(mean.mean) else [round(v, 3) for v in mean]


def by_network(made: list[rows.Row]) -> list[dict[str, Any]]:
    """Each network: what verified or refused it, and how many coefficients are true in each domain."""
    kept = ("refused", "verification", "true coefficients")
    return [{**one["key"], "seconds": one["seconds"], **{k: one[k] for k in kept if k in one}} for one in made]


def texts(tasks: Iterable[str]) -> dict[str, dict[str, str]]:
    """What the names of the record stand for."""
    domains = {k: v for task in tasks for k, v in common.domains_of(planted.TASKS[task]).items()}
    named = {"tasks": {name: planted.TASKS[name] for name in tasks}, "methods": orders.EVERY_METHOD, "domains": domains}
    return {kind: {name: repr(value) for name, value in several.items()} for kind, several in named.items()}


def main(argv: list[str] | None = None) -> None:
    given = common.options(__doc__, argv)
    settings = {"items": given.items, "effort": orders.EFFORT, "recipe": RECIPE, "methods": list(orders.METHODS)}
    settings |= {"baselines": list(orders.BASELINES)}

    def own(task: planted.PlantedTask) -> rows.Row:
        return settings | {"task": repr(task), "domains": list(common.domains_of(task))}

    made = common.each("find", given, own, partial(row, items=given.items))
    made_with = {"items": given.items, "recipe": RECIPE, "methods": list(orders.ACCOUNTS)}
    compute = partial(row, items=given.items, methods=accounts)
    further = common.each("find-accounts", given, lambda task: made_with | {"task": repr(task)}, compute)
    made = merged(made, further)
    tasks = list(dict.fromkeys(one["key"]["task"] for one in made))
    results = summary(made)
    whole = {
        "settings": settings,
        "texts": texts(tasks),
        "load": common.load(),
        "seconds": round(sum(one["seconds"] for one in made)),
        "of processor": round(sum(one.get("processor", 0) for one in made)),
        "purposes": {task: planted.TASKS[task].purpose for task in tasks},
        "networks": by_network(made),
        "groups": groups(made),
        "results": results,
        "verdict": verdict(made, results),
    }
    common.records.write(given.results / "find.json", whole)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
