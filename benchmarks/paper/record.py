"""What the scripts of this folder share with all benchmarks, and the folder of their records."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness import records, rows
from harness.arguments import parser, sized
from harness.data import at
from harness.intervals import KIND, expanded, interval, is_interval, p_value, with_expanded
from harness.machine import versions
from harness.records import Record, command, rounded, save
from harness.rows import Row
from harness.tables import table

__all__ = [
    "KIND", "RESULTS", "Record", "Row", "at", "command", "expanded", "interval", "is_interval", "options", "p_value",
    "parser", "rounded", "rows", "save", "table", "versions", "with_expanded", "write",
]  # fmt: skip
RESULTS = Path(__file__).parent / "results"


def options(
    doc: str | None, small: dict[str, Any], full: dict[str, Any], argv: Sequence[str] | None = None
) -> argparse.Namespace:
    """A number or text for each of `small`, or of `full` with `FULL=1`; `--threads`, and `--results`."""
    return sized(doc, small, full, RESULTS, argv)


def write(name: str, record: Record, folder: Path = RESULTS) -> Path:
    """`folder/name.json` with the command and versions in front."""
    return records.write(folder / f"{name}.json", record)
