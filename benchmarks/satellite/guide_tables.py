"""The tables of the guide on satellite images, from the records of these studies.

python benchmarks/satellite/guide_tables.py          # print them
python benchmarks/satellite/guide_tables.py --write  # and put each under its `<!-- table: NAME -->` in docs/
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
PAGE = Path(__file__).parents[2] / "docs" / "guides" / "satellite.md"
Record = dict[str, Any]


def record(name: str) -> Record:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def pixel_bands() -> str:
    """The mean account of each band, for each class of land cover."""
    cover = record("pixels")["cover"]
    bands = next(iter(cover.values()))["by band"]
    head = ["band", *(f"{name} ({cell['patches']} patches, {cell['pixels']} pixels)" for name, cell in cover.items())]
    return table(head, [[band, *(number(cell["by band"][band]) for cell in cover.values())] for band in bands])


def pixel_groups() -> str:
    lines = [[key, number(value)] for key, value in record("pixels")["groups"].items()]
    lines.append(["same largest group, by chance", "0.20"])
    return table(["account by group, against Shapley values", ""], lines)


def distilled_bands() -> str:
    cells = record("distilled")["by band"]
    lines = [[band, number(cell["γ"], 1, 100), number(cell["energy"], 1, 100)] for band, cell in cells.items()]
    return table(["band", "% of Σ\\|γ\\|", "% of the energy"], lines)


def distilled_scales() -> str:
    cells = record("distilled")["by scale"]
    lines = [[scale, number(cell["γ"], 1, 100), number(cell["energy"], 1, 100)] for scale, cell in cells.items()]
    return table(["scale", "% of Σ\\|γ\\|", "% of the energy"], lines)


def distilled_faithfulness() -> str:
    made = record("distilled")
    less = made["faithfulness, IG in wavelets less"]
    lines = [
        [order, number(value, 3), number(less[order], 3) if order in less else ""]
        for order, value in made["faithfulness"].items()
    ]
    return table(["order", "insertion less deletion", "IG in wavelets less this"], lines)


def tables() -> dict[str, str]:
    """Every table that a record is there for."""
    made = {}
    if record("pixels"):
        made |= {"satellite pixels": pixel_bands(), "satellite groups": pixel_groups()}
    if record("distilled"):
        made |= {
            "satellite bands": distilled_bands(),
            "satellite scales": distilled_scales(),
            "satellite faithfulness": distilled_faithfulness(),
        }
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
