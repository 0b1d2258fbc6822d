"""Minimal inputs against the bare passes that they need, and a front of ten alphas against ten runs.

    python benchmarks/speed/minimal.py [--device cuda] [--rounds 3] [--net efficientnet]

Bare: a forward and backward pass to the input for each step, parameters frozen, nothing else, in the same chunks and
with the model as it is given; floor: the same in the memory format that wavelens takes. Front: ten alphas of one item
in one run; ten: as many runs with an alpha each, one after another. All take every step. Each round times all of them
in turn; a ratio is that of the least times. Peak memory is that of one run above what is held before it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import torch
from attribution import NETS, build
from timing import interleaved, peak, ratio, recorded, write
from torch import Tensor, nn

import wavelens as wl
from wavelens import masks
from wavelens.engine.fast_passes import FastPasses

STEPS = 25
DOMAIN = wl.DWT("haar", levels=3)
ALPHAS = [0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0]


def candidates(net: nn.Module, x: Tensor) -> dict[str, Callable[[], Any]]:
    def ours(items: Tensor = x, alpha: Any = 10.0) -> Any:
        settings = {"domain": DOMAIN, "steps": STEPS, "tolerance": None, "batch_size": max(len(x), len(ALPHAS))}
        return masks.minimal(net, items, 0, alpha=alpha, **settings)

    def bare(ask: Callable[[Tensor], Tensor] = net) -> None:
        for p in net.parameters():
            p.requires_grad_(False)
        for _ in range(STEPS):
            point = x.clone().requires_grad_()  # each pass has an input of its own
            torch.autograd.grad(ask(point)[:, 0].sum(), point)
        for p in net.parameters():
            p.requires_grad_(True)

    def floor() -> None:
        with FastPasses(net, x) as fast:
            with torch.no_grad():
                fast(x)  # f(x) is asked for first: it shows what can be folded
            bare(fast)

    return {
        "ours": ours,
        "bare": bare,
        "floor": floor,
        "front": lambda: ours(x[:1], ALPHAS),
        "ten": lambda: [ours(x[:1], alpha) for alpha in ALPHAS],
    }


def peaks(name: str, device: str) -> dict[str, int]:
    if device.startswith("cuda"):
        runs = candidates(*build(name, device))
        return {key: peak(runs[key], device) for key in ("bare", "ours")}
    command = [sys.executable, __file__, "--net", name, "--peak"]
    settings = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}  # free at once
    return {
        key: int(subprocess.run([*command, key], capture_output=True, text=True, check=True, env=settings).stdout)
        for key in ("bare", "ours")
    }


def measure(name: str, device: str, rounds: int) -> dict[str, Any]:
    seconds = interleaved(candidates(*build(name, device)), device, rounds)
    memory = peaks(name, device)
    return {
        "net": name,
        "seconds": {key: round(min(values), 4) for key, values in seconds.items()},
        "ours ÷ bare": round(ratio(seconds, "ours", "bare"), 3),
        "ours ÷ floor": round(ratio(seconds, "ours", "floor"), 3),
        "front of ten ÷ ten runs": round(ratio(seconds, "front", "ten"), 3),
        "peak memory, MB": {key: round(value / 1e6, 1) for key, value in memory.items()},
        "peak memory ÷ bare": round(memory["ours"] / memory["bare"], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--net", choices=NETS, nargs="*", default=["efficientnet", "volumes"])
    parser.add_argument("--peak", metavar="CANDIDATE", help="print one candidate's peak memory")
    options = parser.parse_args()
    if options.peak:
        print(peak(candidates(*build(options.net[0], options.device))[options.peak], options.device))
        return
    torch.backends.cudnn.benchmark = True
    for name in options.net:
        row = measure(name, options.device, options.rounds)
        print(json.dumps(row, ensure_ascii=False), flush=True)
        others = [r for r in recorded("minimal", options.device) if r["net"] != name]
        write("minimal", options.device, {"steps": STEPS, "alphas": ALPHAS, "rows": [*others, row]})


if __name__ == "__main__":
    main()
