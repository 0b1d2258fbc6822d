"""Greedy extraction and the soft mask, by numbers that say what a listener meets.

    python benchmarks/paper/listening.py                          # 40 pairs, 80 mixtures; resumes
    python benchmarks/paper/listening.py --write FOLDER           # the first pair's sounds as wav files, and no record

Mixtures, classifier (Micro-ACDNet) and WAM-IG (to its completeness gap) are those of sound.py, with other clips. For
each mask

    snr, si_sdr      of the rebuilt sound against the target, dB
    kept, kept_corruption
    flatness         of the artefacts: what of the rebuilt sound is neither target nor corruption (the rest of its
                     projection on both; Vincent et al., 2006); geometric over arithmetic mean of the power spectrum
                     (Gray and Markel, 1974), frames of 1024 samples, averaged by their energy. Of white noise 0.56
    click            the loudest 5 ms of a pure tone under the mask, two octaves and more away from the tone, against
                     the tone: dB, the worst of three tones at the middle of octaves
    step             the largest change of the mask from one coefficient to the next

The greedy mask keeps the top 5 %, or as many coefficients as let through the energy that the soft mask (0.2 s) lets
through. Means with 95 % intervals (BCa, over pairs) go to results/listening.json; it is not written of fewer pairs than
decide anything.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import record
import torch
from record import Row, interval, options, rows
from sound import KINDS, TOLERANCE, Mixture, classifier, decibels, enough, index, mixture, pairs, si_sdr, soft_rule
from torch import Tensor

import wavelens as wl
from wavelens import masks
from wavelens.frontends.audio import write_audio

SMALL = {"pairs": 40, "seed": 2, "write": ""}
NET = "micro-acdnet"
METHOD = wl.IntegratedGradients(tolerance=TOLERANCE)
DOMAINS = [wl.DWT("haar", levels=8), wl.DWT("db4", levels=8), wl.DWT("db16", levels=8)]
WIDTHS = (0.05, 0.2, 0.5)  # seconds
FRAME = 1024
TONES = (3, 5, 7)  # levels whose octave they are in the middle of


def flatness(signal: Tensor) -> float:
    window = torch.hann_window(FRAME, dtype=torch.float64)
    frames = signal.double().flatten().unfold(0, FRAME, FRAME // 2) * window
    power = torch.fft.rfft(frames).abs()[:, 1:-1] ** 2
    weight = power.mean(1)
    flat = (power + 1e-20).log().mean(1).exp() / (weight + 1e-20)
    return ((flat * weight).sum() / weight.sum().clamp_min(1e-20)).item()


def artefacts(found: Tensor, heard: Mixture) -> Tensor:
    parts = torch.stack([heard.target.double().flatten(), heard.corruption.double().flatten()], 1)
    gains = torch.linalg.lstsq(parts, found.double().flatten()[:, None]).solution
    return found.double().flatten() - (parts @ gains)[:, 0]


def click(mask: masks.Mask, rate: int) -> float:
    """The worst of the tones, in dB."""
    n = mask.layout.signal_shape[0]
    seconds = torch.arange(n, dtype=torch.float64) / rate
    hertz = torch.fft.rfftfreq(n, 1 / rate, dtype=torch.float64)
    heard = []
    for level in TONES:
        f = 0.75 * rate / 2**level
        tone = torch.sin(2 * math.pi * f * seconds)
        spectrum = torch.fft.rfft(mask.apply(tone[None, None].float())[0, 0].double())
        spectrum[(hertz > f / 4) & (hertz < f * 4)] = 0
        away = torch.fft.irfft(spectrum, n) ** 2
        loudest = away.unfold(0, rate // 200, rate // 400).mean(1).max()
        heard.append(10 * math.log10(max(loudest.item() / 0.5, 1e-12)))
    return max(heard)


def step(mask: masks.Mask) -> float:
    return max(part.diff(dim=-1).abs().max().item() for _, part in mask if part.shape[-1] > 1)


def as_loud(order: wl.Coefficients, x: Tensor, like: Tensor) -> masks.Mask:
    """The top coefficients that let through as much energy of `x` as `like` has."""
    wanted, low, high = like.square().sum(), 0.0, 1.0
    for _ in range(14):
        middle = (low + high) / 2
        enough = masks.top(order, middle).apply(x).square().sum() >= wanted
        low, high = (low, middle) if enough else (middle, high)
    return masks.top(order, high)


def figures(mask: masks.Mask, heard: Mixture, rate: int) -> dict[str, float]:
    target, corruption = mask.apply(heard.target), mask.apply(heard.corruption)
    found = target + corruption
    return {
        "fraction": mask.data.mean().item(),
        "snr": decibels(heard.target, heard.target - found),
        "si_sdr": si_sdr(found, heard.target),
        "kept": (target.square().sum() / heard.target.square().sum()).item(),
        "kept_corruption": (corruption.square().sum() / heard.corruption.square().sum()).item(),
        "flatness": flatness(artefacts(found, heard)),
        "click": click(mask, rate),
        "step": step(mask),
    }


def candidates(
    haar: wl.Attribution, db4: wl.Attribution, db16: wl.Attribution, x: Tensor, rate: int
) -> dict[str, masks.Mask]:
    soft = {f"soft, {w:g} s, db16": masks.soft(db16, w * rate) for w in WIDTHS}
    loudness = soft["soft, 0.2 s, db16"].apply(x)
    return {
        "greedy 5 %, haar": masks.top(haar, 0.05),
        "greedy 5 %, db4": masks.top(db4, 0.05),
        "greedy 5 %, db16": masks.top(db16, 0.05),
        "greedy as loud, haar": as_loud(haar, x, loudness),
        "greedy as loud, db16": as_loud(db16, x, loudness),
        "soft, 0.2 s, db4": masks.soft(db4, 0.2 * rate),
        **soft,
    }


def write_sounds(folder: Path, heard: Mixture, several: dict[str, masks.Mask], rate: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    sounds = {"target": heard.target, "mixture": heard.sum}
    sounds |= {name: mask.apply(heard.sum) for name, mask in several.items()}
    sounds |= {f"stem {name}": stem for name, stem in masks.stems(heard.sum, several["soft, 0.2 s, db16"]).items()}
    for name, sound in sounds.items():
        write_audio(folder / f"{name.replace(' ', '-').replace(',', '').replace('%', 'percent')}.wav", sound, rate)


def explained(clip: str, other: str, kind: str) -> tuple[Mixture, list[wl.Attribution]]:
    """A mixture, and WAM-IG of it in each of DOMAINS from one pass."""
    net, named = classifier(NET), {one["filename"]: one for one in index()}
    heard = mixture(net, kind, named[clip], named[other])
    target = int(named[clip]["target"])
    return heard, wl.attribute(net.module, heard.sum, target, domain=DOMAINS, method=METHOD)


def row(clip: str, other: str, kind: str) -> Row:
    """Every mask's figures on one mixture, and what the path took and missed."""
    (heard, found), rate = explained(clip, other, kind), classifier(NET).rate
    several = candidates(*found, heard.sum, rate)
    rise = (found[0].score - found[0].baseline_score).abs().item()
    return {
        "gap": abs(found[0].gap.item()) / max(rise, 1e-9),
        "nodes": int(found[0].spent.max()),
        "figures": {name: figures(mask, heard, rate) for name, mask in several.items()},
    }


