"""Gradients times the input, and paths on which scales enter in order, against the bare passes that they need.

    python benchmarks/speed/readings.py [--device cuda] [--rounds 5] [--net efficientnet]

Bare and floor are those of `attribution.py`: n forward and backward passes of the model as it is given, and as wavelens
runs it. Each method asks for n gradients; each round times all in turn, and a ratio is that of the least times. Seconds
of the process are compared beside those of the clock, since they do not count what else the machine does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import bare
import torch
from attribution import HAAR, NETS, SAMPLES, build
from record import interleaved, least, ratio, replace, timed_parser

import wavelens as wl

METHODS = {
    "SmoothGrad": wl.SmoothGrad(samples=SAMPLES),
    "SmoothGrad × z": wl.SmoothGrad(samples=SAMPLES, times_input=True),
    "SmoothGrad × z, band noise": wl.SmoothGrad(samples=SAMPLES, times_input=True, noise="band"),
    "IG": wl.IntegratedGradients(steps=SAMPLES),
    "coarse to fine": wl.CoarseToFine(steps=SAMPLES),
}


def measure(name: str, device: str, rounds: int, batch: int | None) -> list[dict[str, Any]]:
    net, x = build(name, device)
    x = x if batch is None else x[:batch].clone()
    target = [0] * len(x)
    used: dict[str, list[float]] = {}

    def ours(method: wl.SmoothGrad | wl.IntegratedGradients | wl.CoarseToFine) -> Callable[[], Any]:
        return lambda: wl.attribute(net, x, target, domain=HAAR, method=method, batch_size=len(x))

    def counted(key: str, run: Callable[[], Any]) -> Callable[[], Any]:
        def call() -> Any:
            start = time.process_time()
            result = run()
            used.setdefault(key, []).append(time.process_time() - start)
            return result

        return call

    runs: dict[str, Callable[[], Any]] = {key: ours(method) for key, method in METHODS.items()}
    runs |= {"bare": lambda: bare.passes(net, x, SAMPLES), "floor": lambda: bare.floor(net, x, SAMPLES)}
    seconds = interleaved({key: counted(key, run) for key, run in runs.items()}, device, rounds)
    least_seconds = least(seconds)
    return [
        {
            "net": name,
            "method": key,
            "batch": len(x),
            "seconds": {one: least_seconds[one] for one in (key, "bare", "floor")},
            "ours ÷ bare": round(ratio(seconds, key, "bare"), 3),
            "ours ÷ floor": round(ratio(seconds, key, "floor"), 3),
            "of the process: ours ÷ bare": round(min(used[key]) / min(used["bare"]), 3),
            "of the process: ours ÷ floor": round(min(used[key]) / min(used["floor"]), 3),
        }
        for key in METHODS
    ]


def main() -> None:
    parser = timed_parser(__doc__, rounds=5, net=NETS)
    parser.add_argument("--batch", type=int, help="fewer items than the batch of `attribution.py`")
    parser.add_argument("--dry", action="store_true", help="write no record")
    options = parser.parse_args()
    torch.backends.cudnn.benchmark = True
    for name in options.net:
        rows = measure(name, options.device, options.rounds, options.batch)
        for row in rows:
            print(json.dumps(row, ensure_ascii=False), flush=True)
        if not options.dry:
            replace("readings", options.device, rows, ("net", "method", "batch"), samples=SAMPLES)


if __name__ == "__main__":
    main()
