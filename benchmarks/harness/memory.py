"""Peak memory of one run above what is held before it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

# Memory that is freed goes back to the system at once, and so does not hide in a later peak.
FREE_AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


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


def peaks_apart(script: str, arguments: Iterable[str], names: Iterable[str]) -> dict[str, int]:
    """The peak of each candidate in a process of its own, which `script … NAME` prints."""
    settings = {**os.environ, **FREE_AT_ONCE}
    peaks = {}
    for name in names:
        command = [sys.executable, script, *arguments, name]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=settings)
        peaks[name] = int(done.stdout)
    return peaks


def against(memory: dict[str, int], other: str = "bare") -> dict[str, Any]:
    """A row's megabytes, and ours over another's."""
    return {
        "peak memory, MB": {name: round(value / 1e6, 1) for name, value in memory.items()},
        f"peak memory ÷ {other}": round(memory["ours"] / memory[other], 3),
    }


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(key))
