"""The tables of the guide on clouds, from the records of these studies.

python benchmarks/points/guide_tables.py          # print them
python benchmarks/points/guide_tables.py --write  # and put each under its `<!-- table: NAME -->` in docs/
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness import guides
from harness.guides import Record, number, table

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[2] / "docs" / "guides" / "clouds.md"
SPACES = ("tree", "graph", "points")
STARTS = {"zero, uniform": "from zero", "shuffled, log": "shuffled, log"}


record = partial(guides.record, RESULTS, items=100)  # of the gap, which is beside the counts of the others


def faithfulness() -> str:
    """Insertion less deletion of each order in each space, from both starts."""
    made = record("dales")["faithfulness"]
    orders = list(dict.fromkeys(name for space in SPACES for name in made[space]["zero, uniform"]))
    lines = [
        [order, *(_cell(made[space][start].get(order)) for start in STARTS for space in SPACES)] for order in orders
    ]
    return table(["order", *(f"{title}: {space}" for title in STARTS.values() for space in SPACES)], lines)


def _cell(value: list[float | None] | None) -> str:
    return "" if value is None or value[0] is None else number(value)


def lengths() -> str:
    """Signed sums of pole less tree by octave in metres, on poles and on trees."""
    made = record("dales")["pole or tree"]
    names = list(made["pole"]["sums"])
    lines = [[name, *(number(made[kind]["sums"][name]) for kind in made)] for name in names]
    lines.append(["f(x) − f(x₀)", *(number(one["rise"]) for one in made.values())])
    return table(["logit of pole less tree", *(f"on {one['objects']} {kind}s" for kind, one in made.items())], lines)


ORDER = ("IG", "IG, |γ|", "Shapley values", "SmoothGrad", "saliency", "energy", "random", "pattern")


def bump_scales() -> str:
    """How often each method names the scale that spans the width, in all tasks and in each, and how often the place."""
    made = record("bumps")
    tasks = made["tasks"]
    lines = [
        [
            name.replace("|γ|", "magnitude"),  # bars would end a table's cell
            number(made["all, scales"][name]),
            *(number(one["scale"][name]) for one in tasks.values()),
            _cell(made["all, places"].get(name)),
        ]
        for name in ORDER
    ]
    return table(["by", "right scale", *(f"bumps of {width}" for width in tasks), "right place"], lines)


def bump_networks() -> str:
    tasks = record("bumps")["tasks"]
    lines = [
        [width, "–".join(f"{end:.2f}" for end in one["scale that spans it, m"]) + " m", number(one["accuracy"]),
         number(one["patch found where it was removed"])]
        for width, one in tasks.items()
    ]  # fmt: skip
    return table(["bumps of", "scale", "accuracy", "found where removed"], lines)


def growth() -> str:
    rows = record("growth")["rows"]
    sizes = [one["points"] for one in next(iter(rows.values()))]
    lines = [
        [
            f"{size:,}",
            *(_digits(_at(own, size, key)) for own in rows.values() for key in ("seconds", "peak memory, MB")),
        ]
        for size in sizes
    ]
    return table(["points", *(f"{run}: {unit}" for run in rows for unit in ("s", "MB"))], lines)


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _at(rows: list[Record], points: int, key: str) -> float:
    return float(next(row[key] for row in rows if row["points"] == points))


def tables() -> dict[str, str]:
    """Every table that a record is there for."""
    made = {}
    if record("dales"):
        made |= {"dales orders": faithfulness(), "dales lengths": lengths()}
    if record("bumps"):
        made |= {"bump networks": bump_networks(), "bump scales": bump_scales()}
    if record("growth"):
        made["cloud growth"] = growth()
    return made


if __name__ == "__main__":
    guides.print_or_write(__doc__, tables(), [PAGE])
