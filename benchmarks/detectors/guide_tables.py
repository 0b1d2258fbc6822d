"""The tables of the guide on detectors, from the record of `shapes.py`.

python benchmarks/detectors/guide_tables.py          # print them
python benchmarks/detectors/guide_tables.py --write  # and put each under its `<!-- table: NAME -->` in docs/
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness import guides
from harness.guides import number, table

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[2] / "docs" / "guides" / "detectors.md"


def shapes() -> str:
    """Hits and mass of each order."""
    made = guides.record(RESULTS, "shapes", counts=("right",))
    lines = []
    for name, hits in made["pointing"].items():
        mass = number(made["mass"][name]) if name in made["mass"] else ""
        lines.append([name, number(hits), mass])
    lines.append(["an even map", "", number(made["box's share"])])
    return table([f"{made['right']} objects", "points into the box", "mass in the box"], lines)


def curves() -> str:
    """Insertion and deletion of a detection's score by each order."""
    made = guides.record(RESULTS, "shapes")["curves"]
    lines = [[name, number(areas["insertion"]), number(areas["deletion"])] for name, areas in made["areas"].items()]
    return table([f"{made['n']} objects", "insertion ↑", "deletion ↓"], lines)


def tables() -> dict[str, str]:
    return {"shapes": shapes(), "curves": curves()}


if __name__ == "__main__":
    guides.print_or_write(__doc__, tables(), [PAGE])
