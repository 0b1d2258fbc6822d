"""Minimal inputs against the bare passes that they need, and a front of ten alphas against ten runs.

    python benchmarks/speed/minimal.py [--device cuda] [--rounds 3] [--net efficientnet]

Bare: a forward and backward pass to the input for each step, parameters frozen, nothing else, in the same chunks and
with the model as it is given; floor: the same in the memory format that wavelens takes. Front: ten alphas of one item
in one run; ten: as many runs with an alpha each, one after another. All take every step. Each round times all of them
in turn; a ratio is that of the least times. Peak memory is that of one run above what is held before it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import bare
import torch
from attribution import NETS, build
from record import against, interleaved, least, peak, peaks_apart, ratio, replace, timed_parser
from torch import Tensor, nn

import wavelens as wl
from wavelens import masks

STEPS = 25
DOMAIN = wl.DWT("haar", levels=3)
ALPHAS = [0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0]


def candidates(net: nn.Module, x: Tensor) -> dict[str, Callable[[], Any]]:
    def ours(items: Tensor = x, alpha: Any = 10.0) -> Any:
        settings = {"domain": DOMAIN, "steps": STEPS, "tolerance": None, "batch_size": max(len(x), len(ALPHAS))}
        return masks.minimal(net, items, 0, alpha=alpha, **settings)

    return {
        "ours": ours,
        "bare": lambda: bare.passes(net, x, STEPS),
        "floor": lambda: bare.floor(net, x, STEPS),
        "front": lambda: ours(x[:1], ALPHAS),
        "ten": lambda: [ours(x[:1], alpha) for alpha in ALPHAS],
    }


def peaks(name: str, device: str) -> dict[str, int]:
    if device.startswith("cuda"):
        runs = candidates(*build(name, device))
        return {key: peak(runs[key], device) for key in ("bare", "ours")}
    return peaks_apart(__file__, ["--net", name, "--peak"], ("bare", "ours"))


def measure(name: str, device: str, rounds: int) -> dict[str, Any]:
    seconds = interleaved(candidates(*build(name, device)), device, rounds)
    memory = peaks(name, device)
    return {
        "net": name,
        "seconds": least(seconds),
        "ours ÷ bare": round(ratio(seconds, "ours", "bare"), 3),
        "ours ÷ floor": round(ratio(seconds, "ours", "floor"), 3),
        "front of ten ÷ ten runs": round(ratio(seconds, "front", "ten"), 3),
        **against(memory),
    }


def main() -> None:
    parser = timed_parser(__doc__, rounds=3, net=NETS)
    parser.set_defaults(net=["efficientnet", "volumes"])
    parser.add_argument("--peak", metavar="CANDIDATE", help="print one candidate's peak memory")
    options = parser.parse_args()
    if options.peak:
        print(peak(candidates(*build(options.net[0], options.device))[options.peak], options.device))
        return
    torch.backends.cudnn.benchmark = True
    for name in options.net:
        row = measure(name, options.device, options.rounds)
        print(json.dumps(row, ensure_ascii=False), flush=True)
        replace("minimal", options.device, [row], ("net",), steps=STEPS, alphas=ALPHAS)


if __name__ == "__main__":
    main()
