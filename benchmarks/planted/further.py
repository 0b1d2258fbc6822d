"""How much of a planted pattern further methods find: those without gradients, and paths that came later.

    python benchmarks/planted/further.py                                        # all that is there; resumes
    python benchmarks/planted/further.py --tasks "orientation;pitch" --architectures "convolutions, max"

The networks, truth and scores are those of find.py, with 8 signals each, in Haar wavelets (TreeHaar for points); the
methods are `orders.FURTHER`. Methods without gradients have about 512 forward passes for each signal, and about 64
cells of it to tell apart: their precision is bounded by the size of a cell. results/further.json; tables.py puts it
beside find.json.
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


BESIDE = "IG, signed"  # the order that others are compared with, on the same signals


def row(task: str, architecture: str, seed: int, *, items: int) -> rows.Row:
    return find.row(task, architecture, seed, items=items, methods=orders.further(planted.TASKS[task]))


def beside(task: str, architecture: str, seed: int, *, items: int) -> rows.Row:
    """Integrated gradients on the same signals."""
    return find.row(task, architecture, seed, items=items, methods={"IG": orders.METHODS["IG"]})


def differences(made: list[rows.Row], others: list[rows.Row]) -> dict[str, Any]:
    """By purpose: how much more of the truth each order has than `BESIDE`, paired by item, and `n` networks."""
    pairs = find.merged([one for one in made if "scores" in one], others)
    table: dict[str, Any] = {}
    for purpose in ("choosing", "judging"):
        cells = [cell for cell in find.cells_of(pairs, purpose, find.HAAR) if BESIDE in cell]
        names = dict.fromkeys(
            name for cell in cells for name in cell if name not in ("IG", BESIDE, f"{BESIDE}, contrast")
        )
        table[purpose] = {}
        for name in names:
            own = [cell for cell in cells if name in cell]
            table[purpose][name] = {"n": len(own), "precision": find.paired(own, name, BESIDE)}
    return table


def main(argv: list[str] | None = None) -> None:
    given = common.options(__doc__, argv, items=ITEMS)

    def own(task: planted.PlantedTask) -> rows.Row:
        methods = {name: repr(method) for name, method in orders.further(task).items()}
        return {"items": given.items, "recipe": find.RECIPE, "methods": methods, "task": repr(task)}

    made = common.each("find-further", given, own, lambda **key: row(**key, items=given.items))
    others = []
    for one in (one for one in made if "scores" in one):
        settings = {"items": given.items, "effort": orders.EFFORT, "task": repr(planted.TASKS[one["key"]["task"]])}
        compute = partial(beside, items=given.items)
        others += rows.each(common.place("find-beside"), settings, [one["key"]], compute)
    whole: dict[str, Any] = {
        "settings": {"items": given.items, "recipe": find.RECIPE, "values": orders.VALUES, "groups": orders.GROUPS},
        "texts": {name: repr(method) for name, method in orders.FURTHER.items()},
        "load": common.load(),
        "seconds": round(sum(one["seconds"] for one in made)),
        "of processor": round(sum(one["processor"] for one in made)),
        "networks": [one["key"] | ({"refused": one["refused"]} if "refused" in one else {}) for one in made],
        "results": find.summary([one for one in made if "scores" in one]),
        f"less {BESIDE}": differences(made, others),
    }
    common.records.write(given.results / "further.json", whole)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
