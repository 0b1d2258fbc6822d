"""The table of the guide on detectors, from the record of `shapes.py`.

python benchmarks/detectors/guide_tables.py          # print it
python benchmarks/detectors/guide_tables.py --write  # and put it under its `<!-- table: shapes -->` in docs/
"""

from __future__ import annotations

import argparse
import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_SPEC = spec_from_file_location("domain_tables", Path(__file__).parents[1] / "domains" / "tables.py")
assert _SPEC is not None
assert _SPEC.loader is not None
shared = module_from_spec(_SPEC)  # by its place: other folders have tables, too
_SPEC.loader.exec_module(shared)

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[2] / "docs" / "guides" / "detectors.md"


def shapes() -> str:
    """Hits and mass of each order."""
    made = json.loads((RESULTS / "shapes.json").read_text("utf-8"))
    lines = []
    for name, hits in made["pointing"].items():
        mass = shared.number(made["mass"][name]) if name in made["mass"] else ""
        lines.append([name, shared.number(hits), mass])
    lines.append(["an even map", "", shared.number(made["box's share"])])
    return str(shared.table([f"{made['right']} objects", "points into the box", "mass in the box"], lines))


def tables() -> dict[str, str]:
    return {"shapes": shapes()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    if parser.parse_args().write:
        PAGE.write_text(shared.filled(PAGE.read_text("utf-8"), tables()), encoding="utf-8")
    print(shapes())


if __name__ == "__main__":
    main()
