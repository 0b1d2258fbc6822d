"""Times and memory of alternatives, interleaved, as ratios of one run; and the record that is committed."""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


def synchronise(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def interleaved(candidates: dict[str, Callable[[], Any]], device: str, repeats: int) -> dict[str, list[float]]:
    """The `turns` of candidates that have all run once."""
    for run in candidates.values():
        run()
    return turns(candidates, device, repeats)


def turns(
    candidates: dict[str, Callable[[], Any]],
    device: str,
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each candidate, `repeats` times, taking turns so that all see the same machine.

    Every other round goes backwards: each stands before and after the same neighbours, and a drift cancels.
    """
    synchronise(device)
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(repeats):
        for name, run in list(candidates.items())[:: -1 if turn % 2 else 1]:
            start = clock()
            run()
            synchronise(device)
            seconds[name].append(clock() - start)
    return seconds


def ratio(seconds: dict[str, list[float]], name: str, other: str) -> float:
    """The least of `name` ÷ the least of `other`: whatever else a machine does only adds time."""
    return min(seconds[name]) / min(seconds[other])


def peak(run: Callable[[], Any], device: str) -> int:
    """Bytes at the peak of a second run above what is held before it; on a CPU (Linux) of the resident set."""
    run()
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        return torch.cuda.max_memory_allocated(device) - before
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = _status("VmRSS:")
    run()
    return _status("VmHWM:") - before


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(key))


def write(name: str, device: str, result: dict[str, Any]) -> None:
    """Writes `results/NAME-DEVICE.json` with versions and hardware."""
    hardware = (
        torch.cuda.get_device_name(device)
        if device.startswith("cuda")
        else f"{torch.get_num_threads()} threads, {_processor()}"
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


def recorded(name: str, device: str) -> list[dict[str, Any]]:
    """The rows on record, so that a run of some cases replaces these alone."""
    path = Path(__file__).parent / "results" / f"{name}-{device}.json"
    return json.loads(path.read_text())["rows"] if path.exists() else []


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
