"""Table 1, the summary: what tables 3, 4 and 7 have on record for one network of each kind of signal.

    python benchmarks/paper/table1.py              # after tables 3, 4 and 7; nothing is computed anew

Each method in the coordinates that the paper judges it in: samples for methods of samples, wavelets for WAM. The
controls stand in both, since "over energy" is the distance to the energy order of a method's own coordinates.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import record
from verdicts import STARTS

KINDS = {  # kind: (table, network, coordinates of methods of samples, of WAM, what WAM's names end with there)
    "audio": ("table3", "YAMNet, spectrogram, clean", "spectrogram", "wavelets of the spectrogram", ""),
    "audio, waveform": ("table3", "YAMNet, clean", "samples", "wavelets", ""),
    "images": ("table4", "EfficientNet-lite0", "pixels", "wavelets", ""),
    "volumes": ("table7", "former, adrenal", "voxels", "wavelets", " (J = 2)"),
}
METHODS = (
    "Integrated Gradients",
    "SmoothGrad",
    "GradCAM",
    "Saliency",
    "WAM-IG",
    "WAM-SG",
)
CONTROLS = ("energy order", "random order")
MEASURES = ("items", "insertion", "deletion", "faithfulness", "shuffled", "gap")
MEASURES += tuple(f"{name}{p}" for name in STARTS for p in ("", ", p"))


def cell(cells: list[dict[str, Any]], name: str, domain: str) -> Any:
    return next((c for c in cells if (c["order"], c["domain"]) == (name, domain)), None)


def column(folder: Path, kind: str) -> dict[str, Any]:
    table, network, plain, wavelets, ending = KINDS[kind]
    source = json.loads((folder / f"{table}.json").read_text(encoding="utf-8"))
    cells = source["networks"][network]["cells"]
    found = {}
    for name in METHODS:
        own = name + ending if name.startswith("WAM") else name
        one = cell(cells, own, wavelets if name.startswith("WAM") else plain)
        if one is not None:
            found[name] = {m: one[m] for m in MEASURES if m in one}
    for domain in (plain, wavelets):
        for name in CONTROLS:
            one = cell(cells, name, domain)
            found[f"{name} of {domain}"] = {m: one[m] for m in MEASURES if m in one}
    made_with = {name: source[name] for name in ("settings", "intervals") if name in source}
    return {"table": table, "network": network, **made_with, "rows": found}


def main(argv: list[str] | None = None) -> None:
    given = record.options(__doc__, {}, {}, argv)
    kinds = {kind: column(given.results, kind) for kind in KINDS}
    whole = {"title": "Table 1: summary", "intervals": "those of the table that a kind is from", "kinds": kinds}
    record.write("table1", whole, given.results)


if __name__ == "__main__":
    main()
