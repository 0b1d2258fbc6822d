"""A table's record: means with intervals, versions, and the JSON that is committed."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import wavelens as wl

RESULTS = Path(__file__).parent / "results"
RESAMPLES = 2000
Record = dict[str, Any]


def options(
    doc: str | None, small: dict[str, Any], full: dict[str, Any], argv: Sequence[str] | None = None
) -> argparse.Namespace:
    """What a script takes: a number or text for each of `small`; `FULL=1` in the environment makes `full` the default.

    `--threads` is how many torch uses, `--results` the folder of the record.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    defaults = small | full if os.environ.get("FULL", "0") not in ("", "0") else small
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS)
    found = parser.parse_args(argv)
    torch.set_num_threads(found.threads)
    return found


def versions() -> Record:
    return {
        "wavelens": wl.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "hardware": f"{torch.get_num_threads()} thread(s), {platform.machine()}, {platform.system()}",
    }


def interval(values: Sequence[float], middle: Callable[..., Any] = np.mean, digits: int = 4) -> list[float | None]:
    """The mean (or another `middle`) and its 95 % interval: percentile bootstrap over items; `None` for NaN alone."""
    array = np.asarray(values, dtype=float)
    array = array[np.isfinite(array)]
    if not array.size:
        return [None, None, None]
    found = (middle(array), *np.quantile(middle(array[_draws(len(array))], axis=1), [0.025, 0.975]))
    return [round(float(v), digits) for v in found]


@cache
def _draws(count: int) -> NDArray[np.int64]:
    """Items drawn with replacement, the same for all that is measured of as many."""
    return np.random.default_rng(0).integers(count, size=(RESAMPLES, count))


def write(name: str, record: Record, folder: Path = RESULTS) -> Path:
    """`folder/name.json` with the command and versions in front, a list of numbers on one line."""
    command = " ".join(["python", "benchmarks/paper/" + Path(sys.argv[0]).name, *sys.argv[1:]])
    whole = {"command": command, **versions(), **record}
    text = re.sub(
        r"\[\s+([^][{}]*?)\s+\]",
        lambda m: "[" + " ".join(m[1].split()) + "]",
        json.dumps(whole, indent=1, ensure_ascii=False),
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(text + "\n", encoding="utf-8")
    return path