def summary(table: list[Row]) -> dict[str, Any]:
    """Means with intervals of one kind of mixture."""
    masks_of = table[0]["figures"]
    cells = {
        name: {key: interval([one["figures"][name][key] for one in table]) for key in masks_of[name]}
        for name in masks_of
    }
    return {name: interval([one[name] for one in table]) for name in ("gap", "nodes")} | cells


def main(argv: list[str] | None = None) -> None:
    given = options(__doc__, SMALL, {}, argv)
    count = 1 if given.write else given.pairs
    chosen = [(clip["filename"], other["filename"]) for clip, other in pairs(classifier(NET), count, given.seed)]
    if given.write:
        for kind in KINDS:
            heard, found = explained(*chosen[0], kind)
            rate = classifier(NET).rate
            write_sounds(Path(given.write) / kind, heard, candidates(*found, heard.sum, rate), rate)
        return
    enough(given.pairs, given.results)
    keys = [{"clip": clip, "other": other, "kind": kind} for clip, other in chosen for kind in KINDS]
    settings = {
        "net": NET,
        "method": repr(METHOD),
        "domains": [repr(domain) for domain in DOMAINS],
        "soft rule": soft_rule(),
    }
    table = rows.each(rows.place("listening"), settings, keys, row)
    results = {kind: summary([one for one in table if one["key"]["kind"] == kind]) for kind in KINDS}
    seconds = round(sum(one["seconds"] for one in table))
    counts = {"pairs": len(chosen), "seed": given.seed}
    record.write("listening", counts | settings | {"seconds": seconds, "results": results}, given.results)
    for kind, cells in results.items():
        print(kind, *(f"{key} {cells[key][0]:.3g}" for key in ("gap", "nodes")))
        for name, f in cells.items():
            if isinstance(f, dict):
                print(f"  {name:22}", *(f"{key} {value[0]:8.3f}" for key, value in f.items()))


if __name__ == "__main__":
    main()
