"""How much of a planted pattern further methods find: those without gradients, and paths that came later.

    python benchmarks/planted/further.py                                        # all that is there; resumes
    python benchmarks/planted/further.py --tasks "orientation;pitch" --architectures "convolutions, max"

The networks, truth and scores are those of find.py, with 8 signals each, in Haar wavelets (TreeHaar for points); the
methods are `orders.FURTHER`. Methods without gradients have about 512 forward passes for each signal, and about 64
cells of it to tell apart: their precision is bounded by the size of a cell. results/further.json; tables.py puts it
beside find.json.
"""

from __future__ import annotations

from typing import Any

import common
import find
import orders
import torch
from common import rows

from wavelens import planted

ITEMS = 8  # each takes 512 passes by most of the methods


def row(task: str, architecture: str, seed: int, *, items: int) -> rows.Row:
    return find.row(task, architecture, seed, items=items, methods=orders.further(planted.TASKS[task]))


def main(argv: list[str] | None = None) -> None:
    given = common.options(__doc__, argv, items=ITEMS)

    def own(task: planted.PlantedTask) -> rows.Row:
        methods = {name: repr(method) for name, method in orders.further(task).items()}
        return {"items": given.items, "recipe": find.RECIPE, "methods": methods, "task": repr(task)}

    made = common.each("find-further", given, own, lambda **key: row(**key, items=given.items))
    whole: dict[str, Any] = {
        "settings": {"items": given.items, "recipe": find.RECIPE, "values": orders.VALUES, "groups": orders.GROUPS},
        "texts": {name: repr(method) for name, method in orders.FURTHER.items()},
        "load": common.load(),
        "seconds": round(sum(one["seconds"] for one in made)),
        "of processor": round(sum(one["processor"] for one in made)),
        "networks": [one["key"] | ({"refused": one["refused"]} if "refused" in one else {}) for one in made],
        "results": find.summary([one for one in made if "scores" in one]),
    }
    common.records.write(given.results / "further.json", whole)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
