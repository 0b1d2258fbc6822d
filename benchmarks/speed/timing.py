"""Times and memory of alternatives, interleaved, as ratios of one run; and the record that is committed."""

from __future__ import annotations

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


def synchronise(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def interleaved(candidates: dict[str, Callable[[], Any]], device: str, repeats: int) -> dict[str, list[float]]:
    """Seconds of each candidate, `repeats` times, taking turns so that all see the same machine."""
    for run in candidates.values():
        run()
    synchronise(device)
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(repeats):
        for name, run in candidates.items():
            start = time.perf_counter()
            run()
            synchronise(device)
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio(seconds: dict[str, list[float]], name: str, other: str) -> float:
    """The median over rounds of `name` ÷ `other`, each round its own ratio."""
    return statistics.median(a / b for a, b in zip(seconds[name], seconds[other], strict=True))


def peak(run: Callable[[], Any], device: str) -> int:
    """Bytes at the peak of one run above what was held before it; on a CPU call it first in a fresh process."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return torch.cuda.max_memory_allocated() - before
    import resource

    resident = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    run()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - resident


def write(name: str, device: str, result: dict[str, Any]) -> None:
    """Writes `results/NAME-DEVICE.json` with versions and hardware."""
    hardware = (
        torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads, {_processor()}"
    )
    record = {
        "command": " ".join(["python", *sys.argv]),
        "hardware": hardware,
        "python": platform.python_version(),
        "torch": torch.__version__,
        **result,
    }
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{device}.json"
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    print(f"wrote {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
