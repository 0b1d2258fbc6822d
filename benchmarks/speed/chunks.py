"""Passes of a network by how many rows go through it at a time: what the engine's own choice rests on.

    python benchmarks/speed/chunks.py [--device cuda] [--rounds 3] [--net efficientnet]

Milliseconds a row of a forward pass, and of a forward and backward pass to the input, in the passes that wavelens runs
(on a CPU channels last, norms lean), for 1 to 32 rows; the least of the rounds, which take turns. On a CPU they are
those of one thread, which what else the machine does adds little to. `own` is the number of rows that `attribute` takes
where no `batch_size` is given.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import timm
import torch
from attribution import NETS
from record import least, replace, timed_parser, turns
from torch import Tensor, nn

from wavelens.engine.fast_passes import FastPasses
from wavelens.engine.gradients import Gradients
from wavelens.models.networks.yamnet import YAMNet

ROWS = (1, 2, 4, 8, 16, 32)
CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    **NETS,
    "vit": (lambda: timm.create_model("vit_tiny_patch16_224"), (1, 3, 224, 224)),
    "yamnet": (YAMNet, (1, 1, 80000)),
}


def build(name: str, device: str) -> tuple[nn.Module, Tensor]:
    """The network, and as many signals as the largest chunk has."""
    torch.manual_seed(0)
    make, shape = CASES[name]
    return make().eval().to(device).requires_grad_(False), torch.rand(max(ROWS), *shape[1:], device=device)


def measure(name: str, device: str, rounds: int) -> list[dict[str, Any]]:
    net, x = build(name, device)
    with Gradients(net, x, 0) as ask:
        own = ask.rows
    with FastPasses(net, x) as fast:

        def forward(rows: int) -> None:
            with torch.no_grad():
                for piece in x.split(rows):
                    fast(piece)

        def both(rows: int) -> None:
            for piece in x.split(rows):
                points = piece.clone().requires_grad_()
                torch.autograd.grad(fast(points)[:, 0].sum(), points)

        tasks = {"forward": forward, "forward and backward": both}
        runs = {(task, rows): lambda f=f, rows=rows: f(rows) for task, f in tasks.items() for rows in ROWS}
        for run in runs.values():
            run()
        seconds = turns(runs, device, rounds, time.process_time if device == "cpu" else time.perf_counter)
    each = least(seconds, unit=1e-3 * len(x), digits=3)
    return [
        {"net": name, "own": own, "milliseconds a row": task, **{f"of {rows}": each[task, rows] for rows in ROWS}}
        for task in tasks
    ]


def main() -> None:
    options = timed_parser(__doc__, rounds=3, net=CASES).parse_args()
    torch.set_num_threads(1)
    for name in options.net:
        rows = measure(name, options.device, options.rounds)
        print(json.dumps(rows), flush=True)
        replace("chunks", options.device, rows, ("net",))


if __name__ == "__main__":
    main()
