"""The tables of the guide on clouds, from the records of these studies.

python benchmarks/points/guide_tables.py          # print them
python benchmarks/points/guide_tables.py --write  # and put each under its `<!-- table: NAME -->` in docs/
"""

from __future__ import annotations

import argparse
import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

_SPEC = spec_from_file_location("domain_tables", Path(__file__).parents[1] / "domains" / "tables.py")
assert _SPEC is not None
assert _SPEC.loader is not None
shared = module_from_spec(_SPEC)  # by its place: other folders have tables, too
_SPEC.loader.exec_module(shared)
filled, number, table = shared.filled, shared.number, shared.table

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[2] / "docs" / "guides" / "clouds.md"
SPACES = ("tree", "graph", "points")
STARTS = {"zero, uniform": "from zero", "shuffled, log": "shuffled, log"}
Record = dict[str, Any]


def record(name: str) -> Record:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


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
    if record("growth"):
        made["cloud growth"] = growth()
    return made


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--write", action="store_true")
    made = tables()
    if not options.parse_args().write:
        print("\n\n".join(f"{name}\n{text}" for name, text in made.items()))
        return
    PAGE.write_text(filled(PAGE.read_text("utf-8"), made), encoding="utf-8")


if __name__ == "__main__":
    main()
