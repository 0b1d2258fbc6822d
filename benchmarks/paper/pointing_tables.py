"""The tables of the guide on localisation, from the record of `pointing_coco.py`.

python benchmarks/paper/pointing_tables.py          # print them
python benchmarks/paper/pointing_tables.py --write  # and put each under its `<!-- table: NAME -->` in docs/

A difference is bold where it holds after Holm's correction for all differences of its table, on LEAST photos or more.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness import guides
from harness.guides import number, table
from pointing_coco import AREA, ENERGY, OVER
from record import RESULTS
from verdicts import LEAST, SIGNIFICANT

from wavelens.runs.statistics.intervals import holm

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "localisation.md"
NAMES = {
    "saliency, wavelets": "the gradient in wavelets",
    "saliency, pixels": "the gradient in pixels",
    "SG, wavelets": "WAM-SG",
    "SG, pixels": "SmoothGrad in pixels",
    "IG, wavelets": "WAM-IG",
    "IG, pixels": "integrated gradients in pixels",
    "energy order": "energy order, which knows no class",
    "random order": "random order",
    "saliency": "the gradient",
    "SG": "SmoothGrad",
    "IG": "integrated gradients",
    "centre": "the centre of the photo",
    "area": "chance: the masks' part of the photo",
}
MEASURES = {"hits": "hits", "smoothed": "hits, smoothed", "mass": "mass inside"}
Record = dict[str, Any]


def values(made: Record) -> str:
    """Hits and mass of every map over all networks, and hits where the network names the category first."""
    whole = made["networks"]["all"]
    rightly = {cell["order"]: cell for cell in whole["named rightly"]}
    lines = [
        [_name(cell), *(_shown(cell, measure) for measure in MEASURES), _shown(rightly.get(cell["order"], {}), "hits")]
        for cell in whole["cells"]
    ]
    named = f"hits, {whole['named']} named rightly"
    return table([f"{whole['photos']} photos, {whole['questions']} questions", *MEASURES.values(), named], lines)


def differences(made: Record) -> str:
    """What every map scores above the energy order, photo by photo, and which of these hold."""
    cells = [cell for cell in made["networks"]["all"]["cells"] if cell["order"] not in (ENERGY, AREA)]
    return _tested(cells, OVER, "less the energy order's")


def spaces(made: Record) -> str:
    """What each method's map in wavelets scores above its map in pixels, and which of these hold."""
    return _tested(made["networks"]["all"]["wavelets, less pixels"], ", less pixels'", "in wavelets, less in pixels")


def _tested(cells: list[Record], over: str, head: str) -> str:
    tests = [(cell, f"{measure}{over}") for cell in cells for measure in MEASURES if f"{measure}{over}" in cell]
    shown = {}
    for (cell, name), p in zip(tests, holm([cell[f"{name}, p"] for cell, name in tests]), strict=True):
        text = number(cell[name], 3 if name.startswith("mass") else 2)
        holds = p <= SIGNIFICANT and cell["items"] >= LEAST
        shown[cell["order"], name] = f"**{text}**" if holds else text
    lines = [[_name(cell), *(shown.get((cell["order"], f"{m}{over}"), "") for m in MEASURES)] for cell in cells]
    return table([head, *MEASURES.values()], lines)


def by_network(made: Record) -> str:
    """Hits of every map, network by network."""
    networks = [name for name in made["networks"] if name != "all"]
    orders = [cell["order"] for cell in made["networks"]["all"]["cells"]]
    of = {(net, cell["order"]): cell for net in networks for cell in made["networks"][net]["cells"]}
    lines = [
        [NAMES.get(order, order), *(_shown(of.get((net, order), {}), "hits") for net in networks)] for order in orders
    ]
    counts = ["named rightly", *(str(made["networks"][net]["named"]) for net in networks)]
    return table(["hits", *networks], [counts, *lines])


def _name(cell: Record) -> str:
    return NAMES.get(cell["order"], cell["order"])


def _shown(cell: Record, measure: str) -> str:
    return number(cell[measure]) if measure in cell else ""


def tables(results: Path = RESULTS) -> dict[str, str]:
    made = guides.record(results, "pointing-coco")
    return {
        "pointing on masks": values(made),
        "pointing, less energy": differences(made),
        "pointing, wavelets less pixels": spaces(made),
        "pointing by network": by_network(made),
    }


if __name__ == "__main__":
    guides.print_or_write(__doc__, tables(), [PAGE])
