"""PhaseNet: which component and which band carry a P and an S pick, and where, against the analysts' times.

    python benchmarks/series/phasenet.py

154 records of Northern California, 3 components at 100 Hz. The P of all of them is at one sample, so each is cut by a
fixed seed to 24 s that begin 0 to 6 s later. A pick is explained where the network's probability is above 0.5 within
0.1 s of the analyst's time: the difference of the logits of the phase and of noise at the analyst's sample.

    component   the part that each component has in the account, against its part of the energy within 1 s
                of the pick, and against exact Shapley values of the components (8 passes: what happens to the
                difference when components come and go)
    band        the part of the account of each octave
    time        the part of |γ| within 1 s of the analyst's time, and how far from it the largest place is

Records in which a component is dead count for time and bands, not for components. Controls: energy and random orders.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import recordings
import torch
from recordings import Array, rows
from torch import Tensor

import wavelens as wl

SMALL = {"records": 154, "seed": 0, "steps": 16}
RATE, LENGTH, LATEST = 100.0, 2400, 600
NEAR, WITHIN = 100, 10  # samples: around a pick, and between the network's and the analyst's
PHASES = {"P": 1, "S": 2}
DOMAINS = {"wavelets": wl.DWT("db4", levels=6), "samples": wl.Identity()}


def network() -> Any:
    weights = str(recordings.at("more/seismic/phasenet_ncedc.safetensors"))
    return wl.models.load("phasenet", weights=weights, any_output=True).module


def cut(number: int, seed: int) -> tuple[Tensor, dict[str, int]]:
    """A record from a drawn place on, as the network takes it, and the analysts' samples in it."""
    data = recordings.seismograms()
    start = int(np.random.default_rng([seed, number]).integers(LATEST + 1))
    waveform = torch.from_numpy(data["waveform"][number][:, start : start + LENGTH])[None]
    x = recordings.Traces((3, LENGTH), RATE, scaling="standard")(wl.frontends.Series(waveform, RATE))
    return x, {name: int(data[f"{name.lower()}_sample"][number]) - start for name in PHASES}


class Over:
    """A phase's logit less that of noise at a sample."""

    def __init__(self, phase: int, place: int) -> None:
        self.phase, self.place = phase, place

    def __call__(self, logits: Tensor) -> Tensor:
        return logits[:, self.phase, self.place] - logits[:, 0, self.place]


def shapley(net: Any, x: Tensor, target: Over) -> list[float]:
    """Exact Shapley values of the components, from all that are left at zero, their mean."""
    sets = list(itertools.product((0.0, 1.0), repeat=3))
    with torch.no_grad():
        value = dict(
            zip(sets, target(net(torch.stack([x[0] * torch.tensor(s)[:, None] for s in sets]))).tolist(), strict=True)
        )
    totals = [0.0] * 3
    for order in itertools.permutations(range(3)):
        inside = [0.0] * 3
        for player in order:
            before = value[tuple(inside)]
            inside[player] = 1.0
            totals[player] += (value[tuple(inside)] - before) / math.factorial(3)
    return totals


def row(number: int, *, steps: int, seed: int) -> rows.Row:
    net = network()
    x, places = cut(number, seed)
    with torch.no_grad():
        probability = net(x).softmax(1)[0].numpy()
    picked = {
        name: place
        for name, place in places.items()
        if WITHIN <= place < LENGTH - WITHIN
        and probability[PHASES[name], place - WITHIN : place + WITHIN + 1].max() > 0.5
    }
    dead = bool((x[0].abs().amax(-1) == 0).any())
    return {"dead": dead, "picks": {name: explained(net, x, name, place, steps) for name, place in picked.items()}}


def explained(net: Any, x: Tensor, name: str, place: int, steps: int) -> rows.Row:
    target = Over(PHASES[name], place)
    near = np.zeros(LENGTH, bool)
    near[max(place - NEAR, 0) : place + NEAR + 1] = True
    several = wl.attribute(net, x, target, domain=list(DOMAINS.values()), method=wl.IntegratedGradients(steps=steps))
    wavelets = several[0]
    sums = wl.maps.profile(wavelets, by_channel=True).signed[0].sum(-1)
    rise = float(wavelets.score - wavelets.baseline_score)
    energy = x[0, :, near].square().sum(-1)
    cell: dict[str, Any] = {
        "rise": rise,
        "gap": abs(float(wavelets.gap)) / max(abs(rise), 1e-9),
        "components": sums.tolist(),
        "shapley": shapley(net, x, target),
        "energy": (energy / energy.sum()).tolist(),
        "bands": recordings.bands(wavelets, RATE),
        "random": float(near.mean()),
        "time": {},
    }
    for domain, a in zip(DOMAINS, several, strict=True):
        cell["time"][f"IG, {domain}"] = in_time(recordings.over_time(a, "magnitude"), near, place)
        z = a.layout.domain.analysis(x)
        order = recordings.over_time(wl.Coefficients(z.data.square(), z.layout), "magnitude")
        cell["time"][f"energy, {domain}"] = in_time(order, near, place)
    return cell


