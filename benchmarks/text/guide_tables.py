"""The tables of the guide on texts, from the record of this study.

python benchmarks/text/guide_tables.py          # print them
python benchmarks/text/guide_tables.py --write  # and put each under its `<!-- table: NAME -->` in docs/
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness import guides
from harness.guides import Record, number, table

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[2] / "docs" / "guides" / "text.md"


def record() -> Record:
    return guides.record(RESULTS, "captions")


def facts() -> str:
    made = record()
    lines = [[f"{made['captions']} captions of {made['photos']} photos", ""]]
    lines += [[f"{name} per caption", number(made[name])] for name in ("words", "names")]
    lines.append(["right, on photos that were not seen", number(made["accuracy on photos that were not seen"])])
    lines += [[f"probability of the class, {name}", number(value)] for name, value in made["probability"].items()]
    return table(["", "mean [95 % interval]"], lines)


def orders() -> str:
    made = record()
    lines = [[name, *(number(value) for value in one.values())] for name, one in made["orders"].items()]
    chance = number(made["by chance"])
    return table(
        ["order of the words", "first is a name", "names among the first k"], [*lines, ["by chance", chance, chance]]
    )


def scales() -> str:
    made = record()["share of the rise"]
    return table(["scale", "share of the rise"], [[name, number(value)] for name, value in made.items()])


def tables() -> dict[str, str]:
    return {"text facts": facts(), "text orders": orders(), "text scales": scales()}


if __name__ == "__main__":
    guides.print_or_write(__doc__, tables(), [PAGE])
