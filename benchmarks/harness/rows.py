"""A table's rows, computed one by one and kept: a run that was killed goes on where it stopped.

Each row is a line of JSON in `wavelens-out/STUDY/TABLE.jsonl` (the folder is $WAVELENS_OUT, where that is set), with
the key that says which row it is and all that it was made with: the settings, the texts of domains and explainers, the
versions. Where one of these is another, so is the row. Rows of runs of hours lie compressed beside the records, in
`benchmarks/STUDY/results/rows`, and count as computed; put there by

    python benchmarks/harness/rows.py paper/table4 planted/find-further
"""

from __future__ import annotations

import json
import lzma
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

import wavelens as wl

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness.machine import commit

Row = dict[str, Any]
BENCHMARKS = Path(__file__).parents[1]


def place(table: str, study: str = "paper") -> Path:
    return _out() / study / f"{table}.jsonl"


def stored(path: Path) -> Path | None:
    """Where the rows of a file lie beside the records, compressed; None of a file that lies elsewhere."""
    if path.parent.parent != _out():
        return None
    return BENCHMARKS / path.parent.name / "results" / "rows" / f"{path.stem}.jsonl.xz"


def _out() -> Path:
    return Path(os.environ.get("WAVELENS_OUT", "wavelens-out"))


def there(path: Path) -> list[Row]:
    """The rows of a file, after those that are stored beside the records."""
    beside = stored(path)
    return [*(kept(beside) if beside else ()), *kept(path)]


def kept(path: Path) -> list[Row]:
    """The rows of a file, compressed or not; a line that was torn by a kill is no row."""
    if not path.exists():
        return []
    text = lzma.decompress(path.read_bytes()).decode("utf-8") if path.suffix == ".xz" else path.read_text("utf-8")
    return [row for line in text.splitlines() if (row := _row(line))]


def store(path: Path) -> Path:
    """Puts a file's rows beside the records, those that lie there included."""
    beside = stored(path)
    if beside is None:
        raise ValueError(f"rows are stored of the files of {_out()}; got {path}.")
    several = {json.dumps(row, ensure_ascii=False): None for row in there(path)}
    beside.parent.mkdir(parents=True, exist_ok=True)
    beside.write_bytes(lzma.compress("".join(f"{line}\n" for line in several).encode("utf-8"), preset=9))
    return beside


def each(path: Path, settings: Row, keys: Iterable[Row], compute: Callable[..., Row]) -> list[Row]:
    """`compute(**key)` for every key that has no row yet; the rows of all keys, in their order.

    `settings` are all that a row depends on beside its key. A row is `{"key": …, "settings": settings and versions,
    "commit": …, "seconds": …, **what compute returned}`, written as soon as it is known.
    """
    settings = json.loads(json.dumps(settings | {"wavelens": wl.__version__, "torch": torch.__version__}))
    done = {_name(row["key"]): row for row in there(path) if row["settings"] == settings}
    keys, at = list(keys), commit()
    found = []
    for number, key in enumerate(keys, 1):
        if _name(key) not in done:
            start = time.perf_counter()
            computed = compute(**key)
            made = {"commit": at, "seconds": round(time.perf_counter() - start, 2)}
            row = {"key": key, "settings": settings, **made, **computed}
            _append(path, row)
            print(f"{path.stem}: {number} of {len(keys)}, {' '.join(map(str, key.values()))}", file=sys.stderr)
            done[_name(key)] = row
        found.append(done[_name(key)])
    return found


def _name(key: Row) -> str:
    return json.dumps(key, sort_keys=True)


def _row(line: str) -> Row | None:
    try:
        row = json.loads(line)
    except json.JSONDecodeError:
        return None
    return row if isinstance(row, dict) and {"key", "settings"} <= row.keys() else None


def _append(path: Path, row: Row) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torn = path.exists() and path.stat().st_size and not path.read_bytes().endswith(b"\n")
    with open(path, "a", encoding="utf-8") as file:
        file.write(("\n" if torn else "") + json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        study, _, table = name.rpartition("/")
        print(store(place(table, study or "paper")))
