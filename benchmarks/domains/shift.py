"""How far scale shares move when a photo is shifted by 1 to 16 pixels, domain by domain.

    python benchmarks/domains/shift.py --photos 20

Windows of 224 × 224 are taken from photos of Caltech-101 at 256 × 256, the first in the middle, the others shifted by
as many pixels along both axes, so no border wraps. All windows are explained for the class of the first by integrated
gradients and SmoothGrad (EfficientNet-lite0); one pass of gradients serves all domains. Four levels: the grid of a DWT
repeats every 16 pixels.

Of each window, domain and reading there are the shares of the octaves. `moved` is the part of the shares that moves
from the first window, half the sum of absolute differences. Readings: WAM-IG, WAM-SG, and the energy |W x|, which knows
nothing of the network. `rolled` is a control of the domain alone: SmoothGrad's average gradient of the first window is
rolled, which the network has no part in. Marginal accounts (`maps.marginal`) are over three wavelets at four places of
the grid, and over Haar at eight.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import at_items
import judging
import measures
import numpy as np
import record
import torch
from record import rows
from torch import Tensor

import wavelens as wl
from wavelens.core import Coefficients, Domain

SMALL = {"photos": 20, "effort": 12}
LEVELS, SIZE, LARGER = 4, 224, 256
SHIFTS = (0, 1, 2, 4, 7, 11, 15, 16)
PERIOD = 16  # pixels after which the grid of four levels is the same
EIGHT = ((0, 0), (9, 4), (3, 13), (14, 7), (6, 10), (12, 1), (5, 15), (11, 8))  # places of a grid, drawn once
GROUPS: dict[str, dict[str, Domain]] = {
    "first": {
        "DWT haar": wl.DWT("haar", LEVELS),
        "DWT db4": wl.DWT("db4", LEVELS),
        "Stationary haar": wl.Stationary("haar", LEVELS),
        "Stationary db4": wl.Stationary("db4", LEVELS),
        "Shifted haar, 8": wl.Shifted(wl.DWT("haar", LEVELS), EIGHT),
    },
    "complex": {"DualTree": wl.DualTree(LEVELS)},
    "directional": {"Shearlets": wl.Shearlets(LEVELS)},
}
MARGINALS: dict[str, dict[str, list[Domain]]] = {
    "first": {
        "marginal, haar": [wl.Shifted(wl.DWT("haar", LEVELS), (k,)) for k in EIGHT],
        "marginal, 3 wavelets": [
            wl.Shifted(wl.DWT(name, LEVELS), (k,)) for name in ("haar", "db4", "bior2.2") for k in EIGHT[:4]
        ],
    }
}
REFERENCES = {"DWT haar": "Stationary haar", "DWT db4": "Stationary db4", "DualTree": "DWT db4"}
MADE_OF = {"marginal, haar": "DWT haar"}  # a marginal's spread is held against the movement of this domain


def readings(group: str, read: Callable[[list[Domain]], list[Coefficients]]) -> dict[str, Any]:
    """Shares of each domain and of each marginal account, and the marginals' spreads; a list per window."""
    single, marginals = GROUPS[group], MARGINALS.get(group, {})
    every = [*single.values(), *(domain for several in marginals.values() for domain in several)]
    made = iter(read(every))
    shares = {name: measures.octave_shares(next(made), LEVELS) for name in single}
    spreads = {}
    for name, several in marginals.items():
        shares[name], spreads[name] = measures.marginal_shares([next(made) for _ in several])
    return {"shares": _lists(shares), "spreads": _lists(spreads)}


def _lists(tensors: dict[str, Tensor]) -> dict[str, list[list[float]]]:
    return {name: [[round(v, 6) for v in one] for one in t.tolist()] for name, t in tensors.items()}


def windows(item: str) -> Tensor:
    x, first = at_items.larger_photo(item, LARGER), (LARGER - SIZE) // 2
    return torch.cat([x[..., first + s : first + s + SIZE, first + s : first + s + SIZE] for s in SHIFTS])


def row(item: str, *, group: str, effort: int) -> rows.Row:
    net, x = at_items.network("photo"), windows(item)
    with torch.no_grad():
        logits = net(x)
    target = int(logits[0].argmax())
    attributions: dict[str, list[Coefficients]] = {}

    def explained(method: Any) -> Callable[[list[Domain]], list[Coefficients]]:
        def read(domains: list[Domain]) -> list[Coefficients]:
            made: list[Coefficients] = list(wl.attribute(net, x, target, domain=domains, method=method))
            attributions[type(method).__name__] = made
            return made

        return read

    def rolled(domains: list[Domain]) -> list[Coefficients]:
        g = attributions["gradient"][0].data[:1].unflatten(-1, x.shape[2:])
        moved = torch.cat([g.roll((-s, -s), (-2, -1)) for s in SHIFTS])
        return [domain.adjoint(moved, domain.layout(tuple(x.shape[2:]))) for domain in domains]

    smooth = wl.SmoothGrad(samples=effort, sigma=0.25)
    found = {"WAM-IG": readings(group, explained(wl.IntegratedGradients(steps=effort)))}

    def smoothed(domains: list[Domain]) -> list[Coefficients]:
        own, *others = wl.attribute(net, x, target, domain=[wl.Identity(), *domains], method=smooth)
        attributions["gradient"] = [own]
        return others

    found["WAM-SG"] = readings(group, smoothed)
    found["energy"] = readings(group, lambda domains: [domain.analysis(x) for domain in domains])
    found["rolled"] = readings(group, rolled)
    path = attributions["IntegratedGradients"]
    signed = {name: measures.octave_sums(c, LEVELS) for name, c in zip(GROUPS[group], path, strict=False)}
    rise = path[0].score - path[0].baseline_score
    return {
        "class": target,
        "logits": [round(v, 4) for v in logits[:, target].tolist()],
        "still the class": (logits.argmax(1) == target).tolist(),
        "rises": [round(v, 4) for v in rise.tolist()],
        "gaps": [round(v, 4) for v in path[0].gap.tolist()],
        "readings": found,
        "signed": _lists(signed),
    }


