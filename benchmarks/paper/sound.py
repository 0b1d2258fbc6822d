"""The paper's two experiments on sound (figures 5, 10, 15) in numbers: how much of the target a rebuilt sound keeps.

    python benchmarks/paper/sound.py                 # 40 pairs; resumes
    FULL=1 python benchmarks/paper/sound.py          # 200 pairs
    python benchmarks/paper/sound.py --accuracy 400  # of the two networks on whole clips, and nothing else

A clip of ESC-50 (fold 4, the test fold of Micro-ACDNet) that the classifier names correctly is mixed at 0 dB with white
noise of its own RMS, clipped and rounded to 16 bits as in figure 10, or with a clip of another class at the same RMS.
The mixture is explained for the class of the target clip. A mask M is linear, so what it keeps is exactly M target plus
M corruption; for each mask there are

    kept, kept_corruption   energy of M target and of M corruption, as parts of what went in
    ratio                   energy of M target over that of M corruption in dB
    si_sdr                  of the rebuilt sound against the target (Le Roux et al., 2019) in dB

beside what they were before (0 dB at 44.1 kHz; networks at a lower rate hear less of the noise),

for the top fractions of WAM-IG and WAM-SG by magnitude (as published), of WAM-IG signed, of SG times the coefficients,
and for the soft mask (`masks.soft`, 0.2 s). WAM-IG's path has nodes until its sum misses at most TOLERANCE of the rise,
WAM-SG has 25 samples. Controls: energy order |z|, random order, the soft mask of |z|², and an oracle that knows target
and corruption. The soft mask was chosen on the clips of TUNED_ON, which are left out. results/sound.json has means with
95 % intervals (BCa, over pairs); it is not written of fewer pairs than decide anything.
"""

from __future__ import annotations

import csv
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from record import RESULTS, Row, at, interval, options, rows, write
from torch import Tensor, nn
from verdicts import LEAST

import wavelens as wl
from wavelens import masks
from wavelens.frontends.audio import Clip, read_audio

SMALL = {"pairs": 40, "samples": 25, "seed": 1, "accuracy": 0}
FULL = {"pairs": 200}
NETS = {"micro-acdnet": "micro_acdnet_esc50_fold4", "yamnet": "yamnet_audioset"}
KINDS = ("noise", "overlap")
DOMAINS = {"db4": wl.DWT("db4", levels=8), "haar": wl.DWT("haar", levels=8)}
FRACTIONS = (0.01, 0.03, 0.1, 0.3)
WIDTH = 0.2  # seconds
SIGMA = 0.001  # the paper's, for sound
TOLERANCE = 0.02  # the part of the rise that a path's sum may miss
TUNED_ON = (
    "4-119648-C-48 4-119648-D-48 4-132383-A-2 4-144083-B-16 4-157296-A-24 4-165791-B-45 4-165845-A-45 4-180453-A-17 "
    "4-181286-A-10 4-186962-A-44 4-264453-A-34 4-59579-A-20"
).split()
BEFORE = ("ratio_before", "si_sdr_before", "gap", "nodes", "explaining")


