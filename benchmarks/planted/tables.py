"""The tables of the documentation, from the records of this folder.

python benchmarks/planted/tables.py          # print them
python benchmarks/planted/tables.py --write  # and put each under its `<!-- planted: NAME -->` in docs/
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
import guide
import real_tables
from harness import guides, records
from harness.tables import table

RESULTS = Path(__file__).parent / "results"
DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("planted.md", "choosing.md", "howto/black-box.md")
SCORES = ("precision", "mass", "top1", "scale", "signed_scale", "place")
SHOWN = (  # the orders of tables by domain, task and architecture
    "energy",
    "saliency",
    "SmoothGrad",
    "IG",
    "IG, signed",
    "SmoothGrad × z, signed",
    "SmoothGrad × z, signed, contrast",
)
CALLS = {  # how each method of the record is called
    "saliency": "Saliency()",
    "SmoothGrad": "SmoothGrad()",
    "SmoothGrad, little noise": "SmoothGrad(sigma=0.1)",
    "SmoothGrad, band noise": 'SmoothGrad(sigma=1.0, noise="band")',
    "VarGrad": "VarGrad()",
    "SquareGrad": "SquareGrad()",
    "IG": "IntegratedGradients()",
    "IG, shuffled start": 'IntegratedGradients(baseline="shuffled")',
    "expected gradients": "ExpectedGradients()",
    "coarse to fine": "CoarseToFine()",
    "both ways": 'CoarseToFine(order="both")',
    "blurred path": "BlurredPath()",
    "IDG": "DecisionGradients()",
    "IDGI": "ImportantDirections()",
    "Owen": "Owen()",
    "Shapley by scale": "ScaleShapley()",
    "hierarchical Shapley": "HierarchicalShapley()",
    "KernelSHAP": "KernelSHAP()",
    "RISE": "RISE()",
    "Sobol": "Sobol()",
    "HSIC": "HSIC()",
}
OF_VALUES = ("IG", "Shapley by scale", "hierarchical Shapley", "KernelSHAP", "RISE", "Sobol", "HSIC")
PURPOSES = ("choosing", "judging")
AHEAD = "less IG, signed"  # of a further record: its orders' lead in precision
READINGS = {" × z": "times z", ", signed": "signed", ", contrast": "contrast"}  # what follows a method's name
Record = dict[str, Any]


def number(value: Sequence[float] | float | None, digits: int = 2, interval: bool = True) -> str:
    """A mean, with its interval in brackets where it has one."""
    if value is None:
        return ""
    if not isinstance(value, Sequence):
        return f"{value:.{digits}f}"
    mean, low, high = (f"{round(v, digits) + 0.0:.{digits}f}" for v in value)  # no -0.00
    return f"{mean} [{low}, {high}]" if interval else mean


def networks(record: Record) -> str:
    """Which networks were verified, and which were refused, task by task."""
    lines = []
    for name in dict.fromkeys(one["task"] for one in record["networks"]):
        mine = [one for one in record["networks"] if one["task"] == name]
        verified = [one for one in mine if "verification" in one]
        accuracies = [f"{one['verification']['accuracy']:.3f}" for one in verified]
        refused = [one["architecture"] for one in mine if "refused" in one]
        names = [f"{one['architecture']} {a}" for one, a in zip(verified, accuracies, strict=True)]
        lines.append([name, record["purposes"][name], "; ".join(names), "; ".join(refused)])
    return table(["task", "for", "verified, with accuracy", "refused"], lines)


def orders(record: Record, purpose: str, domain: str) -> str:
    """Every order in a domain, the one of highest precision first, with all scores."""
    cells = record["results"].get(purpose, {}).get(domain, {})
    ranked = sorted(cells, key=lambda name: -cells[name]["precision"][0])
    head = ["order", "n", *SCORES]
    lines = [
        [
            name,
            str(cells[name]["n"]),
            *(number(cells[name].get(score), interval=score == "precision") for score in SCORES),
        ]
        for name in ranked
    ]
    return table(_without_empty(head, lines)[0], _without_empty(head, lines)[1])


def with_orders(record: Record, further: Record) -> Record:
    """The record with the orders of a further one that were measured on several networks, each with their number."""
    results = dict(record.get("results", {}))
    for purpose, domains in further.get("results", {}).items():
        known = {
            name: {k: v for k, v in cells.items() if v["n"] >= guide.MIN_NETWORKS} for name, cells in domains.items()
        }
        own = {name: results[purpose].get(name, {}) | cells for name, cells in known.items()}
        results[purpose] = results[purpose] | own
    return {**record, "results": results} if record else {}


def methods(record: Record, names: Iterable[str]) -> str:
    """Each method in Haar wavelets by its best reading on the tasks for choosing, and that reading on the others."""
    cells = {purpose: record["results"].get(purpose, {}).get("Haar", {}) for purpose in PURPOSES}
    chosen: dict[str, str] = {}
    for order in sorted(cells["choosing"], key=lambda order: -cells["choosing"][order]["precision"][0]):
        chosen.setdefault(method_of(order)[0], order)
    lines = []
    for name in sorted((one for one in names if one in chosen), key=lambda one: list(chosen).index(one)):
        own = [cell.get(chosen[name], {}) for cell in cells.values()]
        reading = ", ".join(method_of(chosen[name])[1]) or "magnitude"
        counts = " and ".join(str(one["n"]) for one in own if one)
        lines.append([f"`{CALLS[name]}`", reading, *(number(one.get("precision")) for one in own), counts])
    return table(["method", "best reading", "tasks for choosing", "tasks for judging", "networks"], lines)


def further_orders(record: Record) -> str:
    """The orders of a further record in Haar by the tasks they are on, and how far each is ahead of IG, signed."""
    results, ahead = record["results"], {k: cells["Haar"] for k, cells in record[AHEAD].items() if "Haar" in cells}
    names = dict.fromkeys(name for cells in ahead.values() for name in cells)
    first = next(iter(ahead.values()))
    ranked = sorted(names, key=lambda name: -first.get(name, {"precision": [-1.0]})["precision"][0])
    head, lines = ["order"], [[name] for name in ranked]
    for purpose, cells in ahead.items():
        head += [f"{purpose} (n)", "less IG, signed"]
        for line in lines:
            cell, own = results[purpose]["Haar"].get(line[0]), cells.get(line[0])
            line += [
                f"{number(cell['precision'])} ({cell['n']})" if cell else "",
                number(own["precision"]) if own else "",
            ]
    return table(head, lines)


def further_domains(record: Record, purpose: str) -> str:
    """How far each method of a further record, with its signs where it has them, is ahead of IG, signed, by domain."""
    ahead = record[AHEAD].get(purpose, {})
    every = dict.fromkeys(name for cells in ahead.values() for name in cells)
    shown = [name for name in every if name.endswith(", signed") or f"{name}, signed" not in every]
    shown = [name for name in shown if not name.endswith(", contrast")]
    lines = [
        [domain, str(n), *(_precision(cells, name, n >= guide.MIN_NETWORKS) for name in shown)]
        for domain, cells in ahead.items()
        for n in [max(cell["n"] for cell in cells.values())]
    ]
    return table(["domain", "n", *shown], lines)


def method_of(order: str) -> tuple[str, list[str]]:
    """A method's name, and how its numbers are read."""
    readings = []
    for ending, reading in reversed(READINGS.items()):
        if order.endswith(ending):
            order, readings = order.removesuffix(ending), [reading, *readings]
    return order, readings