def moved(one: rows.Row, name: str, reading: str = "WAM-IG") -> list[float]:
    """The part of the shares that moved from the first window, one number per shift."""
    shares = torch.tensor(one["readings"][reading]["shares"][name])
    return measures.total_variation(shares[1:], shares[:1]).tolist()


def swings(one: rows.Row, name: str) -> list[float]:
    """How far signed sums move from the first window: Σ|Δ| over the rise of the first window, one per shift."""
    sums = torch.tensor(one["signed"][name])
    return ((sums[1:] - sums[:1]).abs().sum(1) / abs(one["rises"][0])).tolist()


def summary(made: list[rows.Row]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for reading in made[0]["readings"]:
        measure = partial(moved, reading=reading)
        table[reading] = {name: _cell(made, measure, name) for name in made[0]["readings"][reading]["shares"]}
    table["signed sums"] = {name: _cell(made, swings, name) for name in made[0]["signed"]}
    table["network"] = {
        "logit change over rise": record.interval(
            [np.mean(np.abs(np.subtract(one["logits"][1:-1], one["logits"][0]))) / abs(one["rises"][0]) for one in made]
        ),
        "windows of the same class": record.interval([np.mean(one["still the class"][1:-1]) for one in made]),
        "gap over rise": record.interval(
            [np.mean(np.abs(one["gaps"]) / np.maximum(np.abs(one["rises"]), 1e-9)) for one in made]
        ),
    }
    table["error bar"] = {
        reading: {name: coverage(made, reading, name, of) for name, of in MADE_OF.items()}
        for reading in ("WAM-IG", "WAM-SG")
        if set(MADE_OF) <= set(made[0]["readings"][reading]["spreads"])
    }
    return table


def _cell(made: list[rows.Row], measure: Callable[[rows.Row, str], list[float]], name: str) -> dict[str, Any]:
    """The mean over shifts of 1 to 15 pixels with its interval over photos, and the mean at each shift."""
    values = np.array([measure(one, name) for one in made])
    by_shift = dict(zip(map(str, SHIFTS[1:]), values.mean(0).round(5).tolist(), strict=True))
    cell = {"mean": record.interval(values[:, :-1].mean(1).tolist(), digits=5), "by shift": by_shift}
    if reference := REFERENCES.get(name):
        less = values - [measure(one, reference) for one in made]
        cell[f"less {reference}"] = record.interval(less[:, :-1].mean(1).tolist(), digits=5)
    return cell


def coverage(made: list[rows.Row], reading: str, marginal: str, name: str) -> dict[str, Any]:
    """How often shares of shifted windows lie within two spreads of the first window's marginal account."""
    inside, ratios = [], []
    for one in made:
        cell = one["readings"][reading]
        middle, spread = (np.array(cell[key][marginal][0]) for key in ("shares", "spreads"))
        shares = np.array(cell["shares"][name])[:-1]
        inside.append(float((np.abs(shares - middle) <= 2 * spread).mean()))
        ratios.append(float(shares.std(0, ddof=1).sum() / spread.sum()))
    return {
        "within two spreads": record.interval(inside),
        "deviation over windows ÷ spread": record.interval(ratios),
    }


def merged(groups: list[list[rows.Row]]) -> list[rows.Row]:
    """The rows of a photo in one, with the domains of all groups."""
    made = []
    for one in zip(*groups, strict=True):
        whole = one[0] | {"signed": {name: sums for row in one for name, sums in row["signed"].items()}}
        whole["readings"] = {
            reading: {
                key: {name: values for row in one for name, values in row["readings"][reading][key].items()}
                for key in ("shares", "spreads")
            }
            for reading in one[0]["readings"]
        }
        made.append(whole)
    return made


def main(argv: list[str] | None = None) -> None:
    given = record.options(__doc__, SMALL, {}, argv)
    settings = {"effort": given.effort, "shifts": SHIFTS}
    keys = [{"item": item} for item in at_items.names("photo", given.photos)]
    several = []
    for group, named in GROUPS.items():
        made_with = settings | {"domains": judging.texts(named)}
        made_with |= {"marginals": {name: list(map(repr, d)) for name, d in MARGINALS.get(group, {}).items()}}
        call = partial(row, group=group, effort=given.effort)
        several.append(rows.each(rows.place(f"shift-{group}"), made_with, keys, call))
    made = merged(several)
    whole = {
        "settings": settings,
        "domains": {group: judging.texts(named) for group, named in GROUPS.items()},
        "marginals": {name: list(map(repr, d)) for several in MARGINALS.values() for name, d in several.items()},
        "photos": len(made),
        "seconds": round(sum(one["seconds"] for group in several for one in group)),
        "results": summary(made),
    }
    record.write("shift", whole, at_items.RESULTS)


if __name__ == "__main__":
    main()