@cache
def index() -> list[dict[str, str]]:
    with open(at("audio/esc50_fold4.csv"), newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@cache
def waveform(name: str) -> Tensor:
    return read_audio(at(f"audio/esc50_fold4/{name}")).data.double()


def rms(x: Tensor) -> float:
    return x.square().mean().sqrt().item()


def corrupted(target: Tensor, corruption: Tensor) -> Tensor:
    """The target with the corruption at its RMS, clipped and rounded to 16 bits (figure 10)."""
    mixture = target + corruption * (rms(target) / rms(corruption))
    return (mixture * 32768).round().clamp(-32768, 32767) / 32768


@dataclass(frozen=True)
class Classifier:
    """A network, and which of its outputs stand for a class of ESC-50."""

    loaded: wl.models.LoadedModel
    outputs: dict[int, list[int]]

    def prepared(self, x: Tensor) -> Tensor:
        return self.loaded.preprocess(Clip(x, 44100)).float()

    @property
    def rate(self) -> int:
        return self.loaded.preprocess.rate

    @property
    def module(self) -> nn.Module:
        return self.loaded.module

    def named(self, x: Tensor) -> int:
        """The class of ESC-50 whose best output is the largest."""
        with torch.no_grad():
            logits = self.module(x)[0]
        return max(self.outputs, key=lambda c: logits[self.outputs[c]].max().item())

    def output(self, x: Tensor, category: int) -> int:
        """The output that stands for a class on a clip: the largest of those that may."""
        with torch.no_grad():
            logits = self.module(x)[0]
        return max(self.outputs[category], key=lambda o: logits[o].item())


def accuracy(name: str, clips: int, seed: int) -> Row:
    """The share of randomly drawn clips that are named correctly; classes without an output count as missed."""
    net, draw = classifier(name), np.random.default_rng(seed).permutation(len(index()))[:clips]
    chosen = [index()[k] for k in draw]
    right = [net.named(net.prepared(waveform(clip["filename"]))) == int(clip["target"]) for clip in chosen]
    return {"clips": len(right), "accuracy": np.mean(right).item()}


@cache
def classifier(name: str) -> Classifier:
    loaded = wl.models.load(name, weights=at(f"weights/{NETS[name]}.safetensors"))
    if len(loaded.labels) == 50:
        return Classifier(loaded, {c: [c] for c in range(50)})
    names = json.loads((at("audio/esc50_to_audioset.json")).read_text())
    outputs = {int(c): [loaded.labels.index(one) for one in several] for c, several in names.items() if several}
    return Classifier(loaded, outputs)


def pairs(net: Classifier, count: int, seed: int) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """So many clips that the network names correctly, in random order, each with a clip of another class."""
    draw = np.random.default_rng(seed)
    targets, found = draw.permutation(len(index())), 0
    for k in targets:
        clip = index()[k]
        other = index()[draw.integers(len(index()))]
        while other["target"] == clip["target"] or rms(waveform(other["filename"])) < 1e-3:
            other = index()[draw.integers(len(index()))]
        left_out = Path(clip["filename"]).stem in TUNED_ON or int(clip["target"]) not in net.outputs
        if left_out or rms(waveform(clip["filename"])) < 1e-3:
            continue
        if net.named(net.prepared(waveform(clip["filename"]))) == int(clip["target"]):
            yield clip, other
            found += 1
        if found == count:
            return


@dataclass(frozen=True)
class Mixture:
    """What a network hears, `(1, 1, samples)` at its rate: target + corruption."""

    target: Tensor
    corruption: Tensor

    @property
    def sum(self) -> Tensor:
        return self.target + self.corruption


def mixture(net: Classifier, kind: str, clip: dict[str, str], other: dict[str, str]) -> Mixture:
    clean = waveform(clip["filename"])
    seed = torch.Generator().manual_seed(int(clip["src_file"]))
    noise = torch.randn(clean.shape, generator=seed, dtype=torch.float64)
    mixed = corrupted(clean, noise if kind == "noise" else waveform(other["filename"]))
    target = net.prepared(clean)
    return Mixture(target, net.prepared(mixed) - target)


def decibels(signal: Tensor, noise: Tensor) -> float:
    """Energy over energy, within ±60 dB."""
    part = signal.double().square().sum().item(), noise.double().square().sum().item()
    return 10 * math.log10(min(max((part[0] + 1e-30) / (part[1] + 1e-30), 1e-6), 1e6))


def si_sdr(found: Tensor, target: Tensor) -> float:
    found, target = found.double() - found.mean(), target.double() - target.mean()
    scaled = (found * target).sum() / target.square().sum() * target
    return decibels(scaled, found - scaled)


def scores(several: dict[str, masks.Mask], heard: Mixture) -> dict[str, Row]:
    """The figures of each mask; all masks are applied at once."""
    layout = next(iter(several.values())).layout
    stacked = masks.Mask(torch.cat([mask.data for mask in several.values()]), layout)
    pairs = zip(stacked.apply(heard.target), stacked.apply(heard.corruption), stacked.data, strict=True)
    found = {}
    for label, (target, corruption, mask) in zip(several, pairs, strict=True):
        figures = {
            "fraction": mask.mean().item(),
            "kept": (target.square().sum() / heard.target.square().sum()).item(),
            "kept_corruption": (corruption.square().sum() / heard.corruption.square().sum()).item(),
            "ratio": decibels(target, corruption),
            "si_sdr": si_sdr(target + corruption, heard.target[0]),
        }
        found[label] = {name: float(f"{value:.4g}") for name, value in figures.items()}
    return found


def methods(samples: int) -> dict[str, wl.IntegratedGradients | wl.SmoothGrad]:
    return {"IG": wl.IntegratedGradients(tolerance=TOLERANCE), "SG": wl.SmoothGrad(samples=samples, sigma=SIGMA)}


def attributions(net: Classifier, x: Tensor, output: int, samples: int) -> dict[str, list[wl.Attribution]]:
    domains = list(DOMAINS.values())
    return {n: wl.attribute(net.module, x, output, domain=domains, method=m) for n, m in methods(samples).items()}


def soft_rule() -> list[float]:
    """What `masks.soft` keeps of each octave of one attribution, so that rows of another rule count as other rows."""
    random = torch.randn(1, 1, 4096, generator=torch.Generator().manual_seed(0))
    a = DOMAINS["db4"].analysis(random.abs().cumsum(-1).sin() + 0.5 * random)
    return [round(float(part.mean()), 3) for _, part in masks.soft(a.map(lambda data: data * data.abs()), 400)]


def candidates(ig: wl.Attribution, sg: wl.Attribution, heard: Mixture, rate: int) -> dict[str, masks.Mask]:
    """The masks of a mixture by name and fraction; the soft ones have none."""
    z = ig.domain.analysis(heard.sum)
    product = masks.evidence(sg, heard.sum)
    better = [ig.domain.analysis(x).data.abs() for x in (heard.target, heard.corruption)]
    chance = torch.rand(z.data.shape, generator=torch.Generator().manual_seed(0))
    orders: dict[str, tuple[wl.Coefficients, Callable[[Tensor], Tensor]]] = {
        "WAM-IG": (ig, masks.magnitude),
        "WAM-IG signed": (ig, masks.signed),
        "WAM-SG": (sg, masks.magnitude),
        "WAM-SG × z": (product, masks.magnitude),
        "energy": (z, masks.magnitude),
        "random": (wl.Coefficients(chance, z.layout), masks.magnitude),
        "oracle": (wl.Coefficients(better[0] - better[1], z.layout), masks.signed),
    }
    found = {
        f"{name} {fraction:g}": masks.top(order, fraction, reduce=reduce)
        for name, (order, reduce) in orders.items()
        for fraction in FRACTIONS
    }
    slow = {"WAM-IG": ig, "WAM-SG × z": product, "energy": z.map(torch.square)}
    return found | {f"{name} soft": masks.soft(a, WIDTH * rate) for name, a in slow.items()}


def row(net: str, kind: str, clip: str, other: str, *, samples: int) -> Row:
    """Every mask's figures on one mixture."""
    heard_by, named = classifier(net), {one["filename"]: one for one in index()}
    category, heard = int(named[clip]["target"]), mixture(heard_by, kind, named[clip], named[other])
    output = heard_by.output(heard.target, category)
    start = time.perf_counter()
    found = attributions(heard_by, heard.sum, output, samples)
    seconds = time.perf_counter() - start
    with torch.no_grad():
        before, after = (heard_by.module(x)[0, output].item() for x in (heard.target, heard.sum))
    ig, still_named = found["IG"][0], heard_by.named(heard.sum) == category
    made: Row = {
        "class": category,
        "still_named": still_named,
        "logit_clean": before,
        "logit": after,
        "gap": abs(ig.gap.item()) / max((ig.score - ig.baseline_score).abs().item(), 1e-9),
        "nodes": int(ig.spent.max()),
        "ratio_before": decibels(heard.target, heard.corruption),
        "si_sdr_before": si_sdr(heard.sum, heard.target),
        "explaining": round(seconds, 2),
    }
    for d, name in enumerate(DOMAINS):
        several = candidates(found["IG"][d], found["SG"][d], heard, heard_by.rate)
        made[name] = scores(several, heard)
        wanted = [label for label in several if label.endswith((" 0.1", " soft"))]
        if name == "db4":
            made["named_after"] = {n: heard_by.named(several[n].apply(heard.sum)) == category for n in wanted}
    return made


def summary(table: list[Row]) -> Row:
    """For each network, kind and wavelet: every mask's figures, and its difference to the energy order's."""
    found: Row = {}
    for net in NETS:
        for kind in KINDS:
            mine = [row for row in table if (row["key"]["net"], row["key"]["kind"]) == (net, kind)]
            if not mine:
                continue
            cell: Row = {"pairs": len(mine), "still_named": np.mean([row["still_named"] for row in mine]).item()}
            cell |= {name: interval([row[name] for row in mine]) for name in BEFORE}
            cell["named_after"] = {
                n: np.mean([r["named_after"][n] for r in mine]).item() for n in mine[0]["named_after"]
            }
            for wavelet in DOMAINS:
                cell[wavelet] = {label: _figures(mine, wavelet, label) for label in mine[0][wavelet]}
            named = [row for row in mine if row["still_named"]]
            if len(named) > 4:
                cell["where still named"] = {
                    "pairs": len(named), **{n: _figures(named, "db4", n) for n in mine[0]["db4"]}
                }  # fmt: skip
            found[f"{net}, {kind}"] = cell
    return found


def _figures(table: list[Row], wavelet: str, label: str) -> Row:
    scores = [row[wavelet][label] for row in table]
    name, _, last = label.rpartition(" ")
    energies = [row[wavelet][f"energy {last}"] for row in table]
    figures = {key: interval([s[key] for s in scores]) for key in scores[0]}
    if name == "energy":
        return figures
    ahead = {
        f"{key} less energy's": interval([s[key] - e[key] for s, e in zip(scores, energies, strict=True)])
        for key in ("ratio", "si_sdr")
    }
    return figures | ahead


def show(found: Row) -> None:
    for title, cell in found.items():
        print(
            f"\n{title}: {cell['pairs']} pairs, {cell['still_named']:.0%} still named, SI-SDR {cell['si_sdr_before']}"
        )
        for label, f in cell["db4"].items():
            print(
                f"  {label:20}", *(f"{key} {f[key][0]:6.2f}" for key in ("kept", "kept_corruption", "ratio", "si_sdr"))
            )


def enough(pairs: int, results: Path) -> None:
    """End the program where a record of few pairs would take the place of the one that pages show."""
    if pairs < LEAST and results.resolve() == RESULTS.resolve():
        sys.exit(f"{pairs} pairs decide nothing: a record has {LEAST} or more. Try fewer with --results FOLDER.")


def main(argv: list[str] | None = None) -> None:
    given = options(__doc__, SMALL, FULL, argv)
    if given.accuracy:
        found = {name: accuracy(name, given.accuracy, given.seed) for name in NETS}
        print(found, write("sound-accuracy", found, given.results))
        return
    enough(given.pairs, given.results)
    keys = [
        {"net": name, "kind": kind, "clip": clip["filename"], "other": other["filename"]}
        for name in NETS
        for clip, other in pairs(classifier(name), given.pairs, given.seed)
        for kind in KINDS
    ]
    settings = {
        "methods": {name: repr(method) for name, method in methods(given.samples).items()},
        "domains": {name: repr(domain) for name, domain in DOMAINS.items()},
        "fractions": list(FRACTIONS),
        "width": WIDTH,
        "soft rule": soft_rule(),
    }
    table = rows.each(rows.place("sound"), settings, keys, lambda **key: row(**key, samples=given.samples))
    found = summary(table)
    seconds = round(sum(one["seconds"] for one in table))
    write("sound", {"seed": given.seed, **settings, "seconds": seconds, "results": found}, given.results)
    show(found)


if __name__ == "__main__":
    main()