def domains(record: Record, purpose: str) -> str:
    """The precision of a few orders, domain by domain."""
    results = record["results"].get(purpose, {})
    lines = [
        [name, str(cells["energy"]["n"]), *(_precision(cells, order) for order in SHOWN)]
        for name, cells in results.items()
    ]
    return table(["domain", "n", *SHOWN], lines)


def _precision(cells: Record, order: str, interval: bool = False) -> str:
    return number(cells[order]["precision"], interval=interval) if order in cells else ""


def by(record: Record, field: str) -> str:
    """The precision of a few orders by kind of signal, task or architecture."""
    groups = record["groups"][field]
    names = [name for name in next(iter(groups.values())) if name != "n"]
    lines = [[value, str(cell["n"]), *(number(cell[name]) for name in names)] for value, cell in groups.items()]
    return table([field, "n", *names], lines)


def verdict(record: Record) -> str:
    """Which order was chosen in each domain, and how it does on the tasks for judging."""
    differences = [f"less {name}" for name in ("energy", "SmoothGrad", "IG")]
    lines = [
        [name, one["chosen"], number(one["choosing"], interval=False), str(one["n"]), number(one.get("judging"))]
        + [number(one.get(key)) for key in differences]
        for name, one in record["verdict"].items()
    ]
    return table(["domain", "chosen", "there", "n", "on tasks for judging", *differences], lines)


