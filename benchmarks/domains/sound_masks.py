"""Masks for listening in several domains: what a rebuilt sound keeps of the target, and how far stems leak.

    python benchmarks/domains/sound_masks.py --pairs 40

The mixtures are those of benchmarks/paper/sound.py: clips of ESC-50 (fold 4) at 0 dB with white noise or with a clip of
another class. Integrated gradients with `tolerance=0.02` are read in every domain from one pass. For the soft mask
(0.2 s) and the top 10 % of the attribution, and for the same masks of the energy |z|² and of an oracle that knows both
sounds, there are

    kept, kept_corruption   energy of M target and of M corruption, as parts of what went in
    ratio                   energy of M target over that of M corruption in dB
    si_sdr                  of the rebuilt sound against the target in dB
    si_sdr_corruption       of the rebuilt sound against the corruption in dB: less is better

A stem is what a domain keeps of the mixture at one scale. `outside` is the part of the stems' energy outside their
nominal bands, `octave_away` the part more than an octave away from them; stems are weighted by their energy.
"""

from __future__ import annotations

from typing import Any

import at_items
import record
import sound
import torch
from record import rows
from torch import Tensor

import wavelens as wl
from wavelens import masks

SMALL = {"pairs": 40, "seed": 1, "net": "yamnet", "tolerance": 0.02}
DOMAINS = {
    "DWT db4": wl.DWT("db4", levels=8),
    "DWT db16": wl.DWT("db16", levels=8),
    "STFT": wl.STFT("hann", 1024),
    "ConstantQ": wl.ConstantQ(3, octaves=8),
}
REFERENCE = "DWT db4"
FRACTION = 0.1
EDGES = {"outside": 1.0, "octave_away": 2.0}  # how far a nominal band is widened, as a factor of frequency


def figures(mask: masks.Mask, heard: sound.Mixture) -> dict[str, float]:
    """Energies in dB and as parts, SI-SDR against the target and against the corruption."""
    target, corruption = mask.apply(heard.target), mask.apply(heard.corruption)
    scores = {
        "fraction": mask.data.mean().item(),
        "kept": (target.square().sum() / heard.target.square().sum()).item(),
        "kept_corruption": (corruption.square().sum() / heard.corruption.square().sum()).item(),
        "ratio": sound.decibels(target, corruption),
        "si_sdr": sound.si_sdr(target + corruption, heard.target),
        "si_sdr_corruption": sound.si_sdr(target + corruption, heard.corruption),
    }
    return {name: float(f"{value:.4g}") for name, value in scores.items()}


def candidates(a: wl.Attribution, heard: sound.Mixture, width: float) -> dict[str, masks.Mask]:
    """The soft mask and the top coefficients of the attribution and of the controls."""
    z = a.domain.analysis(heard.sum)
    parts = [a.domain.analysis(x).data.abs() for x in (heard.target, heard.corruption)]
    chance = torch.rand(z.data.shape, generator=torch.Generator().manual_seed(0))
    return {
        "IG, soft": masks.soft(a, width),
        "IG, top": masks.top(a, FRACTION),
        "energy, soft": masks.soft(z.map(lambda data: data.abs().square()), width),
        "energy, top": masks.top(z, FRACTION),
        "random, top": masks.top(wl.Coefficients(chance, z.layout), FRACTION),
        "oracle, top": masks.top(wl.Coefficients(parts[0] - parts[1], z.layout), FRACTION, reduce=masks.signed),
    }


def leakage(kept: wl.Coefficients) -> dict[str, float]:
    """The part of the energy of all stems outside their bands, and more than an octave away from them."""
    energy, away = 0.0, dict.fromkeys(EDGES, 0.0)
    for scale in kept.layout.domain.scales(kept.layout):
        power = torch.fft.rfft(kept.only(*scale.bands).synthesis().double()).abs().square().sum((0, 1))
        for name, factor in EDGES.items():
            away[name] += _beyond(power, scale.extent[-1], factor)
        energy += power.sum().item()
    return {name: part / energy if energy else 0.0 for name, part in away.items()}


