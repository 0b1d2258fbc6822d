"""WAM-SG and WAM-IG against the bare passes that they need, and against Captum at the same effort.

    python benchmarks/speed/attribution.py [--device cuda] [--rounds 5] [--net efficientnet]

Bare: n forward and backward passes to the input, parameters frozen, nothing else, in the same chunks and with the
model as it is given. Floor: the same in the passes that wavelens runs (on a CPU channels last, norms lean or folded),
and f(x). Captum: NoiseTunnel(Saliency) and IntegratedGradients in pixels at the same n and chunk, the model as a user
has it; and once more on a copy whose parameters are frozen, model and input in channels-last memory. Five: five
wavelets asked for at once. Each round times all of them in turn; a ratio is that of the least times. Peak memory is
that of one run above what is held before it; on a CPU (Linux) each has a process of its own.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import bare
import captum.attr
import timm
import torch
from record import against, interleaved, least, peak, peaks_apart, ratio, replace, synchronise, timed_parser
from torch import Tensor, nn

import wavelens as wl
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
LAST = {4: torch.channels_last, 5: torch.channels_last_3d}  # by the number of dimensions
METHODS = {"WAM-SG": wl.SmoothGrad(samples=SAMPLES), "WAM-IG": wl.IntegratedGradients(steps=SAMPLES)}


def candidates(net: nn.Module, x: Tensor, method: str) -> dict[str, Callable[[], Any]]:
    rows = len(x)
    target = [0] * rows

    def ours(domain: Any = HAAR) -> Any:
        return wl.attribute(net, x, target, domain=domain, method=METHODS[method], batch_size=rows)

    def theirs(model: nn.Module, x: Tensor) -> Any:
        if method == "WAM-IG":
            return captum.attr.IntegratedGradients(model).attribute(
                x, target=0, n_steps=SAMPLES, internal_batch_size=rows
            )
        tunnel = captum.attr.NoiseTunnel(captum.attr.Saliency(model))
        return tunnel.attribute(
            x.clone().requires_grad_(), target=0, abs=False, nt_samples=SAMPLES, nt_samples_batch_size=1, stdevs=0.25
        )

    order = LAST[x.ndim]
    frozen = copy.deepcopy(net).requires_grad_(False).to(memory_format=order)
    last = x.contiguous(memory_format=order)
    return {
        "ours": ours,
        "bare": lambda: bare.passes(net, x, SAMPLES),
        "floor": lambda: bare.floor(net, x, SAMPLES),
        "captum": lambda: theirs(net, x),
        "captum, frozen, channels-last": lambda: theirs(frozen, last),
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
    return peaks_apart(__file__, ["--net", name, "--peak", method], ("bare", "ours"))


def parts(run: Callable[[], Any], device: str, clock: Callable[[], float] = time.perf_counter) -> tuple[float, float]:
    """Seconds that one run of ours spends in the model's passes, and in everything else."""
    spent = [0.0]

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            start = clock()
            result = method(*args)
            synchronise(device)
            spent[0] += clock() - start
            return result

        return call

    passes = {name: timed(getattr(Gradients, name)) for name in ("_forward", "_backward")}
    start = clock()
    with mock.patch.multiple(Gradients, **passes):
        run()
    synchronise(device)
    return spent[0], clock() - start - spent[0]


def measure(name: str, method: str, device: str, rounds: int) -> dict[str, Any]:
    net, x = build(name, device)
    runs = candidates(net, x, method)
    seconds = interleaved(runs, device, rounds)
    memory = peaks(name, method, device)
    return {
        "net": name,
        "method": method,
        "seconds": least(seconds),
        "ours ÷ bare": round(ratio(seconds, "ours", "bare"), 3),
        "ours ÷ floor": round(ratio(seconds, "ours", "floor"), 3),
        "ours ÷ Captum": round(ratio(seconds, "ours", "captum"), 3),
        "ours ÷ Captum, frozen, channels-last": round(ratio(seconds, "ours", "captum, frozen, channels-last"), 3),
        "five wavelets ÷ one": round(ratio(seconds, "five", "ours"), 3),
        **against(memory),
    }


def main() -> None:
    parser = timed_parser(__doc__, rounds=5, net=NETS)
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
            header = {"samples": SAMPLES, "captum": captum.__version__}
            replace("attribution", options.device, [row], ("net", "method"), **header)


if __name__ == "__main__":
    main()
