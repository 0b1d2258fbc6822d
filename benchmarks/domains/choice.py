"""Which domain ranks best, is sparsest and has the steadiest shares: photos and clips, the same items for all domains.

    python benchmarks/domains/choice.py --kind photo --items 100
    python benchmarks/domains/choice.py --kind clip --items 100

Photos of Caltech-101 at 128 × 128 (EfficientNet-lite0), the loudest second and a half of clips of ESC-50's fold 4
(Micro-ACDNet on one crop); items are drawn with a fixed seed, the explained class is the predicted one. One pass of
gradients serves all domains. For WAM-IG by magnitude and the two controls, |z| (energy order) and random order, the
areas of insertion and deletion are measured

    zero       from a baseline of zero, over uniform fractions as the paper has it; by the trapezoid between the
               fractions of `PARTS`, which are denser where curves are steep
    shuffled   from the signal with its coefficients shuffled within their bands, at log-spaced fractions

and for WAM-IG and the energy

    gini       the Gini index of |γ|; 1 is sparsest
    for_90     numbers per sample that hold 90 % of Σ|γ|
    moved      the part of the shares, octave by octave, that moves when the window is shifted: photos by 1 to 15
               pixels along both axes, clips by 1 to 255 samples, drawn for each item. Windows of a larger photo or
               clip are taken, so no border wraps.

The random order's areas are of about one item in four.
"""

from __future__ import annotations

import math
from functools import cache, partial
from typing import Any

import at_items
import judging
import measures
import numpy as np
import record
import torch
from record import rows
from torch import Tensor, nn

import wavelens as wl
from wavelens.core import Coefficients, Domain

SMALL = {"kind": "photo", "items": 100, "effort": 8}
PARTS = (0.0, 1 / 64, 1 / 8, 1 / 2, 1.0)  # nodes of an area over uniform fractions
LOG = (0.004, 0.03, 0.25)
RANDOM_EVERY = 4  # items
SHIFTS = ((0, 0), (5, 3), (10, 6), (3, 11))
LEVELS = {"photo": 4, "clip": 8}
DOMAINS: dict[tuple[str, str], dict[str, Domain]] = {
    ("photo", "first"): {
        **{f"DWT {name}": wl.DWT(name, levels=4) for name in ("haar", "db4", "sym8", "bior2.2")},
        "Packets db4": wl.Packets("db4", levels=4),
        "Stationary haar": wl.Stationary("haar", levels=4),
        "Shifted haar": wl.Shifted(wl.DWT("haar", levels=4), SHIFTS),
        "DualTree": wl.DualTree(levels=4),
        "Cosine": wl.Cosine(),
        "Fourier": wl.Fourier(),
        "Identity": wl.Identity(),
    },
    ("photo", "directional"): {"Shearlets": wl.Shearlets(4)},
    ("clip", "first"): {
        **{f"DWT {name}": wl.DWT(name, levels=8) for name in ("haar", "db4", "sym8")},
        "Packets db4": wl.Packets("db4", levels=5),
        "Stationary db4": wl.Stationary("db4", levels=8),
        "DualTree": wl.DualTree(levels=8),
        "STFT": wl.STFT("hann", 512),
        "ConstantQ": wl.ConstantQ(3, octaves=8),
        "Cosine": wl.Cosine(),
        "Fourier": wl.Fourier(),
        "Identity": wl.Identity(),
    },
}


def curve_areas(model: nn.Module, x: Tensor, target: int, order: Coefficients, start: Tensor, ends: Tensor) -> Any:
    """The four areas of one order; `ends` are the scores of the signal and of zero."""
    inserted, deleted = measures.scores_along(model, x, target, order, PARTS[1:-1], 0.0)
    log = [math.log(fraction) for fraction in LOG]
    shuffled = measures.scores_along(model, x, target, order, LOG, start)
    own, empty = ends[:1], ends[1:]
    areas = {
        "zero insertion": measures.area(torch.cat([empty, inserted, own]), PARTS),
        "zero deletion": measures.area(torch.cat([own, deleted, empty]), PARTS),
        "shuffled insertion": measures.area(shuffled[0], log),
        "shuffled deletion": measures.area(shuffled[1], log),
    }
    return {name: round(value, 6) for name, value in areas.items()}


