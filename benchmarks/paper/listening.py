"""Greedy extraction and the soft mask, by numbers that say what a listener meets.

    python benchmarks/paper/listening.py                      # 20 pairs, 40 mixtures: minutes on one thread
    python benchmarks/paper/listening.py --write FOLDER       # the first pair's sounds as wav files, too

Mixtures, classifier (Micro-ACDNet) and WAM-IG are those of sound.py, with other clips. For each mask

    snr, si_sdr      of the rebuilt sound against the target, dB
    kept, kept_corruption
    flatness         of the artefacts: what of the rebuilt sound is neither target nor corruption (the rest of its
                     projection on both; Vincent et al., 2006); geometric over arithmetic mean of the power spectrum
                     (Gray and Markel, 1974), frames of 1024 samples, averaged by their energy. Of white noise 0.56
    click            the loudest 5 ms of a pure tone under the mask, two octaves and more away from the tone, against
                     the tone: dB, the worst of three tones at the middle of octaves
    step             the largest change of the mask from one coefficient to the next

The greedy mask keeps the top 5 %, or as many coefficients as let through the energy that the soft mask (0.2 s) lets
through. Means with 95 % intervals (bootstrap over pairs) go to results/listening.json.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import torch
from record import RESULTS, command, interval, parser, save, versions
from sound import KINDS, Mixture, classifier, decibels, mixture, pairs, si_sdr
from torch import Tensor

import wavelens as wl
from wavelens import masks
from wavelens.frontends.audio import write_audio

NET = "micro-acdnet"
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


def main() -> None:
    known = parser(__doc__)
    known.add_argument("--pairs", type=int, default=20)
    known.add_argument("--gradients", type=int, default=10)
    known.add_argument("--seed", type=int, default=2)
    known.add_argument("--write", type=Path)
    known.add_argument("--out", type=Path, default=RESULTS / "listening.json")
    options = known.parse_args()
    torch.set_num_threads(1)
    start, net = time.perf_counter(), classifier(NET)
    rows: dict[str, list[dict[str, dict[str, float]]]] = {kind: [] for kind in KINDS}
    method = wl.IntegratedGradients(steps=options.gradients)
    for number, (clip, other) in enumerate(pairs(net, options.pairs, options.seed)):
        for kind in KINDS:
            heard = mixture(net, kind, clip, other)
            found = wl.attribute(net.module, heard.sum, int(clip["target"]), domain=DOMAINS, method=method)
            several = candidates(*found, heard.sum, net.rate)
            rows[kind].append({name: figures(mask, heard, net.rate) for name, mask in several.items()})
            if options.write and number == 0:
                write_sounds(options.write / kind, heard, several, net.rate)
    results: dict[str, Any] = {
        kind: {name: {k: interval([r[name][k] for r in mine]) for k in one} for name, one in mine[0].items()}
        for kind, mine in rows.items()
    }
    record = {
        "command": command(),
        "seconds": round(time.perf_counter() - start),
        **versions(),
        "pairs": options.pairs,
        "net": NET,
        "method": repr(method),
        "domains": [repr(domain) for domain in DOMAINS],
        "results": results,
    }
    save(options.out, record)
    for kind, cell in results.items():
        print(kind)
        for name, f in cell.items():
            print(f"  {name:22}", *(f"{key} {value[0]:8.3f}" for key, value in f.items()))


if __name__ == "__main__":
    main()
