"""Table 3: sounds, clean and with white noise at 0 dB; a network on the waveform and one behind a log-mel spectrogram.

    python benchmarks/paper/table3.py              # 20 clips, curves of 10 steps
    FULL=1 python benchmarks/paper/table3.py       # all 400 clips of ESC-50's fold 4, 64 steps

Micro-ACDNet hears the waveform; YAMNet a log-mel spectrogram, so it is explained twice: down to the waveform (the
gradient passes the spectrogram) and at the spectrogram. Paths have nodes until they miss 2 % of the rise. What is
explained is the class that the network names; curves follow its probability. Attributions are judged in the coordinates
that they were made in, beside the controls there. A spectrogram's baseline is silence, not zero. FF is a median, as the
paper has it. Grad-CAM looks at YAMNet's patches one by one, which are then put together; on the waveform there is no
layer with the signal's axis.
"""

from __future__ import annotations

import math
from functools import cache

import at_hand
import judging
import numpy as np
import record
import sound
import torch
from record import rows
from torch import Tensor, nn

import wavelens as wl
from wavelens.baselines import GradCAM
from wavelens.core import Coefficients, Domain
from wavelens.models.networks import yamnet
from wavelens.targets import Target

SMALL = {"clips": 20, "steps": 10, "effort": 25}
FULL = {"clips": 400, "steps": 64}
SIGMA = 0.001  # the paper's, for sound
SILENCE = math.log(1e-3)  # what YAMNet's spectrogram is of silence
WAVEFORM = {"samples": wl.Identity(), "wavelets": wl.DWT("haar", levels=8)}
SPECTROGRAM = {"spectrogram": wl.Identity(), "wavelets of the spectrogram": wl.DWT("haar", levels=3)}
PLAIN, WAM = ("Saliency", "Integrated Gradients", "SmoothGrad", "GradCAM"), ("WAM-SG", "WAM-IG")
CASES = ("Micro-ACDNet", "YAMNet", "YAMNet, spectrogram")


