"""What the scripts of this folder share with all benchmarks, and their records, one for each script and device."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness import records
from harness.arguments import parser, timed_parser
from harness.machine import load
from harness.memory import against, peak, peaks_apart
from harness.records import rounded
from harness.tables import show, table
from harness.timing import geometric_mean, interleaved, least, ratio, synchronise, turns

__all__ = [
    "RESULTS", "against", "geometric_mean", "interleaved", "least", "parser", "peak", "peaks_apart", "ratio",
    "recorded", "replace", "rounded", "show", "synchronise", "table", "timed_parser", "turns", "write",
]  # fmt: skip
RESULTS = Path(__file__).parent / "results"
Row = dict[str, Any]


def write(name: str, device: str, record: Row) -> None:
    """Writes `results/NAME-DEVICE.json` with versions, hardware and load in front."""
    path = records.write(RESULTS / f"{name}-{device}.json", {"load": load(), **record}, device)
    print(f"wrote {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


def recorded(name: str, device: str) -> list[Row]:
    """The rows on record."""
    rows: list[Row] = records.read(RESULTS / f"{name}-{device}.json").get("rows", [])
    return rows


def replace(name: str, device: str, rows: Iterable[Row], keys: Iterable[str], **header: Any) -> None:
    """Writes rows in place of those with the same `keys`; a run of some cases replaces these alone."""
    new, keys = list(rows), list(keys)
    fresh = [[row[key] for key in keys] for row in new]
    kept = [row for row in recorded(name, device) if [row[key] for key in keys] not in fresh]
    write(name, device, {**header, "rows": [*kept, *new]})
