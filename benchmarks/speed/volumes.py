"""WAM-SG and WAM-IG on volumes, against the bare passes that they need and against transforms in the sample loop.

    python benchmarks/speed/volumes.py [--device cuda] [--rounds 1] [--samples 10] [--case resnet18-64 …]

A part at a time, each some minutes on two cores (an estimate: one pass of one volume of 64³ takes 2.4 s, of 128³ 20 s):

    python benchmarks/speed/volumes.py --case resnet18-64 --method WAM-SG --only time --volumes 1 --rounds 2
    python benchmarks/speed/volumes.py --case resnet18-128 --method WAM-SG --only time --samples 3
    python benchmarks/speed/volumes.py --case resnet18-128 --method WAM-SG --only memory

All parts of a case take the same --volumes.

Networks: MONAI's ResNet-18 for volumes, and 'patches', one convolution with stride 8, whose passes cost so little that
the rest is seen. n = 10 unless told, Haar with 2 levels.

Bare: n forward and backward passes to the input for all volumes at once, parameters frozen, nothing else. Loop: what
the authors' released code does (github.com/gabrielkasmi/wam, lib/wam_3D.py), in its plainest form; `looped` names each
trait. The candidates take turns after one pass of each, every other round backwards; a ratio is of the least times.
With fewer samples a transform counts for more, so `ours ÷ bare` is no smaller than with ten. Peak memory is that of one
run above what is held before it, with 2 samples; on a CPU (Linux) each is read in a process of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import bare
import numpy as np
import ptwt
import torch
from record import against, least, peak, peaks_apart, ratio, recorded, replace, timed_parser, turns
from torch import Tensor, nn

import wavelens as wl

SAMPLES = 10
LEVELS = 2
METHODS = ("WAM-SG", "WAM-IG")
Candidate = Callable[[int], Any]  # of how many samples


class Patches(nn.Module):
    """One convolution of 8³ patches, and a linear layer over the mean."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.head = nn.Conv3d(1, 16, 8, stride=8), nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.patches(x)).mean((2, 3, 4)))


def resnet18() -> nn.Module:
    from monai.networks.nets import resnet18 as build

    return build(spatial_dims=3, n_input_channels=1, num_classes=2)


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "resnet18-64": (resnet18, (2, 1, 64, 64, 64)),
    "resnet18-128": (resnet18, (1, 1, 128, 128, 128)),
    "patches-64": (Patches, (8, 1, 64, 64, 64)),
    "patches-128": (Patches, (4, 1, 128, 128, 128)),
}


def build(case: str, device: str, volumes: int | None) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    make, (usual, *shape) = CASES[case]
    return make().eval().to(device), torch.rand(volumes or usual, *shape, device=device)


def candidates(net: nn.Module, x: Tensor, method: str) -> dict[str, Candidate]:
    rows, target = len(x), [0] * len(x)
    domain = wl.DWT("haar", levels=LEVELS)

    def ours(samples: int) -> Any:
        how = wl.SmoothGrad(samples=samples) if method == "WAM-SG" else wl.IntegratedGradients(steps=samples)
        return wl.attribute(net, x, target, domain=domain, method=how, batch_size=rows)

    def loop(samples: int) -> Any:
        return looped(net, x, method, samples)

    return {"ours": ours, "bare": lambda samples: bare.passes(net, x, samples), "loop": loop}


def looped(net: nn.Module, x: Tensor, method: str, samples: int) -> Any:
    """Equation 7 or 8, `(volumes, coefficients)`. As released:

    - volumes and transforms stay on the CPU, and only what is rebuilt goes to the device of the network;
    - noise is drawn volume by volume by NumPy, in float64;
    - in every sample ptwt takes each volume apart on its own (a path scales the coefficients of one transform) and puts
      it together again, mode "symmetric"; the network sees all volumes at once;
    - parameters are not frozen, and their gradients are never cleared;
    - each sample hands the gradients and the coefficients to NumPy, where they are packed into one array a volume;
      those of a path are all kept.
    """
    volumes = x.cpu()
    whole = [ptwt.wavedec3(volume, "haar", level=LEVELS, mode="symmetric") for volume in volumes]
    own = np.stack([packed([c.numpy() for c in flat(one)]) for one in whole])
    if method == "WAM-SG":
        total = np.zeros_like(own)
        for _ in range(samples):
            parts = [ptwt.wavedec3(v, "haar", level=LEVELS, mode="symmetric") for v in noisy(volumes)]
            total += gradients(net, parts, x.device)
        return total / samples
    path = np.empty((len(own), samples, own.shape[1]), dtype=own.dtype)
    for k in range(samples):
        path[:, k] = gradients(net, [scaled(one, k / max(1, samples - 1)) for one in whole], x.device)
    return own * np.trapezoid(np.nan_to_num(path), axis=1) / max(1, samples - 1)