class Heard(nn.Module):
    """YAMNet from its log-mel spectrogram on, `(batch, 1, frames, 64)` to logits."""

    def __init__(self, net: yamnet.YAMNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        patches = cut(x)
        return self.net.pooled(self.net.classifier(self.net.features(patches)).unflatten(0, (len(x), -1)))


class Patchwise(nn.Module):
    def __init__(self, net: yamnet.YAMNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, patches: Tensor) -> Tensor:
        logits: Tensor = self.net.classifier(self.net.features(patches))
        return logits


def cut(x: Tensor) -> Tensor:
    """Patches `(batch · patches, 1, 96, 64)` of a spectrogram."""
    return x.unfold(2, yamnet.PATCH, yamnet.STEP).permute(0, 2, 1, 4, 3).flatten(0, 1)


def together(patches: Tensor) -> Tensor:
    """Maps of one spectrogram's patches `(patches, 1, 96, 64)` where they lie, their mean where they overlap."""
    frames = (len(patches) - 1) * yamnet.STEP + yamnet.PATCH
    total, count = torch.zeros(2, 1, 1, frames, patches.shape[-1])
    for k, patch in enumerate(patches):
        piece = slice(k * yamnet.STEP, k * yamnet.STEP + yamnet.PATCH)
        total[0, 0, piece] += patch[0]
        count[0, 0, piece] += 1
    return total / count


@cache
def classifier(name: str) -> sound.Classifier:
    return sound.classifier(name)


@cache
def inner() -> yamnet.YAMNet:
    """YAMNet without the windows for longer clips."""
    return next(m for m in classifier("yamnet").module.modules() if isinstance(m, yamnet.YAMNet))


def waveform(name: str, noisy: bool) -> Tensor:
    """At 44.1 kHz; the noise has the clip's own RMS (figure 10) and is the same for a recording."""
    clean = sound.waveform(name)
    if not noisy:
        return clean
    seed = torch.Generator().manual_seed(int(name.split("-")[1]))
    return sound.corrupted(clean, torch.randn(clean.shape, generator=seed, dtype=torch.float64))


def case(which: str, wave: Tensor) -> tuple[nn.Module, Tensor, float]:
    """The network, what it is given and the baseline of that."""
    net = classifier("micro-acdnet" if which == "Micro-ACDNet" else "yamnet")
    x = net.prepared(wave)
    if which != "YAMNet, spectrogram":
        return net.module, x, 0.0
    with torch.no_grad():
        patches = inner().patches(x)
    return Heard(inner()).eval(), together(patches), SILENCE


def asked(which: str, target: int) -> Target:
    """The probability of a class: YAMNet's classes do not exclude each other."""
    return target if which == "Micro-ACDNet" else lambda logits: logits[:, target].sigmoid()


def grad_cam(model: nn.Module, x: Tensor, target: int) -> Coefficients:
    if not isinstance(model, Heard):
        raise ValueError("Grad-CAM needs a layer with the signal's own axes; these networks make a picture of a sound.")
    patches = cut(x)
    maps = GradCAM()(Patchwise(model.net).eval(), patches, target).data.view(patches.shape)
    return wl.Identity().analysis(together(maps))


def explainers(effort: int, start: float) -> dict[object, object]:
    return {
        ("Saliency",): wl.Saliency(),
        ("Integrated Gradients", "WAM-IG"): wl.IntegratedGradients(tolerance=judging.TOLERANCE, baseline=start),
        ("SmoothGrad", "WAM-SG"): wl.SmoothGrad(samples=effort, sigma=SIGMA),
        "GradCAM": grad_cam,
    }


def row(network: str, noise: str, clip: str, *, steps: int, effort: int) -> rows.Row:
    model, x, start = case(network, waveform(clip, noise == "noisy"))
    with torch.no_grad():
        target = int(model(x).argmax(1))
    domains = SPECTROGRAM if network == "YAMNet, spectrogram" else WAVEFORM
    found, seconds, left_out = judging.explained(model, x, target, explainers(effort, start), list(domains.values()))

    def more(model: nn.Module, x: Tensor, target: Target, a: Coefficients, domain: Domain) -> dict[str, Tensor]:
        return {
            "ff": wl.metrics.ff(model, x, target, a, domain=domain, baseline=start),
            "fid_in": wl.metrics.fid_in(model, x, target, a, domain=domain, baseline=start),
        }

    scores = judging.judged(
        model,
        x,
        asked(network, target),
        found,
        domains,
        judging.Measures(steps, baseline=start, more=more),
        item=clip,
        asked=target,
        orders=dict(zip(domains, (PLAIN, WAM), strict=True)),
    )
    made = {"class": target, "explaining": seconds, "left_out": left_out}
    return made | {"gaps": judging.gaps(found), "scores": scores}


def main(argv: list[str] | None = None) -> None:
    given = record.options(__doc__, SMALL, FULL, argv)
    settings = {name: getattr(given, name) for name in ("steps", "effort")}
    keys = [
        {"network": network, "noise": noise, "clip": clip}
        for clip in at_hand.clip_names(given.clips)
        for network in CASES
        for noise in ("clean", "noisy")
    ]
    made_with = {
        "domains": judging.texts(WAVEFORM | SPECTROGRAM),
        "explainers": judging.texts(explainers(given.effort, 0.0)),
        "silence": SILENCE,
        "measured": judging.MEASURED,
    }
    found = rows.each(rows.place("table3"), settings | made_with, keys, lambda **key: row(**key, **settings))
    networks = {}
    for network in CASES:
        for noise in ("clean", "noisy"):
            mine = [r for r in found if (r["key"]["network"], r["key"]["noise"]) == (network, noise)]
            cells = judging.cells(mine, "clip", {"ff": np.median})
            networks[f"{network}, {noise}"] = {"left_out": judging.left_out(mine), "cells": cells}
    whole = {
        "title": "Table 3: sounds",
        "data": f"clips of ESC-50's fold 4, {at_hand.DRAW}",
        "clips": len(found) // len(networks),
        "settings": settings | {"sigma": SIGMA},
        **made_with,
        "seconds": round(sum(one["seconds"] for one in found)),
        "networks": networks,
    }
    record.write("table3", whole, given.results)


if __name__ == "__main__":
    main()
