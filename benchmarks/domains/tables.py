"""The tables of the documentation, from the records of these studies.

python benchmarks/domains/tables.py          # print them
python benchmarks/domains/tables.py --write  # and put each under its `<!-- table: NAME -->` in docs/
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness import guides
from harness.guides import Record, number, table

RESULTS = Path(__file__).parent / "results"
DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("choosing.md", "guides/domains.md", "guides/listening.md")
ORDERS = ("WAM-IG", "energy order", "random order")
MASKS = ("IG, soft", "IG, top", "energy, soft", "energy, top", "random, top", "oracle, top")
FIGURES = {  # of a mask: title and digits
    "kept": ("kept", 2),
    "kept_corruption": ("of the corruption", 2),
    "ratio": ("ratio", 1),
    "si_sdr": ("SI-SDR", 1),
    "si_sdr_corruption": ("SI-SDR of the corruption", 1),
    "si_sdr, less DWT db4's": ("SI-SDR less DWT db4's", 1),
}


record = partial(guides.record, RESULTS)


def areas(kind: str, start: str) -> str:
    """Insertion and deletion of WAM-IG and of the controls, and WAM-IG's faithfulness over the energy order's."""
    head = [
        "domain",
        *(f"{side}: {order}" for side in ("insertion", "deletion") for order in ("WAM-IG", "energy", "random")),
    ]
    lines = []
    for name, cells in record(f"choice-{kind}")["results"].items():
        line = [
            number(cells[order][f"{start} {side}"], interval=order == "WAM-IG")
            for side in ("insertion", "deletion")
            for order in ORDERS
        ]
        lines.append([name, *line, number(cells["WAM-IG"][f"{start} faithfulness over energy"])])
    return table([*head, "faithfulness, WAM-IG less energy"], lines)


def sparsity(kind: str) -> str:
    """The numbers per sample that hold 90 % of an account, and Gini indices."""
    head = ["domain", *(f"for 90 %: {name}" for name in ("WAM-IG", "energy", "random"))]
    head += [f"Gini: {name}" for name in ("WAM-IG", "energy", "random")]
    lines = [
        [
            name,
            *(number(cells[label][key], interval=label == "WAM-IG") for key in ("for_90", "gini") for label in ORDERS),
        ]
        for name, cells in record(f"choice-{kind}")["results"].items()
    ]
    return table(head, lines)


def stability(kind: str) -> str:
    """Percent of the shares that move with a shifted window."""
    head = ["domain", "WAM-IG", "energy", "random"]
    lines = [
        [name, *(number(cells[label]["moved"], unit=100, interval=label != "random order") for label in ORDERS)]
        for name, cells in record(f"choice-{kind}")["results"].items()
        if name != "Identity"  # it has one scale
    ]
    return table(head, lines)


def shifts() -> str:
    """Percent of the shares that move when a photo is shifted by 1 to 15 pixels."""
    head = ["domain", "WAM-IG", "WAM-SG", "energy", "WAM-SG's gradient, rolled", "signed sums ÷ rise"]
    results, lines = record("shift")["results"], []
    for name in results["WAM-IG"]:
        line = [number(results[of][name]["mean"], unit=100) for of in ("WAM-IG", "WAM-SG", "energy", "rolled")]
        sums = results["signed sums"].get(name)
        lines.append([name, *line, number(sums["mean"]) if sums else ""])
    return table(head, lines)


def masks(kind: str, net: str = "yamnet") -> str:
    """What rebuilt sounds keep, mask by mask and domain by domain."""
    cell = record(f"sound-masks-{net}")["kinds"][kind]
    lines = [
        [
            mask,
            name,
            *(number(cell[name][mask][key], digits, interval=digits == 1) for key, (_, digits) in FIGURES.items()),
        ]
        for mask in MASKS
        for name in _measured(cell)
    ]
    return table(["mask", "domain", *(title for title, _ in FIGURES.values())], lines)


def leaks(net: str = "yamnet") -> str:
    """Percent of the stems' energy outside their bands."""
    lines = []
    kinds = record(f"sound-masks-{net}")["kinds"]
    for name in _measured(kinds["noise"]):
        cells = [kinds[kind][name]["leaks"]["whole"] for kind in kinds]
        line = [number(cell["outside"], 1, 100) for cell in cells]
        lines.append([name, *line, *(f"{100 * cell['octave_away'][0]:.1g}" for cell in cells)])
    return table(
        ["domain", "outside: noise", "outside: overlap", "an octave away: noise", "an octave away: overlap"], lines
    )


def _measured(cell: Record) -> list[str]:
    """The domains of a cell; its other entries are of all domains."""
    return [name for name, value in cell.items() if isinstance(value, dict) and "leaks" in value]


def tables() -> dict[str, str]:
    """Every table that a record is there for."""
    made = {}
    for kind in ("photo", "clip"):
        if record(f"choice-{kind}"):
            made |= {f"{kind}, {start}": areas(kind, start) for start in ("zero", "shuffled")}
            made |= {f"{kind}, sparsity": sparsity(kind), f"{kind}, stability": stability(kind)}
    if record("shift"):
        made["shifts"] = shifts()
    if kinds := record("sound-masks-yamnet").get("kinds"):
        made |= {f"masks, {kind}": masks(kind) for kind in kinds} | {"leaks": leaks()}
    return made


if __name__ == "__main__":
    guides.print_or_write(__doc__, tables(), [DOCS / name for name in PAGES])
