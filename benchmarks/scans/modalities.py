"""Which scan of four the volume of a lesion's core comes from, where it is known which one shows it.

    python benchmarks/scans/modalities.py

No patients are at hand, so these are phantoms: a head with ventricles, and a lesion whose oedema differs from healthy
tissue in two of four scans. Its core differs from the oedema in one scan alone: a different one in each of four
settings. For each a small UNet (MONAI's) is trained, one seed, on phantoms of its own, and says how well it segments.

Of further phantoms the sum of the core's logits in its predicted region is explained by integrated gradients in a Haar
DWT of two levels. The account's sums by scan are compared with exact Shapley values (16 passes: a scan that is away is
its own mean) and with which scan shows the core by construction; controls are each scan's energy in the region and
chance. `own scan's share` is the part of Σ|sum| over scans that is the right one's.
"""

from __future__ import annotations

import itertools
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.networks.nets import UNet
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness import records, rows
from harness.arguments import sized
from harness.intervals import interval

import wavelens as wl

SMALL = {"items": 40, "steps": 240, "seed": 0}
RESULTS = Path(__file__).parent / "results"
SCANS = ("t1", "t1ce", "t2", "flair")
AXES = (24, 24, 16)
HELD_OUT = 100_000  # phantoms from this seed on are never trained on
Array = Any


def phantom(seed: int, shown_by: int) -> tuple[Array, Array]:
    """Four scans `(4, *axes)`, each minus its mean over its deviation, and labels: 0 rest, 1 oedema, 2 core."""
    random = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*map(np.arange, AXES), indexing="ij")).astype(float)
    half = np.array(AXES).reshape(3, 1, 1, 1) / 2
    head = (((grid - half) / (0.9 * half)) ** 2).sum(0) < 1
    ventricles = (((grid - half) / np.reshape((2, 4, 2), (3, 1, 1, 1))) ** 2).sum(0) < 1
    centre, radius = random.uniform((8, 7, 6), (16, 17, 10)), random.uniform(3.5, 5.0)
    inside = centre + random.uniform(-0.5, 0.5, 3) * radius
    oedema = _ball(grid, centre, radius) & head
    core = _ball(grid, inside, 0.5 * radius) & oedema & (random.random() < 0.75)
    scans = np.zeros((len(SCANS), *AXES))
    for k, (tissue, fluid) in enumerate(((100, 40), (100, 40), (90, 190), (90, 40))):
        scans[k][head], scans[k][ventricles] = tissue, fluid
        scans[k][oedema] += 70 if k >= 2 else 0
        scans[k][core] += 90 if k == shown_by else 0
    scans += random.normal(0, 6, scans.shape)
    flat = scans.reshape(len(SCANS), -1)
    scaled = (flat - flat.mean(1, keepdims=True)) / flat.std(1, keepdims=True)
    return scaled.reshape(scans.shape).astype(np.float32), oedema.astype(int) + core


def _ball(grid: Array, centre: Array, radius: float) -> Array:
    return ((grid - centre.reshape(3, 1, 1, 1)) ** 2).sum(0) < radius**2


def phantoms(seeds: range, shown_by: int) -> tuple[Tensor, Tensor]:
    made = [phantom(seed, shown_by) for seed in seeds]
    return tuple(torch.from_numpy(np.stack(part)) for part in zip(*made, strict=True))  # type: ignore[return-value]


