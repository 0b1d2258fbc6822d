"""The machine and the versions that figures come from."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import torch

import wavelens as wl

ROOT = Path(__file__).parents[2]


def versions(device: str = "cpu") -> dict[str, str]:
    return {
        **({"commit": made} if (made := commit()) else {}),
        "wavelens": wl.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "hardware": hardware(device),
    }


def commit(tree: Path = ROOT) -> str | None:
    """The commit that a tree stands at, and whether its code was changed since; None outside a repository."""
    if not (tree / ".git").exists():
        return None
    asked = (["rev-parse", "--short", "HEAD"], ["status", "--porcelain", "--", "src", "benchmarks/*.py"])
    try:
        said = [
            subprocess.run(["git", "-C", str(tree), *one], capture_output=True, text=True, check=True).stdout.strip()
            for one in asked
        ]
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{said[0]}, changed" if said[1] else said[0]


def hardware(device: str = "cpu") -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{threads} thread{'s' if threads > 1 else ''}, {processor()}"


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def load() -> str:
    """How many programs ran or waited in the last minute, on how many cores: what else the machine does."""
    average = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return f"{average} on {os.cpu_count()} cores"