def in_time(order: Array, near: Array, place: int) -> dict[str, float]:
    return {
        "mass": round(recordings.mass(order, near), 5),
        "hit": recordings.hit(order, near),
        "seconds": abs(int(order.argmax()) - place) / RATE,
    }


def summary(made: list[rows.Row]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name in PHASES:
        cells = [one["picks"][name] for one in made if name in one["picks"]]
        whole = [one["picks"][name] for one in made if name in one["picks"] and not one["dead"]]
        table[name] = {
            "picks": len(cells),
            "with three components": len(whole),
            "components": {c: three(whole, k) for k, c in enumerate("ENZ")},
            "account against Shapley": agreement(whole),
            "bands": {
                band: recordings.interval([_part(cell["bands"], band) for cell in cells]) for band in cells[0]["bands"]
            },
            "time": {
                order: {
                    "mass": recordings.interval([cell["time"][order]["mass"] for cell in cells]),
                    "hit": recordings.interval([cell["time"][order]["hit"] for cell in cells]),
                    "median seconds": recordings.interval(
                        [cell["time"][order]["seconds"] for cell in cells], np.median
                    ),
                }
                for order in cells[0]["time"]
            },
            "random": recordings.interval([cell["random"] for cell in cells]),
            "gap": recordings.interval([cell["gap"] for cell in cells]),
        }
    both = [one["picks"] for one in made if len(one["picks"]) == 2 and not one["dead"]]
    table["Z of P less Z of S"] = {
        "records": len(both),
        "account": recordings.interval([account(one["P"], 2) - account(one["S"], 2) for one in both]),
        "Shapley": recordings.interval([_of(one["P"]["shapley"], 2) - _of(one["S"]["shapley"], 2) for one in both]),
        "energy": recordings.interval([one["P"]["energy"][2] - one["S"]["energy"][2] for one in both]),
    }
    return table


def three(cells: list[Any], k: int) -> dict[str, Any]:
    return {
        "account": recordings.interval([account(cell, k) for cell in cells]),
        "Shapley": recordings.interval([_of(cell["shapley"], k) for cell in cells]),
        "energy": recordings.interval([cell["energy"][k] for cell in cells]),
    }


def account(cell: Any, k: int) -> float:
    return _of(cell["components"], k)


def _of(values: list[float], k: int) -> float:
    """A part of the sum; the sum is the rise, which is positive wherever there is a pick."""
    return values[k] / sum(values)


def _part(sums: dict[str, float], band: str) -> float:
    return sums[band] / sum(sums.values())


def agreement(cells: list[Any]) -> dict[str, Any]:
    """Whether the component with the largest sum is that with the largest Shapley value; and the correlation."""
    largest = [float(np.argmax(cell["components"]) == np.argmax(cell["shapley"])) for cell in cells]
    by_energy = [float(np.argmax(cell["energy"]) == np.argmax(cell["shapley"])) for cell in cells]
    pairs = [(_of(cell["components"], k), _of(cell["shapley"], k)) for cell in cells for k in range(3)]
    return {
        "same largest": recordings.interval(largest),
        "same largest, by energy": recordings.interval(by_energy),
        "same largest, by chance": round(1 / 3, 4),
        "correlation of parts": round(float(np.corrcoef(np.array(pairs).T)[0, 1]), 4),
    }


def main(argv: list[str] | None = None) -> None:
    given = recordings.sized(__doc__, SMALL, {}, recordings.RESULTS, argv)
    keys = [{"number": number} for number in range(given.records)]
    settings = {"steps": given.steps, "seed": given.seed, "domains": {k: repr(v) for k, v in DOMAINS.items()}}
    made = rows.each(
        rows.place("phasenet"), settings, keys, lambda **key: row(**key, steps=given.steps, seed=given.seed)
    )
    record = {"settings": settings, "records": len(made), **summary(made)}
    print(recordings.records.write(given.results / "phasenet.json", record))


if __name__ == "__main__":
    main()
