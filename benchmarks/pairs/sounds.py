"""Does a prompt point at the right moment of a sound? Two sounds of ESC-50 after each other, one of them named.

    python benchmarks/pairs/sounds.py

Of 100 clips drawn from fold 4, those that the pair of `at_hand` names correctly among 50 classes; of each the loudest
two seconds at the same RMS, two of them one after the other. "the sound of A" against "the sound of B" is explained by
integrated gradients in octaves of the waveform (db4, 8 levels); a half has the signed sum of its samples as evidence.
It points right where A's half has more. Controls: a random order, and the same account of samples (pixel-wise IG); the
halves have the same energy, which therefore says nothing. FULL=1: 400 clips, 200 pairs, 16 steps.
"""

from __future__ import annotations

import csv
import json
from functools import cache
from typing import Any

import at_hand
import numpy as np
import torch
from harness.arguments import sized
from harness.data import at
from torch import Tensor

import wavelens as wl
from wavelens.models import prompted

SMALL = {"pairs": 40, "clips": 100, "steps": 8, "seed": 0}
FULL = {"pairs": 200, "clips": 400, "steps": 16}
SECONDS = 2
DOMAINS = {"octaves": wl.DWT("db4", levels=8), "samples": wl.Identity()}


@cache
def names() -> list[str]:
    classes = json.loads(at("audio/esc50_classes.json").read_text(encoding="utf-8"))
    return [classes[str(k)].replace("_", " ") for k in range(len(classes))]


@cache
def index() -> list[dict[str, str]]:
    with open(at("audio/esc50_fold4.csv"), newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@torch.no_grad()
def scores(rows: list[dict[str, str]]) -> Tensor:
    """Of each clip and each class, `(clips, 50)`."""
    model = prompted(at_hand.sound_text(), [f"the sound of {name}" for name in names()])
    clips = (wl.frontends.read_audio(at(f"audio/esc50_fold4/{row['filename']}")) for row in rows)
    return torch.cat([model.module(model.preprocess(clip)) for clip in clips])


def loudest(file: str) -> Tensor:
    """The two seconds of the most energy, at RMS 0.1."""
    x = at_hand.SAMPLING(wl.frontends.read_audio(at(f"audio/esc50_fold4/{file}")))
    length = SECONDS * at_hand.RATE
    energy = torch.nn.functional.avg_pool1d(x.square(), length, 800)[0, 0]
    part = x[..., (start := 800 * int(energy.argmax())) : start + length]
    return 0.1 * part / part.square().mean().sqrt().clamp_min(1e-6)


def margins(pair: Any, a: dict[str, str], b: dict[str, str], first: bool, steps: int) -> list[float]:
    """For each domain, evidence in the half of the named sound less that in the other, over the sum of magnitudes."""
    halves = [loudest(one["filename"]) for one in (a, b)]
    x = torch.cat(halves if first else halves[::-1], -1)
    model = prompted(pair, [f"the sound of {one['category'].replace('_', ' ')}" for one in (a, b)])
    method, domains = wl.IntegratedGradients(steps=steps), list(DOMAINS.values())
    several = []
    for made in wl.attribute(model.module, x, wl.targets.Contrast(0, 1), domain=domains, method=method):
        before, after = (part.sum() for part in wl.maps.spatial_map(made, signed=True)[0].chunk(2))
        own, other = (before, after) if first else (after, before)
        several.append(float((own - other) / (own.abs() + other.abs())))
    return several


def main(argv: list[str] | None = None) -> None:
    given = sized(__doc__, SMALL, FULL, at_hand.RESULTS, argv)
    source = np.random.default_rng(given.seed)
    rows = [index()[k] for k in source.permutation(len(index()))[: given.clips]]
    logits, truth = scores(rows), torch.tensor([int(row["target"]) for row in rows])
    rank = (logits.argsort(1, descending=True) == truth[:, None]).int().argmax(1)
    right = [row for row, place in zip(rows, rank.tolist(), strict=True) if place == 0]
    pair = at_hand.sound_text()
    measured: list[list[float]] = []
    while len(measured) < given.pairs:
        a, b = (right[k] for k in source.choice(len(right), 2, replace=False))
        if a["target"] != b["target"]:
            measured.append(margins(pair, a, b, bool(source.integers(2)), given.steps))
    by_domain = dict(zip(DOMAINS, map(list, zip(*measured, strict=True)), strict=True))
    random = source.choice([-1.0, 1.0], given.pairs)
    record = {
        "settings": {
            "pairs": given.pairs,
            "steps": given.steps,
            "seed": given.seed,
            "clips": len(rows),
            "named right": len(right),
        },
        "top-1": at_hand.interval((rank == 0).double().tolist()),
        "top-5": at_hand.interval((rank < 5).double().tolist()),
        "points right": {
            **{name: at_hand.interval([float(m > 0) for m in several]) for name, several in by_domain.items()},
            "random": at_hand.interval((random > 0).astype(float)),
        },
        "margin": {name: at_hand.interval(several) for name, several in by_domain.items()},
    }
    print(at_hand.records.write(given.results / "sounds.json", record))


if __name__ == "__main__":
    main()
