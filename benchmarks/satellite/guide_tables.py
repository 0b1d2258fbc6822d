"""The tables of the guide on satellite images, from the records of these studies.

python benchmarks/satellite/guide_tables.py          # print them
python benchmarks/satellite/guide_tables.py --write  # and put each under its `<!-- table: NAME -->` in docs/
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness import guides
from harness.guides import number, table

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[2] / "docs" / "guides" / "satellite.md"


record = partial(guides.record, RESULTS)


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


if __name__ == "__main__":
    guides.print_or_write(__doc__, tables(), [PAGE])
