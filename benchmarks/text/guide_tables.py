"""The tables of the guide on texts, from the record of this study.

python benchmarks/text/guide_tables.py          # print them
python benchmarks/text/guide_tables.py --write  # and put each under its `<!-- table: NAME -->` in docs/
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
PAGE = Path(__file__).parents[2] / "docs" / "guides" / "text.md"


def record() -> dict[str, Any]:
    return json.loads((RESULTS / "captions.json").read_text("utf-8"))


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