def row(kind: str, item: str, *, group: str, effort: int) -> rows.Row:
    net, quick = at_items.network(kind), _quick(kind)
    windows = at_items.windows(kind, item)
    x, seed = windows[:1], judging.seed(item)
    domains = DOMAINS[kind, group]
    with torch.no_grad():
        logits = quick(torch.cat([windows, torch.zeros_like(x)]))
    target = int(logits[0].argmax())
    ends = logits.softmax(1)[[0, 2], target]
    method = wl.IntegratedGradients(steps=effort)
    account = wl.attribute(net, windows, target, domain=list(domains.values()), method=method)
    readings: dict[str, dict[str, Coefficients]] = {"WAM-IG": dict(zip(domains, account, strict=True))}
    readings["energy order"] = {name: domain.analysis(windows) for name, domain in domains.items()}
    scores: dict[str, Any] = {}
    for name, domain in domains.items():
        several = {label: made[name] for label, made in readings.items()}
        several["random order"] = wl.metrics.random_order(windows, domain, seed=seed)
        start = measures.shuffled(domain.analysis(x), seed)
        cell = {label: shape(c, LEVELS[kind]) for label, c in several.items()}
        for label in ("WAM-IG", "energy order", *(["random order"] if seed % RANDOM_EVERY == 0 else [])):
            order = Coefficients(several[label].data[:1].abs(), several[label].layout)
            cell[label] |= curve_areas(quick, x, target, order, start, ends)
        scores[name] = cell
    gap = (account[0].gap / (account[0].score - account[0].baseline_score))[0].abs().item()
    return {"class": target, "p": round(ends[0].item(), 4), "gap": round(gap, 4), "scores": scores}


def shape(c: Coefficients, levels: int) -> dict[str, float]:
    """Sparsity of the first window's attribution, and how far the shares of the second are from its own."""
    first = Coefficients(c.data[:1], c.layout)
    shares = measures.octave_shares(c, levels)
    found = {
        "gini": wl.metrics.sparseness(None, torch.empty(1, c.data.shape[1], *c.layout.signal_shape), None, first),
        "for_90": measures.coefficients_for(first, 0.9),
        "moved": measures.total_variation(shares[0], shares[1]),
    }
    return {name: round(float(value), 6) for name, value in found.items()}


@cache
def _quick(kind: str) -> nn.Module:
    """The network without gradients, batch norms folded."""
    return judging.quick(at_items.network(kind), at_items.SHAPES[kind]) if kind == "photo" else at_items.network(kind)


def summary(made: list[rows.Row]) -> dict[str, Any]:
    """Means with intervals over items, and paired differences to the energy order and to the first domain."""
    table: dict[str, Any] = {}
    first = next(iter(made[0]["scores"]))
    for name in made[0]["scores"]:
        table[name] = {label: _cell(made, name, label) for label in made[0]["scores"][name]}
        for label in ("WAM-IG", "energy order"):
            values, reference = _values(made, name, label), _values(made, first, label)
            table[name][label] |= {
                f"{key}, less {first}'s": _paired(several, reference[key]) for key, several in values.items()
            }
        ours, energy = (_values(made, name, label) for label in ("WAM-IG", "energy order"))
        table[name]["WAM-IG"] |= {
            f"{start} faithfulness over energy": _paired(_faith(ours, start), _faith(energy, start))
            for start in ("zero", "shuffled")
        }
    return table


def _cell(made: list[rows.Row], name: str, label: str) -> dict[str, Any]:
    values = _values(made, name, label)
    means = {key: record.interval(several) for key, several in values.items()}
    return {**means, "items": len(values["gini"]), "items of areas": len(values.get("zero insertion", []))}


def _paired(values: list[float], others: list[float]) -> list[float | None]:
    return record.interval([a - b for a, b in zip(values, others, strict=True)])


def _values(made: list[rows.Row], name: str, label: str) -> dict[str, list[float]]:
    several = [row["scores"][name][label] for row in made]
    keys = dict.fromkeys(key for one in several for key in one)
    return {key: [one[key] for one in several if key in one] for key in keys}


def _faith(values: dict[str, list[float]], start: str) -> list[float]:
    pairs = zip(values[f"{start} insertion"], values[f"{start} deletion"], strict=True)
    return [inserted - deleted for inserted, deleted in pairs]


def merged(groups: list[list[rows.Row]]) -> list[rows.Row]:
    """The rows of an item in one, with the domains of all groups."""
    return [
        one[0] | {"scores": {k: v for row in one for k, v in row["scores"].items()}}
        for one in zip(*groups, strict=True)
    ]


def main(argv: list[str] | None = None) -> None:
    given = record.options(__doc__, SMALL, {}, argv)
    settings = {"effort": given.effort, "parts": PARTS, "log": LOG}
    keys = [{"kind": given.kind, "item": item} for item in at_items.names(given.kind, given.items)]
    groups = [group for kind, group in DOMAINS if kind == given.kind]
    several = []
    for group in groups:
        made_with = settings | {"domains": judging.texts(DOMAINS[given.kind, group])}
        place, call = rows.place(f"choice-{given.kind}-{group}"), partial(row, group=group, effort=given.effort)
        several.append(rows.each(place, made_with, keys, call))
    made = merged(several)
    whole = {
        "settings": settings,
        "domains": {group: judging.texts(DOMAINS[given.kind, group]) for group in groups},
        "items": len(made),
        "probability of the class": record.interval([row["p"] for row in made]),
        "gap over rise": record.interval([row["gap"] for row in made]),
        "median gap over rise": record.interval([row["gap"] for row in made], np.median),
        "seconds": round(sum(one["seconds"] for group in several for one in group)),
        "results": summary(made),
    }
    record.write(f"choice-{given.kind}", whole, at_items.RESULTS)


if __name__ == "__main__":
    main()
