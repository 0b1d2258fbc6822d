"""What the scripts of this folder share: tasks, networks and domains, and where records go."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness import records, rows
from harness.arguments import sized
from harness.machine import load

import wavelens as wl
from wavelens import planted
from wavelens.core import Domain

__all__ = ["RESULTS", "domains_of", "each", "keys", "load", "options", "others_of", "place", "records", "rows"]
RESULTS = Path(__file__).parent / "results"
FIRST = ("convolutions, max", "convolutions, mean", "points, max", "points, mean")  # as prototyped; before the others
GENERAL: dict[str, Domain] = {
    "DWT haar": wl.DWT("haar", levels=4),
    "DWT db4": wl.DWT("db4", levels=4),
    "Stationary haar": wl.Stationary("haar", levels=3),
    "Packets db4": wl.Packets("db4", levels=3),
    "DualTree": wl.DualTree(levels=4),
    "Cosine": wl.Cosine(),
    "Identity": wl.Identity(),
}
IN_ONE: dict[str, Domain] = {"STFT": wl.STFT("hann", 64), "ConstantQ": wl.ConstantQ(3, octaves=5)}
IN_TWO: dict[str, Domain] = {"Shearlets": wl.Shearlets(3)}
IN_THREE: dict[str, Domain] = {
    "DWT haar": wl.DWT("haar", levels=3),
    "DWT db4": wl.DWT("db4", levels=2),
    "Cosine": wl.Cosine(),
    "Identity": wl.Identity(),
}
ON_POINTS: dict[str, Domain] = {"TreeHaar": wl.TreeHaar(), "Identity": wl.Identity()}


def domains_of(task: planted.PlantedTask) -> dict[str, Domain]:
    """The domains that a task's signals are explained in."""
    if task.cloud:
        return ON_POINTS
    return (GENERAL | IN_ONE, GENERAL | IN_TWO, IN_THREE)[len(task.axes) - 1]


def main_domain(task: planted.PlantedTask) -> str:
    """The domain in which measures are held against truth."""
    return "TreeHaar" if task.cloud else "DWT haar"


def options(doc: str | None, argv: list[str] | None, **more: Any) -> Any:
    """`--tasks` and `--architectures`, separated by `;`, `--seeds` from 0, `--items`; `--kept 1`: nothing new."""
    small = {"tasks": "", "architectures": "", "seeds": 1, "items": 20, "kept": 0}
    return sized(doc, small | more, {}, RESULTS, argv)


def keys(given: Any) -> Iterator[dict[str, Any]]:
    """Which networks: the four tasks for choosing first, and of each the first architectures."""
    named = [name for name in given.tasks.split(";") if name] or list(planted.TASKS)
    chosen = [name for name in given.architectures.split(";") if name] or list(planted.ARCHITECTURES)
    for seed in range(given.seeds):
        for early in (True, False):
            for task in named:
                for architecture in planted.fitting(planted.TASKS[task], chosen):
                    if (architecture in FIRST) == early:
                        yield {"task": task, "architecture": architecture, "seed": seed}


def others_of(model: torch.nn.Module, x: Tensor, labels: Tensor) -> list[int]:
    """The other class with the largest score, item by item."""
    with torch.no_grad():
        logits = model(x)
    others: list[int] = logits.scatter(1, labels[:, None], -torch.inf).argmax(1).tolist()
    return others


def each(
    name: str, given: Any, settings: Callable[[planted.PlantedTask], rows.Row], compute: Callable[..., rows.Row]
) -> list[rows.Row]:
    """The rows of all networks, computed where they are missing; with `--kept 1` those that are there."""
    path, made = place(name), []
    there = rows.there(path)
    for key in keys(given):
        own = settings(planted.TASKS[key["task"]])
        if not given.kept or any(one["key"] == key and own.items() <= one["settings"].items() for one in there):
            made += rows.each(path, own, [key], partial(_timed, compute))
    return made


def _timed(compute: Callable[..., rows.Row], **key: Any) -> rows.Row:
    """A row with the seconds of processor that it took."""
    start = time.process_time()
    computed = compute(**key)
    return {"processor": round(time.process_time() - start, 1), **computed}


def place(name: str) -> Path:
    """Where a table's rows lie."""
    return rows.place(name, "planted")