def _beyond(power: Tensor, extent: Any, factor: float) -> float:
    """The sum of a one-sided power spectrum outside an extent in cycles per sample, widened by a factor."""
    cycles = torch.linspace(0, 0.5, len(power), dtype=torch.float64)
    step = cycles[1]  # a bin on the edge counts as inside
    return power[(cycles < extent.low / factor - step) | (cycles > extent.high * factor + step)].sum().item()


def row(net: str, clip: str, other: str, kind: str, *, tolerance: float) -> rows.Row:
    classifier = sound.classifier(net)
    index = {one["filename"]: one for one in sound.index()}
    heard = sound.mixture(classifier, kind, index[clip], index[other])
    output = classifier.output(heard.target, int(index[clip]["target"]))
    method = wl.IntegratedGradients(tolerance=tolerance)
    several = wl.attribute(classifier.module, heard.sum, output, domain=list(DOMAINS.values()), method=method)
    rise = (several[0].score - several[0].baseline_score).abs().item()
    width = sound.WIDTH * classifier.rate
    scores, leaks = {}, {}
    for name, a in zip(DOMAINS, several, strict=True):
        made = candidates(a, heard, width)
        scores[name] = {label: figures(mask, heard) for label, mask in made.items()}
        leaks[name] = {"whole": leakage(a.domain.analysis(heard.sum)), "soft": leakage(made["IG, soft"].of(heard.sum))}
    return {
        "scores": scores,
        "leaks": leaks,
        "gap": abs(several[0].gap.item()) / max(rise, 1e-9),
        "nodes": int(several[0].spent.max()),
        "before": {
            "si_sdr": sound.si_sdr(heard.sum, heard.target),
            "si_sdr_corruption": sound.si_sdr(heard.sum, heard.corruption),
        },
    }


def summary(mine: list[rows.Row]) -> dict[str, Any]:
    """Means with intervals, and the paired differences to the same mask in the reference domain."""
    table: dict[str, Any] = {"pairs": len(mine)}
    for name in ("gap", "nodes"):
        table[name] = record.interval([row[name] for row in mine])
    table["before"] = {key: record.interval([row["before"][key] for row in mine]) for key in mine[0]["before"]}
    for name in mine[0]["scores"]:
        cell: dict[str, Any] = {}
        for label, measures in mine[0]["scores"][name].items():
            values = {key: [row["scores"][name][label][key] for row in mine] for key in measures}
            ours = {key: record.interval(several) for key, several in values.items()}
            for key in ("si_sdr", "si_sdr_corruption"):
                reference = [row["scores"][REFERENCE][label][key] for row in mine]
                paired = [a - b for a, b in zip(values[key], reference, strict=True)]
                ours[f"{key}, less {REFERENCE}'s"] = record.interval(paired)
            cell[label] = ours
        cell["leaks"] = {
            of: {key: record.interval([row["leaks"][name][of][key] for row in mine], digits=7) for key in EDGES}
            for of in ("whole", "soft")
        }
        table[name] = cell
    return table


def main(argv: list[str] | None = None) -> None:
    given = record.options(__doc__, SMALL, {}, argv)
    classifier = sound.classifier(given.net)
    keys = [
        {"net": given.net, "clip": clip["filename"], "other": other["filename"], "kind": kind}
        for clip, other in sound.pairs(classifier, given.pairs, given.seed)
        for kind in sound.KINDS
    ]
    settings = {"tolerance": given.tolerance, "seed": given.seed, "fraction": FRACTION, "width": sound.WIDTH}
    settings |= {"domains": {name: repr(domain) for name, domain in DOMAINS.items()}}
    made = rows.each(rows.place("sound_masks"), settings, keys, lambda **key: row(**key, tolerance=given.tolerance))
    kinds = {kind: [one for one in made if one["key"]["kind"] == kind] for kind in sound.KINDS}
    whole = {
        "net": given.net,
        "settings": settings,
        "seconds": round(sum(one["seconds"] for one in made)),
        "kinds": {kind: summary(mine) for kind, mine in kinds.items()},
    }
    record.write(f"sound-masks-{given.net}", whole, at_items.RESULTS)


if __name__ == "__main__":
    main()
