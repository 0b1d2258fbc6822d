"""WAM-SG in each domain against the bare passes that it needs: a photo, one clip and eight of 5 s, eight clouds.

    python benchmarks/speed/in_domains.py [--rounds 3] [--case photo]

Photo: EfficientNet-lite0 and 224 × 224 pixels; clips: those of sound.py and its network, whose passes are short, at
44.1 kHz; "YAMNet": one clip of 5 s at its 16 kHz; clouds: 4,096 points and a PointNet without transforms (Qi et al.,
2017). n = 25. Bare: the model's own passes, as it is given, and nothing else. The passes of ours are the same in every
domain, are timed inside each run, and count as equal: ours ÷ bare is those and the rest of a run, over bare, and ours ÷
its passes is what all but the model costs, in `Identity()` the noise and the statistics. Noise is drawn once for all
items; on a CPU that of small inputs is kept, so runs after the first, as of a folder of clips, do not draw it. A run
transforms four sums of gradients: three tell the standard error. Trees and graphs are made anew in each run. Processor
times of one thread, the least of the rounds, in which all take turns.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import attribution
import bare
import sound
import torch
from record import replace, rounded, timed_parser, turns
from torch import Tensor, nn

import wavelens as wl
from wavelens.models.networks.yamnet import RATE, YAMNet

SAMPLES = 25
CLIPS: list[wl.Domain] = [
    wl.Identity(),
    wl.DWT("haar", levels=5),
    wl.Fourier(),
    wl.Cosine(),
    wl.STFT("hann", 2048, 512),
    wl.ConstantQ(12, octaves=7),
    wl.ConstantQ(3),
    wl.Packets("db4", levels=5),
    wl.Stationary("db4", levels=5),
    wl.DualTree(levels=5),
]
DOMAINS: dict[str, list[wl.Domain]] = {
    "photo": [
        wl.Identity(),
        wl.DWT("haar", levels=5),
        wl.Fourier(),
        wl.Cosine(),
        wl.Packets("db4", levels=3),
        wl.Stationary("haar", levels=3),
        wl.Stationary("db4", levels=3),
        wl.Shifted(wl.DWT("haar", levels=3), tuple(range(8))),
        wl.DualTree(levels=4),
        wl.Shearlets(4),
    ],
    "clip": CLIPS,
    "YAMNet": CLIPS,
    "clips": CLIPS,
    "clouds": [wl.Identity(), wl.TreeHaar(), wl.GraphWavelets(levels=4, order=60)],
}


def pointnet() -> nn.Module:
    """Shared layers of 64 to 1024 channels, the maximum over the points, and three layers for 40 classes."""
    layers: list[nn.Module] = []
    for before, after in ((3, 64), (64, 64), (64, 64), (64, 128), (128, 1024)):
        layers += [nn.Conv1d(before, after, 1), nn.BatchNorm1d(after), nn.ReLU()]
    head = [nn.Linear(1024, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 40)]
    return nn.Sequential(*layers, nn.AdaptiveMaxPool1d(1), nn.Flatten(), *head).eval()


def build(case: str) -> tuple[nn.Module, Tensor]:
    if case == "YAMNet":
        torch.manual_seed(0)
        return YAMNet().eval(), torch.randn(1, 1, 5 * RATE) / 10
    if case.startswith("clip"):
        net, x = sound.build("cpu")
        return net, x if case == "clips" else x[:1]
    if case == "clouds":
        torch.manual_seed(0)
        return pointnet(), torch.rand(8, 3, 4096)
    net, x = attribution.build("efficientnet", "cpu")
    return net, x[:1]


def measure(case: str, rounds: int) -> list[dict[str, Any]]:
    net, x = build(case)
    split: dict[wl.Domain, list[tuple[float, float]]] = {domain: [] for domain in DOMAINS[case]}

    def ours(domain: wl.Domain) -> Any:
        return wl.attribute(net, x, 0, domain=domain, method=wl.SmoothGrad(samples=SAMPLES), batch_size=len(x))

    def timed(domain: wl.Domain) -> None:
        split[domain].append(attribution.parts(partial(ours, domain), "cpu", time.process_time))

    runs: dict[Any, Callable[[], Any]] = {"bare": lambda: bare.passes(net, x, SAMPLES)}
    runs |= {domain: partial(timed, domain) for domain in split}
    ours(wl.Identity())
    seconds = turns(runs, "cpu", rounds, time.process_time)
    passes = min(model for several in split.values() for model, _ in several)
    rows = []
    for domain, several in split.items():
        rest = min(rest for _, rest in several[-max(1, rounds - 1) :])  # the first call fills caches
        rows.append(
            {
                "case": case,
                "domain": repr(domain),
                "ours ÷ bare": round((passes + rest) / min(seconds["bare"]), 3),
                "ours ÷ its passes": round((passes + rest) / passes, 3),
                "seconds": rounded({"bare": min(seconds["bare"]), "passes": passes, "rest": rest}),
            }
        )
    return rows


def main() -> None:
    options = timed_parser(__doc__, rounds=3, case=DOMAINS).parse_args()
    torch.set_num_threads(1)
    for case in options.case:
        rows = measure(case, options.rounds)
        for row in rows:
            print(json.dumps(row, ensure_ascii=False), flush=True)
        replace("in_domains", options.device, rows, ("case",), samples=SAMPLES)


if __name__ == "__main__":
    main()
