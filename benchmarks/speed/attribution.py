"""WAM-SG and WAM-IG against the bare passes that they need, and against Captum at the same effort.

    python benchmarks/speed/attribution.py [--device cuda] [--rounds 5] [--net efficientnet]

Bare: n forward and backward passes to the input, parameters frozen, nothing else, in the same chunks and with the
model as it is given. Floor: the same in the passes that wavelens runs (on a CPU channels last, norms lean or folded),
and f(x). Captum: NoiseTunnel(Saliency) and IntegratedGradients in pixels at the same n and chunk, the model as a user
has it. Five: five wavelets asked for at once; the model's passes are the same ones in both, so theirs count as equal,
and what else a run does is compared beside them. Each round times all of them in turn; a ratio is that of the least
times. Peak memory is that of one run above what is held before it; on a CPU (Linux) each has a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import captum.attr
import timm
import torch
from timing import interleaved, peak, ratio, recorded, synchronise, write
from torch import Tensor, nn

import wavelens as wl
from wavelens.engine.fast_passes import FastPasses
from wavelens.engine.gradients import Gradients

SAMPLES = 25
HAAR = wl.DWT("haar", levels=3)
WAVELETS = ("haar", "db2", "db4", "sym4", "bior2.2")


class Volumes(nn.Module):
    """A small residual network for volumes: four stages of 16, 32, 64 and 128 channels."""

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 128)) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv3d(1, widths[0], 3, 2, 1, bias=False), nn.BatchNorm3d(widths[0]), nn.ReLU())
        pairs = zip((widths[0], *widths), widths, (1, 2, 2, 2), strict=False)
        self.stages = nn.Sequential(*[Block(*pair) for pair in pairs])
        self.head = nn.Linear(widths[-1], 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.stages(self.stem(x)).mean((2, 3, 4)))


class Block(nn.Module):
    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv3d(before, after, 3, stride, 1, bias=False),
            nn.BatchNorm3d(after),
            nn.ReLU(),
            nn.Conv3d(after, after, 3, 1, 1, bias=False),
            nn.BatchNorm3d(after),
        )
        same = stride == 1 and before == after
        self.skip = nn.Identity() if same else nn.Conv3d(before, after, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.skip(x))


NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "efficientnet": (lambda: timm.create_model("tf_efficientnet_lite0"), (8, 3, 224, 224)),
    "resnet18": (lambda: timm.create_model("resnet18"), (8, 3, 224, 224)),
    "volumes": (Volumes, (16, 1, 28, 28, 28)),
}
METHODS = {"WAM-SG": wl.SmoothGrad(samples=SAMPLES), "WAM-IG": wl.IntegratedGradients(steps=SAMPLES)}


def candidates(net: nn.Module, x: Tensor, method: str) -> dict[str, Callable[[], Any]]:
    rows = len(x)
    target = [0] * rows

    def ours(domain: Any = HAAR) -> Any:
        return wl.attribute(net, x, target, domain=domain, method=METHODS[method], batch_size=rows)

    def bare(ask: Callable[[Tensor], Tensor] = net) -> None:
        for p in net.parameters():
            p.requires_grad_(False)
        for _ in range(SAMPLES):
            point = x.clone().requires_grad_()  # each pass has an input of its own
            torch.autograd.grad(ask(point)[:, 0].sum(), point)
        for p in net.parameters():
            p.requires_grad_(True)

    def floor() -> None:
        with FastPasses(net, x) as fast:
            with torch.no_grad():
                fast(x)  # f(x) is asked for first: it shows what can be folded
            bare(fast)

    def theirs() -> Any:
        if method == "WAM-IG":
            return captum.attr.IntegratedGradients(net).attribute(
                x, target=0, n_steps=SAMPLES, internal_batch_size=rows
            )
        tunnel = captum.attr.NoiseTunnel(captum.attr.Saliency(net))
        return tunnel.attribute(
            x.clone().requires_grad_(), target=0, abs=False, nt_samples=SAMPLES, nt_samples_batch_size=1, stdevs=0.25
        )

    return {
        "ours": ours,
        "bare": bare,
        "floor": floor,
        "captum": theirs,
        "five": lambda: ours([wl.DWT(wavelet, levels=3) for wavelet in WAVELETS]),
    }


def build(name: str, device: str) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    make, shape = NETS[name]
    return make().eval().to(device), torch.rand(shape, device=device)


def peaks(name: str, method: str, device: str) -> dict[str, int]:
    if device.startswith("cuda"):
        net, x = build(name, device)
        runs = candidates(net, x, method)
        return {key: peak(runs[key], device) for key in ("bare", "ours")}
    command = [sys.executable, __file__, "--net", name, "--peak"]
    settings = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}  # free at once
    return {
        key: int(
            subprocess.run([*command, method, key], capture_output=True, text=True, check=True, env=settings).stdout
        )
        for key in ("bare", "ours")
    }


def parts(run: Callable[[], Any], device: str) -> tuple[float, float]:
    """Seconds that one run of ours spends in the model's passes, and in everything else."""
    spent = [0.0]

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            start = time.perf_counter()
            found = method(*args)
            synchronise(device)
            spent[0] += time.perf_counter() - start
            return found

        return call

    passes = {name: timed(getattr(Gradients, name)) for name in ("_forward", "_backward")}
    start = time.perf_counter()
    with mock.patch.multiple(Gradients, **passes):
        run()
    synchronise(device)
    return spent[0], time.perf_counter() - start - spent[0]


def measure(name: str, method: str, device: str, rounds: int) -> dict[str, Any]:
    net, x = build(name, device)
    runs = candidates(net, x, method)
    split: dict[str, list[tuple[float, float]]] = {"ours": [], "five": []}
    watched = {key: lambda key=key: split[key].append(parts(runs[key], device)) for key in split}
    seconds = interleaved(runs | watched, device, rounds)
    passes = min(model for found in split.values() for model, _ in found)
    one, five = (passes + min(rest for _, rest in split[key]) for key in ("ours", "five"))
    memory = peaks(name, method, device)
    return {
        "net": name,
        "method": method,
        "seconds": {key: round(min(values), 4) for key, values in seconds.items()},
        "ours ÷ bare": round(ratio(seconds, "ours", "bare"), 3),
        "ours ÷ floor": round(ratio(seconds, "ours", "floor"), 3),
        "ours ÷ Captum": round(ratio(seconds, "ours", "captum"), 3),
        "five wavelets ÷ one": round(five / one, 3),
        "peak memory, MB": {key: round(value / 1e6, 1) for key, value in memory.items()},
        "peak memory ÷ bare": round(memory["ours"] / memory["bare"], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--net", choices=NETS, nargs="*", default=list(NETS))
    parser.add_argument("--peak", nargs=2, metavar=("METHOD", "CANDIDATE"), help="print one candidate's peak memory")
    options = parser.parse_args()
    if options.peak:
        method, key = options.peak
        run = candidates(*build(options.net[0], options.device), method)[key]
        print(peak(run, options.device))
        return
    torch.backends.cudnn.benchmark = True
    for name in options.net:
        for method in METHODS:
            row = measure(name, method, options.device, options.rounds)
            print(json.dumps(row, ensure_ascii=False), flush=True)
            others = [r for r in recorded("attribution", options.device) if (r["net"], r["method"]) != (name, method)]
            write(
                "attribution",
                options.device,
                {"samples": SAMPLES, "captum": captum.__version__, "rows": [*others, row]},
            )


if __name__ == "__main__":
    main()
