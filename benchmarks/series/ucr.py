"""UCR and UEA sets: short and odd lengths (24, 100, 150, 251), and six channels of movement.

    python benchmarks/series/ucr.py

All test series of GunPoint, ArrowHead and BasicMotions, the first 150 of ItalyPowerDemand, are explained for the class
that the network names: integrated gradients in octaves and in samples (pixel-wise). Faithfulness (insertion less
deletion) is measured in wavelets and in samples, from zero on uniform fractions (the paper's) and from shuffled starts
on log-spaced ones; controls are the energy order and a random one. Nobody knows the truth here: these figures say what
a network loses, not where its evidence lies.

BasicMotions' six channels (accelerometer x, y, z, gyroscope x, y, z) are players of a game as well: exact Shapley
values by 64 passes say what happens to the logit when channels come and go; the account's sums by channel are compared
with them.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import recordings
import torch
from recordings import rows
from torch import Tensor, nn

import wavelens as wl
from wavelens.explaining import kind_called

SMALL = {"items": 150, "steps": 64, "seed": 0}
SETS = ("ItalyPowerDemand", "BasicMotions", "GunPoint", "ArrowHead")
MEASURES = {"zero, uniform": {}, "shuffled, log": {"fill": "shuffled", "fractions": "log", "samples": 2}}
CURVE_STEPS = 16


def network(name: str) -> nn.Module:
    data = recordings.ucr()
    channels, classes = data[f"{name}.test.x"].shape[1], len(data[f"{name}.classes"])
    return recordings.filled(recordings.FCN(channels, classes), f"more/series/fcn_{name.lower()}.safetensors")


def row(name: str, *, items: int, steps: int, seed: int) -> rows.Row:
    net, data = network(name), recordings.ucr()
    every, labels = torch.from_numpy(data[f"{name}.test.x"]), torch.from_numpy(data[f"{name}.test.y"]).long()
    with torch.no_grad():
        right = (net(every).argmax(1) == labels).double()
    x = every[:items]
    with torch.no_grad():
        target = net(x).argmax(1)
    length = x.shape[-1]
    octaves = kind_called("series").domain((length,))
    domains = {"wavelets": octaves, "samples": wl.Identity()}
    read = dict(
        zip(
            domains,
            wl.attribute(net, x, target, domain=list(domains.values()), method=wl.IntegratedGradients(steps=steps)),
            strict=True,
        )
    )
    a = read["wavelets"]
    rise = (a.score - a.baseline_score).abs().clamp_min(1e-9)
    orders = {f"IG, {space}": made for space, made in read.items()}
    for space, domain in domains.items():
        z = domain.analysis(x)
        orders[f"energy, {space}"] = z
        orders[f"random, {space}"] = random_order(z, seed)
    row: dict[str, Any] = {
        "accuracy": recordings.interval(right.tolist()),
        "length": length,
        "domain": repr(octaves),
        "items": len(x),
        "gap, part of the rise": recordings.interval((a.gap.abs() / rise).tolist()),
        "share": {
            k: recordings.interval(v.tolist())
            for k, v in zip(a.layout.scales(), wl.maps.profile(a).share.T, strict=True)
        },
    }
    for space, domain in domains.items():
        for measure, options in MEASURES.items():
            scores = {
                label: wl.metrics.faithfulness(
                    net, x, target, c, domain=domain, steps=CURVE_STEPS, seed=seed, **options
                )
                for label, c in orders.items()
                if space == "wavelets" or label.endswith("samples")
            }
            cell = {label: recordings.interval(values.tolist()) for label, values in scores.items()}
            best = scores[f"IG, {space}"]
            cell[f"IG, {space} less energy"] = recordings.interval((best - scores[f"energy, {space}"]).tolist())
            if space == "wavelets":
                cell["IG, wavelets less IG, samples"] = recordings.interval((best - scores["IG, samples"]).tolist())
            row[f"faithfulness in {space}, {measure}"] = cell
    if x.shape[1] > 1:
        row["channels"] = by_channel(net, x, target, a)
    return row


def random_order(z: wl.Coefficients, seed: int) -> wl.Coefficients:
    source = torch.Generator().manual_seed(seed)
    return z.map(lambda data: torch.rand(data.shape, generator=source, dtype=torch.float64).to(data))


def by_channel(net: nn.Module, x: Tensor, target: Tensor, a: wl.Attribution) -> dict[str, Any]:
    """Sums by channel against exact Shapley values from a start of zeros."""
    sums = wl.maps.profile(a, by_channel=True).signed.sum(-1)
    exact = shapley(net, x, target)
    energy = x.square().sum(-1)
    largest = exact.argmax(1)
    pairs = torch.stack([sums.flatten(), exact.flatten()])
    return {
        "correlation of account and Shapley": round(float(torch.corrcoef(pairs)[0, 1]), 4),
        "same largest channel": recordings.interval((sums.argmax(1) == largest).double().tolist()),
        "same largest channel, by energy": recordings.interval((energy.argmax(1) == largest).double().tolist()),
        "same largest channel, by chance": round(1 / x.shape[1], 4),
        "same sign": recordings.interval(((sums > 0) == (exact > 0)).double().mean(1).tolist()),
    }


@torch.no_grad()
def shapley(net: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """Exact Shapley values of the channels, `(items, channels)`."""
    n = x.shape[1]
    sets = list(itertools.product((0.0, 1.0), repeat=n))
    value = {s: net(x * torch.tensor(s)[:, None]).gather(1, target[:, None])[:, 0] for s in sets}
    exact = torch.zeros(len(x), n)
    for s in sets:
        size = int(sum(s))
        for player in range(n):
            if not s[player]:
                joined = (*s[:player], 1.0, *s[player + 1 :])
                weight = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
                exact[:, player] += weight * (value[joined] - value[s])
    return exact


def main(argv: list[str] | None = None) -> None:
    given = recordings.sized(__doc__, SMALL, {}, recordings.RESULTS, argv)
    settings = {"items": given.items, "steps": given.steps, "seed": given.seed, "curve steps": CURVE_STEPS}
    keys = [{"name": name} for name in SETS]
    made = rows.each(
        rows.place("ucr"),
        settings,
        keys,
        lambda **key: row(**key, items=given.items, steps=given.steps, seed=given.seed),
    )
    drop = ("key", "settings", "seconds")
    sets = {one["key"]["name"]: {k: v for k, v in one.items() if k not in drop} for one in made}
    print(recordings.records.write(given.results / "ucr.json", {"settings": settings, "sets": sets}))


if __name__ == "__main__":
    main()
