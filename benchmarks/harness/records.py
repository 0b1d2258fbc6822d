"""Records that are committed: JSON with the command, the versions and the machine in front."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from harness.intervals import KIND, has_intervals
from harness.machine import versions

ROOT = Path(__file__).parents[2]
Record = dict[str, Any]


def write(path: Path, record: Record, device: str = "cpu") -> Path:
    """The record at `path`, after what made it, and the kind of its intervals where it has some."""
    kind = {"intervals": KIND} if has_intervals(record) else {}
    save(path, {"command": command(), **versions(device), **kind, **record})
    return path


def save(path: Path, record: Record) -> None:
    """Indented JSON with a list of numbers or texts on one line."""
    text = re.sub(
        r"\[\s+([^][{}]*?)\s+\]",
        lambda m: "[" + " ".join(m[1].split()) + "]",
        json.dumps(record, indent=1, ensure_ascii=False),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")


def command() -> str:
    """The command of this process, as it is given in the folder of the project."""
    script = Path(sys.argv[0]).resolve()
    name = str(script.relative_to(ROOT)) if script.is_relative_to(ROOT) else script.name
    return " ".join(["python", name, *sys.argv[1:]])


def read(path: Path) -> Record:
    """A record, or an empty one."""
    record: Record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return record


def rounded(value: Any) -> Any:
    """Five digits of every number."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value
