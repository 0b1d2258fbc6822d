"""One measure of two source trees in turn, in processes of their own: what a change does to speed.

    python benchmarks/harness/two_trees.py BEFORE AFTER [--rounds 3] [--only attribution transforms domains]

BEFORE and AFTER are checkouts (`git worktree add BEFORE 54277e1`). Each process imports one tree's package, warms up
and prints the least processor times of one thread; processes alternate, every other round backwards. The measures are
here, so that both trees run the same: WAM-SG and WAM-IG of photos, clips and volumes in 25 samples; the DWT's
analysis, its synthesis, and that with its backward pass; analysis and synthesis in other domains.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[1]))
STEPS, REPEATS = 25, 5  # as many steps as the methods take by default
Runs = dict[str, Callable[[], Any]]


class Residual(nn.Module):
    """A convolution, a block with a sum, and a head, over any number of axes."""

    def __init__(self, axes: int, channels: int, width: int = 32) -> None:
        super().__init__()
        convolution = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[axes - 1]
        norm = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[axes - 1]

        def layer(before: int, stride: int) -> nn.Sequential:
            return nn.Sequential(convolution(before, width, 3, stride, 1, bias=False), norm(width), nn.ReLU())

        self.stem, self.first, self.second = layer(channels, 2), layer(width, 1), layer(width, 2)
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head(self.second(x + self.first(x)).flatten(2).mean(2))


def attributions() -> Runs:
    import timm

    import wavelens as wl

    torch.manual_seed(0)
    nets = {
        "efficientnet": (timm.create_model("tf_efficientnet_lite0"), (2, 3, 224, 224)),
        "resnet18": (timm.create_model("resnet18"), (1, 3, 224, 224)),
        "clip": (Residual(1, 1), (4, 1, 110250)),
        "volume": (Residual(3, 1), (4, 1, 28, 28, 28)),
    }
    methods = {"WAM-SG": wl.SmoothGrad(samples=STEPS), "WAM-IG": wl.IntegratedGradients(steps=STEPS)}
    runs: Runs = {}
    for name, (net, shape) in nets.items():
        net.eval()
        x = torch.rand(shape)
        for label, method in methods.items():

            def run(net: nn.Module = net, x: Tensor = x, method: Any = method) -> Any:
                return wl.attribute(net, x, 0, domain=wl.DWT("haar", levels=3), method=method, batch_size=len(x))

            runs[f"{name}, {label}"] = run
    return runs


def transforms() -> Runs:
    import wavelens as wl

    torch.manual_seed(0)
    shapes = {"sound": ((4, 1, 220500), 5), "image": ((16, 3, 224, 224), 3), "volume": ((4, 1, 64, 64, 64), 3)}
    runs: Runs = {}
    for name, (shape, levels) in shapes.items():
        for wavelet in ("haar", "db4"):
            for mode in ("periodization", "reflect"):
                domain, x = wl.DWT(wavelet, levels, mode), torch.randn(shape)
                c = domain.analysis(x)
                leaf = wl.Coefficients(c.data.clone().requires_grad_(), c.layout)
                label = f"{name}, {wavelet}, {mode}"
                runs[f"{label}, analysis"] = lambda domain=domain, x=x: domain.analysis(x)
                runs[f"{label}, synthesis"] = lambda domain=domain, c=c: domain.synthesis(c)
                runs[f"{label}, synthesis and backward"] = lambda domain=domain, leaf=leaf, x=x: torch.autograd.grad(
                    domain.synthesis(leaf), leaf.data, x
                )
    return runs


def domains() -> Runs:
    import wavelens as wl

    torch.manual_seed(0)
    sound, photos, points = torch.rand(4, 1, 110250), torch.rand(4, 3, 224, 224), torch.rand(1, 3, 10000)
    cases: list[tuple[Any, Tensor]] = [
        *((domain, sound) for domain in (wl.STFT("hann", 2048, 512), wl.ConstantQ(12, octaves=7), wl.Fourier())),
        *((domain, photos) for domain in (wl.Fourier(), wl.Cosine(), wl.Packets("db4", levels=3))),
        *((wl.Stationary(wavelet, levels=3), photos) for wavelet in ("haar", "db4")),
        *((domain, points) for domain in (wl.TreeHaar(), wl.GraphWavelets(order=60))),
    ]
    runs: Runs = {}
    for domain, x in cases:
        bound = domain.bind(x)
        c = bound.analysis(x)
        label = f"{domain}, {' × '.join(map(str, x.shape))}"
        runs[f"{label}, analysis"] = lambda bound=bound, x=x: bound.analysis(x)
        runs[f"{label}, synthesis"] = lambda bound=bound, c=c: bound.synthesis(c)
    return runs


MEASURES: dict[str, Callable[[], Runs]] = {
    "attribution": attributions,
    "transforms": transforms,
    "domains": domains,
}


def times(measure: str) -> dict[str, float]:
    """The least seconds of each run, in this process."""
    from harness.timing import turns

    torch.set_num_threads(1)
    runs = MEASURES[measure]()
    for run in runs.values():
        run()
    repeats = 1 if measure == "attribution" else REPEATS
    return {name: min(values) for name, values in turns(runs, "cpu", repeats, time.process_time).items()}


def in_tree(tree: Path, measure: str) -> dict[str, float]:
    """The same in a process that imports the package of `tree`."""
    settings = {**os.environ, "PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE), "--time", measure]
    done = subprocess.run(command, env=settings, stdout=subprocess.PIPE, text=True, check=True)
    seconds: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return seconds


def compared(trees: dict[str, Path], measure: str, rounds: int) -> list[dict[str, Any]]:
    """Rows of after ÷ before, each of the least over rounds."""
    from harness.machine import commit

    commits = " → ".join(commit(tree) or "no commit" for tree in trees.values())
    least: dict[str, dict[str, float]] = {name: {} for name in trees}
    for turn in range(rounds):
        for name, tree in list(trees.items())[:: -1 if turn % 2 else 1]:
            for run, seconds in in_tree(tree, measure).items():
                least[name][run] = min(seconds, least[name].get(run, seconds))
    rows = []
    for run, before in least["before"].items():
        after = least["after"][run]
        ms = {"before": round(1e3 * before, 3), "after": round(1e3 * after, 3)}
        rows.append(
            {
                "measure": measure,
                "run": run,
                "commits": commits,
                "after ÷ before": round(after / before, 3),
                "milliseconds": ms,
            }
        )
    return rows


def main() -> None:
    from harness.arguments import parser
    from harness.machine import load
    from harness.records import ROOT, read, write
    from harness.timing import geometric_mean

    known = parser(__doc__)
    known.add_argument("trees", type=Path, nargs="*", metavar="BEFORE AFTER")
    known.add_argument("--rounds", type=int, default=3)
    known.add_argument("--only", choices=MEASURES, nargs="*", default=list(MEASURES))
    known.add_argument("--time", choices=MEASURES, help="print the times of the tree that is imported")
    options = known.parse_args()
    if options.time:
        print(json.dumps(times(options.time)))
        return
    if len(options.trees) != 2:
        known.error("two trees are compared: BEFORE AFTER")
    torch.set_num_threads(1)
    trees = dict(zip(("before", "after"), (tree.resolve() for tree in options.trees), strict=True))
    before = load()
    rows = [row for measure in options.only for row in compared(trees, measure, options.rounds)]
    for measure in options.only:
        ratios = [row["after ÷ before"] for row in rows if row["measure"] == measure]
        print(f"{measure}: after ÷ before {geometric_mean(ratios):.3f}, {min(ratios)} to {max(ratios)}")
    path = ROOT / "benchmarks" / "speed" / "results" / "two_trees-cpu.json"
    kept = [row for row in read(path).get("rows", []) if row["measure"] not in options.only]
    print(write(path, {"load": before, "rounds": options.rounds, "rows": [*kept, *rows]}))


if __name__ == "__main__":
    main()