def noisy(volumes: Tensor) -> Tensor:
    """Each volume with noise of its own scale."""
    found = torch.zeros(volumes.shape)
    for i, volume in enumerate(volumes):
        spread = 0.25 * float(volume.max() - volume.min())
        noise = np.random.normal(0, spread, volume.shape)  # noqa: NPY002
        found[i] = volume + torch.from_numpy(noise.astype(np.float32))
    return found


def scaled(coefficients: Any, place: float) -> list[Any]:
    first, *details = coefficients
    return [first * place, *({key: part * place for key, part in level.items()} for level in details)]


def gradients(net: nn.Module, several: list[Any], device: Any) -> Any:
    """Of one class, for the coefficients of every volume, packed."""
    for coefficients in several:
        for part in flat(coefficients):
            part.requires_grad_()
    rebuilt = torch.stack([ptwt.waverec3(coefficients, "haar") for coefficients in several])
    net(rebuilt.to(device))[:, 0].sum().backward()
    for coefficients in several:
        packed([part.detach().numpy() for part in flat(coefficients)])
    return np.stack([packed([part.grad.numpy() for part in flat(coefficients)]) for coefficients in several])


def packed(parts: list[Any]) -> Any:
    return np.concatenate([part.ravel() for part in parts])


def flat(coefficients: Any) -> list[Tensor]:
    first, *details = coefficients
    return [first, *(level[key] for level in details for key in sorted(level))]


def check(case: str, device: str, volumes: int | None) -> float:
    """How far the loop's integrated gradients are from ours, relative to the largest: both compute the same."""
    net, x = build(case, device, volumes)
    method = wl.IntegratedGradients(steps=3, quadrature="trapezoid")
    ours = wl.attribute(net, x, 0, domain=wl.DWT("haar", LEVELS, "symmetric"), method=method).data.cpu()
    return float((ours[:, 0] - torch.from_numpy(looped(net, x, "WAM-IG", 3))).abs().max() / ours.abs().max())


def timed(runs: dict[str, Candidate], samples: int, device: str, rounds: int) -> dict[str, list[float]]:
    """Seconds of each, in turns, after one sample of each."""
    for run in runs.values():
        run(1)
    return turns({name: partial(run, samples) for name, run in runs.items()}, device, rounds)


def peaks(case: str, method: str, device: str, volumes: int | None) -> dict[str, int]:
    names = ("bare", "ours", "loop")
    if device.startswith("cuda"):
        runs = candidates(*build(case, device, volumes), method)
        return {key: peak(lambda run=runs[key]: run(2), device) for key in names}
    count = ["--volumes", str(volumes)] if volumes else []
    return peaks_apart(__file__, ["--case", case, *count, "--peak", method], names)


def measure(case: str, method: str, samples: int, device: str, rounds: int, volumes: int | None) -> dict[str, Any]:
    net, x = build(case, device, volumes)
    seconds = timed(candidates(net, x, method), samples, device, rounds)
    return {
        "volumes": len(x),
        "samples": samples,
        "seconds": least(seconds, digits=3),
        "ours ÷ bare": round(ratio(seconds, "ours", "bare"), 3),
        "loop ÷ ours": round(ratio(seconds, "loop", "ours"), 2),
    }


def remember(case: str, method: str, device: str, found: dict[str, Any]) -> None:
    """Puts what was found into the row of the case, and leaves the rest of the record as it is."""
    old = next((r for r in recorded("volumes", device) if (r["case"], r["method"]) == (case, method)), {})
    if "seconds" in found:
        old = {key: value for key, value in old.items() if key != "on"}  # another machine, which the times came from
    print(json.dumps(found, ensure_ascii=False), flush=True)
    replace("volumes", device, [{**old, **found}], ("case", "method"), levels=LEVELS)


def main() -> None:
    parser = timed_parser(__doc__, rounds=1, case=CASES, method=METHODS)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--volumes", type=int, help="how many at once, in place of the case's own number")
    parser.add_argument(
        "--only", choices=("time", "memory", "agreement"), help="one of the three; the others' record is kept"
    )
    parser.add_argument("--peak", nargs=2, metavar=("METHOD", "CANDIDATE"), help="print one candidate's peak memory")
    options = parser.parse_args()
    if options.peak:
        method, key = options.peak
        run = candidates(*build(options.case[0], options.device, options.volumes), method)[key]
        print(peak(lambda: run(2), options.device))
        return
    for case in options.case:
        for method in options.method:
            row: dict[str, Any] = {"case": case, "method": method}
            if options.only in (None, "time"):
                row |= measure(case, method, options.samples, options.device, options.rounds, options.volumes)
            if options.only in (None, "memory"):
                memory = peaks(case, method, options.device, options.volumes)
                row |= against(memory)
            if options.only in (None, "agreement") and method == "WAM-IG":
                row["loop from ours"] = f"{check(case, options.device, options.volumes):.1e}"
            remember(case, method, options.device, row)


if __name__ == "__main__":
    main()
