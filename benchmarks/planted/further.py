"""How much of a planted pattern further methods find: those without gradients, and paths that came later.

    python benchmarks/planted/further.py                                        # all that is there; resumes
    python benchmarks/planted/further.py --domains others                       # and in the other domains
    python benchmarks/planted/further.py --tasks "orientation;pitch" --architectures "convolutions, max"

The networks, truth, domains and scores are those of find.py, with 8 signals each; the methods are `orders.FURTHER`, and
beside them, on the same signals, `BESIDE`. Methods without gradients have about 512 forward passes for each signal, and
at most about 64 cells of it to tell apart: their precision is bounded by the size of a cell. In the domain in which
measures are held against truth it is results/further.json, in the others results/further-domains.json; tables.py puts
both beside find.json.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import common
import find
import orders
import torch
from common import rows

from wavelens import planted

ITEMS = 8  # each takes 512 passes by most of the methods
METHOD = "IG"
BESIDE = f"{METHOD}, signed"  # the order that others are compared with
ENDINGS = {"main": "", "others": "-domains"}  # of the record, by which domains it is of


def methods(task: planted.PlantedTask, which: str) -> dict[str, dict[str, Any]]:
    """By domain, the "main" one or the "others": those of a task's signals, and the one that they are compared with."""
    beside, main = {METHOD: orders.METHODS[METHOD]}, common.main_domain(task)
    asked = {k: domain for k, domain in common.domains_of(task).items() if (k == main) == (which == "main")}
    return {name: beside | orders.further(task, domain) for name, domain in asked.items()}


def apart(made: list[rows.Row]) -> list[rows.Row]:
    """The rows without the method that others are compared with, which find.py has on more signals."""
    beside = (METHOD, BESIDE, f"{BESIDE}, contrast")

    def without(scores: dict[str, Any]) -> dict[str, Any]:
        return {domain: {k: v for k, v in cell.items() if k not in beside} for domain, cell in scores.items()}

    return [one | {"scores": without(one["scores"])} for one in made]


def differences(made: list[rows.Row]) -> dict[str, Any]:
    """By purpose and domain: how much more of the truth each order has than `BESIDE`, paired by item, and `n`."""
    table: dict[str, Any] = {}
    for purpose, domains in find.summary(apart(made)).items():
        table[purpose] = {}
        for domain, names in domains.items():
            cells = find.cells_of(made, purpose, domain)
            own = {name: [cell for cell in cells if name in cell] for name in names}
            table[purpose][domain] = {
                name: {"n": len(several), "precision": find.paired(several, name, BESIDE)}
                for name, several in own.items()
            }
    return table


def main(argv: list[str] | None = None) -> None:
    given = common.options(__doc__, argv, items=ITEMS, domains="main")
    if given.domains not in ENDINGS:
        raise SystemExit(f"--domains is one of {', '.join(ENDINGS)}; got {given.domains}.")

    def own(task: planted.PlantedTask) -> rows.Row:
        asked = methods(task, given.domains).items()
        texts = {domain: {k: repr(v) for k, v in several.items()} for domain, several in asked}
        return {"items": given.items, "recipe": find.RECIPE, "methods": texts, "task": repr(task)}

    compute = partial(find.row, items=given.items, methods=partial(methods, which=given.domains))
    made = common.each(f"find-further{ENDINGS[given.domains]}", given, own, compute)
    verified = [one for one in made if "scores" in one]
    whole: dict[str, Any] = {
        "settings": {"items": given.items, "recipe": find.RECIPE, "values": orders.VALUES, "cells": orders.CELLS},
        "texts": {name: repr(method) for name, method in orders.FURTHER.items()},
        "load": common.load(),
        "seconds": round(sum(one["seconds"] for one in made)),
        "of processor": round(sum(one["processor"] for one in made)),
        "networks": [one["key"] | ({"refused": one["refused"]} if "refused" in one else {}) for one in made],
        "results": find.summary(apart(verified)),
        f"less {BESIDE}": differences(verified),
    }
    common.records.write(given.results / f"further{ENDINGS[given.domains]}.json", whole)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
