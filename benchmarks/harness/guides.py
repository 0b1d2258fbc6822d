"""The tables of guides, from the records of studies: each stands in its page under `<!-- table: NAME -->`."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Record = dict[str, Any]


def record(results: Path, name: str) -> Record:
    """A record, or an empty one."""
    path = results / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def number(value: Sequence[float | None] | float, digits: int = 2, unit: float = 1.0, interval: bool = True) -> str:
    """A mean, with its interval in brackets if it has one."""
    if not isinstance(value, Sequence):
        return f"{value * unit:.{digits}f}"
    known = (v for v in value if v is not None)
    mean, *ends = (f"{round(v * unit, digits) + 0.0:.{digits}f}" for v in known)  # no -0.00
    return f"{mean} [{', '.join(ends)}]" if interval and ends else mean


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [head, ["---", *["--:"] * (len(head) - 1)], *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def filled(page: str, made: Mapping[str, str]) -> str:
    """A page with each table under its mark; a mark without a table is a KeyError."""
    return re.sub(
        r"(<!-- table: (.*?) -->\n\n)(?:(?:\|.*\n)+\n)?",
        lambda match: f"{match[1]}{made[match[2]]}\n\n",
        page,
    )


def print_or_write(usage: str | None, made: Mapping[str, str], pages: Sequence[Path]) -> None:
    """Print the tables, and with `--write` put each under its mark in the pages."""
    parser = argparse.ArgumentParser(description=usage, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    if parser.parse_args().write:
        for page in pages:
            page.write_text(filled(page.read_text("utf-8"), made), encoding="utf-8")
    print("\n\n".join(f"{name}\n\n{text}" for name, text in made.items()))
