"""Times of alternatives that take turns, as ratios of one run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

Candidates = Mapping[Any, Callable[[], Any]]


def synchronise(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def interleaved(candidates: Candidates, device: str, repeats: int) -> dict[Any, list[float]]:
    """The `turns` of candidates that have all run once."""
    for run in candidates.values():
        run()
    return turns(candidates, device, repeats)


def turns(
    candidates: Candidates, device: str, repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[Any, list[float]]:
    """Seconds of each candidate, `repeats` times, taking turns so that all see the same machine.

    Every other round goes backwards: each stands before and after the same neighbours, and a drift cancels.
    """
    synchronise(device)
    seconds: dict[Any, list[float]] = {name: [] for name in candidates}
    for turn in range(repeats):
        for name, run in list(candidates.items())[:: -1 if turn % 2 else 1]:
            start = clock()
            run()
            synchronise(device)
            seconds[name].append(clock() - start)
    return seconds


def ratio(seconds: Mapping[Any, Sequence[float]], name: Any, other: Any) -> float:
    """The least of `name` ÷ the least of `other`: whatever else a machine does only adds time."""
    return min(seconds[name]) / min(seconds[other])


def least(seconds: Mapping[Any, Sequence[float]], unit: float = 1.0, digits: int = 4) -> dict[Any, float]:
    """The least time of each, in parts of a second (`unit=1e-3`: milliseconds)."""
    return {name: round(min(values) / unit, digits) for name, values in seconds.items()}


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))