def agreement(record: Record) -> str:
    """Each measure's rank correlation with truth, and the share of orders that it ranks behind the energy order."""
    results = {purpose: cells for purpose, cells in record["results"].items() if cells["networks"]}
    names = dict.fromkeys(name for cells in results.values() for name in cells if name not in ("networks", "truth"))
    head, lines = ["measure"], [[name] for name in [*names, "truth"]]
    for purpose, cells in results.items():
        head += [f"agreement, {purpose} (n {cells['networks']})", f"behind energy, {purpose}"]
        for line in lines:
            cell = cells.get(line[0], {})
            own = f" (n {cell['networks']})" if cell.get("networks", cells["networks"]) != cells["networks"] else ""
            networks = cell.get("networks", cells["networks"])
            value = number(cell.get("agreement"), interval=networks >= guide.MIN_NETWORKS)
            line += [value and value + own, number(cell.get("behind energy"), interval=False)]
    return table(head, lines)


def _without_empty(head: Sequence[str], lines: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Without columns that no line fills."""
    kept = [k for k, _ in enumerate(head) if any(line[k] for line in lines)]
    return [head[k] for k in kept], [[line[k] for k in kept] for line in lines]


def tables() -> dict[str, str]:
    names = ("find", "further", "further-domains", "agreement", "agreement-further")
    find, further, others, agree, agree_further = (records.read(RESULTS / f"{name}.json") for name in names)
    find = with_orders(with_orders(find, further), others)
    agree, made = guide.joined(agree, agree_further) if agree else {}, {}
    if find:
        made = {"networks": networks(find), "verdict": verdict(find)}
        for purpose in PURPOSES:
            made |= {f"orders, {purpose}": orders(find, purpose, "Haar")}
            made |= {f"samples, {purpose}": orders(find, purpose, "Identity")}
            made |= {f"domains, {purpose}": domains(find, purpose)}
        made |= {"methods": methods(find, CALLS), "methods of values": methods(find, OF_VALUES)}
        made |= {"further": further_orders(further)} if further else {}
        made |= {f"further domains, {use}": further_domains(others, use) for use in PURPOSES} if others else {}
        made |= {f"by {field}": by(find, field) for field in ("signals", "task", "architecture")}
    made |= {"agreement": agreement(agree)} if agree else {}
    real = records.read(RESULTS / "real.json")
    return made | (real_tables.tables(real) if real else {})


def main(argv: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    made = tables()
    if parser.parse_args(None if argv is None else list(argv)).write:
        for page in (DOCS / name for name in PAGES):
            page.write_text(guides.filled(page.read_text("utf-8"), made, "planted"), encoding="utf-8")
    for name, text in made.items():
        print(f"{name}\n\n{text}\n")


if __name__ == "__main__":
    main()
