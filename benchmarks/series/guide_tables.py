"""The tables of the guides on time series, from the records of these studies.

python benchmarks/series/guide_tables.py          # print them
python benchmarks/series/guide_tables.py --write  # and put each under its `<!-- table: NAME -->` in docs/
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness import guides
from harness.guides import number, table

RESULTS = Path(__file__).parent / "results"
DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("guides/series.md", "guides/ecg.md", "guides/seismogram.md")
KINDS, ASKED = ("P", "QRS", "T"), ("sample", "record")
ORDERS = [
    *(
        f"{method}, {space}, {reading}"
        for method in ("IG", "SmoothGrad")
        for space in ("wavelets", "samples")
        for reading in ("magnitude", "signed")
    ),
    "energy, wavelets",
    "energy, samples",
]


record = partial(guides.record, RESULTS)


def ludb(measure: str) -> str:
    """Hits or mass of each order, for each kind of wave and both targets."""
    targets = record("ludb")["targets"]
    columns = [f"{kind}, {asked}" for asked in ASKED for kind in KINDS]
    lines = [
        [order.replace("magnitude", "\\|γ\\|"), *(number(targets[c][measure][order]) for c in columns)]
        for order in ORDERS
    ]
    lines.append(["random", *(number(targets[c]["random"]) for c in columns)])
    return table(["order", *(f"{kind}, {span}" for span in ("one sample", "whole record") for kind in KINDS)], lines)


def ludb_falls() -> str:
    made = record("ludb")["falls"]
    places = ("itself", "nearest QRS", "no wave")
    lines = [[kind, f"{cell['leads']}", *(number(cell[place]) for place in places)] for kind, cell in made.items()]
    heads = ("its wave erased", "the nearest QRS erased", "a stretch without a wave erased")
    return table(["class", "leads", *heads], lines)


def ludb_bands() -> str:
    targets = record("ludb")["targets"]
    bands = list(targets["P, sample"]["bands"])
    return table(
        ["octave", *KINDS],
        [[band, *(number(targets[f"{kind}, sample"]["bands"][band]) for kind in KINDS)] for band in bands],
    )


def phasenet_components() -> str:
    made = record("phasenet")
    lines = [
        [f"{phase} on {c}", *(number(made[phase]["components"][c][of]) for of in ("account", "Shapley", "energy"))]
        for phase in ("P", "S")
        for c in "ENZ"
    ]
    return table(["", "account", "Shapley", "energy"], lines)


def phasenet_bands() -> str:
    made = record("phasenet")
    lines = [[band, *(number(made[phase]["bands"][band]) for phase in ("P", "S"))] for band in made["P"]["bands"]]
    return table(["octave", "P", "S"], lines)


def phasenet_time() -> str:
    made = record("phasenet")
    lines = [
        [
            order,
            *(
                number(made[phase]["time"][order][key], digits)
                for phase in ("P", "S")
                for key, digits in (("mass", 2), ("hit", 2), ("median seconds", 2))
            ),
        ]
        for order in made["P"]["time"]
    ]
    lines.append(["random", *(cell for phase in ("P", "S") for cell in (number(made[phase]["random"]), "", ""))])
    titles = [
        f"{phase}: {title}" for phase in ("P", "S") for title in ("within 1 s", "largest within 1 s", "s, median")
    ]
    return table(["order", *titles], lines)


def ucr_sets() -> str:
    lines = [
        [
            name,
            f"{one['length']}",
            f"{one['items']}",
            number(one["accuracy"]),
            f"`{one['domain']}`",
            number(one["gap, part of the rise"], 4, interval=False),
        ]
        for name, one in record("ucr")["sets"].items()
    ]
    return table(["set", "samples", "explained", "accuracy", "octaves", "gap, part of the rise"], lines)


def ucr_faithfulness() -> str:
    lines = []
    for name, one in record("ucr")["sets"].items():
        cells = [one[f"faithfulness in wavelets, {measure}"] for measure in ("zero, uniform", "shuffled, log")]
        line = [
            number(cell[key])
            for cell in cells
            for key in ("IG, wavelets", "IG, wavelets less energy", "IG, wavelets less IG, samples", "random, wavelets")
        ]
        lines.append([name, *line])
    titles = [
        f"{measure}: {title}"
        for measure in ("from zero", "shuffled, log")
        for title in ("IG", "less energy", "less IG by sample", "random")
    ]
    return table(["set", *titles], lines)


def ucr_channels() -> str:
    cell = record("ucr")["sets"]["BasicMotions"]["channels"]
    lines = [[key, number(value)] for key, value in cell.items()]
    return table(["BasicMotions, account against Shapley", ""], lines)


def tables() -> dict[str, str]:
    """Every table that a record is there for."""
    made = {}
    if record("ludb"):
        made |= {
            "ludb hits": ludb("hits"),
            "ludb mass": ludb("mass"),
            "ludb bands": ludb_bands(),
            "ludb falls": ludb_falls(),
        }
    if record("phasenet"):
        made |= {
            "phasenet components": phasenet_components(),
            "phasenet bands": phasenet_bands(),
            "phasenet time": phasenet_time(),
        }
    if record("ucr"):
        made |= {"ucr sets": ucr_sets(), "ucr faithfulness": ucr_faithfulness(), "ucr channels": ucr_channels()}
    return made


if __name__ == "__main__":
    guides.print_or_write(__doc__, tables(), [DOCS / name for name in PAGES])
