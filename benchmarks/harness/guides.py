"""The tables of guides, from the records of studies: each stands in its page under `<!-- table: NAME -->`."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.intervals import COUNTS, with_expanded

Record = dict[str, Any]
INTERVAL = re.compile(r"\[\S+, \S+\]")


def record(results: Path, name: str, counts: Sequence[str] = COUNTS, items: int | None = None) -> Record:
    """A record with its intervals as they are shown (`with_expanded`), or an empty one."""
    path = results / f"{name}.json"
    shown: Record = with_expanded(json.loads(path.read_text("utf-8")), items, counts) if path.exists() else {}
    return shown


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


def filled(page: str, made: Mapping[str, str], kind: str = "table") -> str:
    """A page with each table under its mark, `<!-- KIND: NAME -->`; a mark without a table is a KeyError.

    What the text of the page quotes from a table with its interval becomes what stands there now.
    """
    quoted: dict[str, set[str]] = {}

    def put(match: re.Match[str]) -> str:
        for old, new in zip(_cells(match[3] or ""), _cells(made[match[2]]), strict=False):
            if INTERVAL.search(old):
                quoted.setdefault(old, set()).add(new)
        return f"{match[1]}\n{made[match[2]].rstrip()}\n\n"

    page = re.sub(rf"(<!-- {kind}: (.*?) -->\n)\n?((?:\|.*\n)+)?\n?", put, page).rstrip() + "\n"
    lines = re.split(r"(?m)(^\|.*\n)", page)  # rows of tables at odd places
    changed = {old: new.pop() for old, new in quoted.items() if new != {old} and len(new) == 1}
    return "".join(text if k % 2 else _requoted(text, changed) for k, text in enumerate(lines))


def _cells(table: str) -> list[str]:
    return [cell.strip() for line in table.splitlines() for cell in line.split("|")[1:-1]]


def _requoted(text: str, changed: Mapping[str, str]) -> str:
    """A text that quotes the new cells in place of the old ones, with either form of minus and over line ends."""
    for minus in "-−":
        for old, new in changed.items():
            pattern = r"\s+".join(map(re.escape, old.replace("-", minus).split()))
            text = re.sub(rf"(?<![\d.{minus}]){pattern}", new.replace("-", minus), text)
    return text


def print_or_write(usage: str | None, made: Mapping[str, str], pages: Sequence[Path]) -> None:
    """Print the tables, and with `--write` put each under its mark in the pages."""
    parser = argparse.ArgumentParser(description=usage, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    if parser.parse_args().write:
        for page in pages:
            page.write_text(filled(page.read_text("utf-8"), made), encoding="utf-8")
    print("\n\n".join(f"{name}\n\n{text}" for name, text in made.items()))