def trained(shown_by: int, steps: int, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    net = UNet(3, len(SCANS), 3, channels=(8, 16), strides=(2,), num_res_units=1)
    optimizer = torch.optim.Adam(net.parameters(), 0.02)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        x, y = phantoms(range(2 * step, 2 * step + 2), shown_by)
        loss = nn.functional.cross_entropy(net(x), y, weight=torch.tensor([0.2, 1.0, 2.0]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    return net.eval().requires_grad_(False)


def dice(net: nn.Module, x: Tensor, y: Tensor, label: int) -> list[float]:
    predicted = torch.cat([net(one[None]).argmax(1) for one in x]) == label
    both, sizes = (predicted & (y == label)).flatten(1).sum(1), predicted.flatten(1).sum(1)
    values: list[float] = (2 * both / (sizes + (y == label).flatten(1).sum(1)).clamp_min(1)).tolist()
    return values


def row(scan: str, *, items: int, steps: int, seed: int) -> rows.Row:
    own = SCANS.index(scan)
    net = trained(own, steps, seed)
    x, y = phantoms(range(HELD_OUT, HELD_OUT + items), own)
    cells = [cell for one in x if (cell := explained(net, one[None])) is not None]
    account, exact, energy, gaps = (torch.tensor(part) for part in zip(*cells, strict=True))
    right = torch.full((len(account),), own)
    return {
        "phantoms": items,
        "with a predicted core": len(cells),
        "Dice of oedema": interval(dice(net, x, y, 1)),
        "Dice of core": interval(dice(net, x, y, 2)),
        "gap, part of the rise": interval(gaps.tolist()),
        "largest scan is the right one": {
            name: interval((values.argmax(1) == right).double().tolist())
            for name, values in (("account", account), ("Shapley", exact), ("energy", energy))
        }
        | {"chance": round(1 / len(SCANS), 4)},
        "own scan's share": {
            name: interval((values.abs()[:, own] / values.abs().sum(1)).tolist())
            for name, values in (("account", account), ("Shapley", exact), ("energy", energy))
        },
        "correlation of account and Shapley": interval(
            [float(torch.corrcoef(torch.stack(pair))[0, 1]) for pair in zip(account, exact, strict=True)]
        ),
    }


def explained(net: nn.Module, x: Tensor) -> tuple[list[float], list[float], list[float], float] | None:
    """Sums by scan, exact Shapley values, energy in the region, and the gap over the rise; None without a core."""
    logits = net(x)
    if not (logits.argmax(1) == 2).any():
        return None
    target = wl.targets.predicted_region(logits, 2)
    a = wl.attribute(net, x, target, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients(tolerance=0.02))
    account = wl.maps.profile(a, by_channel=True).signed.sum(-1)[0]
    mask = wl.targets.predicted_mask(logits, 2)[0]
    energy = (x[0] * mask).square().flatten(1).sum(1)
    gap = float((a.gap / (a.score - a.baseline_score)).abs())
    return account.tolist(), shapley(net, x, target), energy.tolist(), gap


@torch.no_grad()
def shapley(net: nn.Module, x: Tensor, target: wl.targets.ByItem) -> list[float]:
    """Exact Shapley values of the scans."""
    n, item = x.shape[1], torch.tensor([0])
    sets = list(itertools.product((0.0, 1.0), repeat=n))
    value = {s: float(wl.targets.scores(target, net(x * torch.tensor(s).view(-1, 1, 1, 1)), item)[0]) for s in sets}
    exact = [0.0] * n
    for s, player in itertools.product(sets, range(n)):
        if not s[player]:
            size = int(sum(s))
            joined = (*s[:player], 1.0, *s[player + 1 :])
            exact[player] += (value[joined] - value[s]) / (n * math.comb(n - 1, size))
    return exact


def main(argv: list[str] | None = None) -> None:
    given = sized(__doc__, SMALL, {}, RESULTS, argv)
    settings = {"items": given.items, "steps": given.steps, "seed": given.seed}
    keys = [{"scan": scan} for scan in SCANS]
    made = rows.each(rows.place("modalities"), settings, keys, lambda **key: row(**key, **settings))
    drop = ("key", "settings", "seconds")
    found = {one["key"]["scan"]: {k: v for k, v in one.items() if k not in drop} for one in made}
    print(records.write(given.results / "modalities.json", {"settings": settings, "core shown by": found}))


if __name__ == "__main__":
    main()
