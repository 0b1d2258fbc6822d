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
MEASURES = ("insertion", "deletion", "faithfulness", "over energy")


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
            found[name] = {"items": one["items"]} | {m: one[m] for m in MEASURES}
    for domain in (plain, wavelets):
        for name in CONTROLS:
            one = cell(cells, name, domain)
            found[f"{name} of {domain}"] = {"items": one["items"]} | {m: one[m] for m in MEASURES}
    return {"table": table, "network": network, "settings": source["settings"], "rows": found}


def main(argv: list[str] | None = None) -> None:
    given = record.options(__doc__, {}, {}, argv)
    kinds = {kind: column(given.results, kind) for kind in KINDS}
    record.write("table1", {"title": "Table 1: summary", "kinds": kinds}, given.results)


if __name__ == "__main__":
    main()
