"""WAM-SG and WAM-IG of sounds, through a log-mel spectrogram and a CNN, against the bare passes and the authors' way.

    python benchmarks/speed/sound.py [--device cuda] [--rounds 5] [--method WAM-SG]

Eight clips of 5 s at 44.1 kHz, n = 25, haar over five levels. Bare: n forward and backward passes of the same model to
the waveform, parameters frozen, nothing else, in the same chunks. Authors: the method of their released code in its
plainest form: in each of n samples (steps) the coefficients of the noisy (scaled) clips by PyWavelets, a synthesis that
is differentiated (here PyTorch's, by transposed convolutions level by level), the log-mel clip by clip, the model, and
the gradient of the coefficients by `backward()`, parameters not frozen. Each round times all in turn; a ratio is the
median over rounds. Peak memory is that of one run above what is held before it; on a CPU (Linux) each is read in a
process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pywt
import torch
from timing import interleaved, peak, ratio, recorded, write
from torch import Tensor, nn

import wavelens as wl

SAMPLES, CLIPS, RATE, SECONDS, LEVELS, SIGMA = 25, 8, 44100, 5, 5, 0.001
DOMAIN = wl.DWT("haar", levels=LEVELS)
METHODS = {
    "WAM-SG": wl.SmoothGrad(samples=SAMPLES, sigma=SIGMA),
    "WAM-IG": wl.IntegratedGradients(steps=SAMPLES, quadrature="trapezoid"),
}


def network() -> nn.Module:
    """Four convolutions of stride two over a log-mel picture of 128 bands and 431 frames, 50 classes."""
    layers: list[nn.Module] = []
    for before, after in ((1, 16), (16, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 50))


def build(device: str) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    model = nn.Sequential(wl.frontends.LogMel(RATE, n_fft=2048, hop_length=512, n_mels=128), network())
    return model.eval().to(device), (torch.randn(CLIPS, 1, RATE * SECONDS) / 10).to(device)


def candidates(model: nn.Module, x: Tensor, method: str) -> dict[str, Callable[[], Any]]:
    target = [0] * len(x)

    def ours() -> Any:
        return wl.attribute(model, x, target, domain=DOMAIN, method=METHODS[method], batch_size=len(x))

    def bare() -> Tensor:
        total = torch.zeros_like(x)
        for p in model.parameters():
            p.requires_grad_(False)
        for _ in range(SAMPLES):
            point = x.clone().requires_grad_()  # each pass has an input of its own
            total += torch.autograd.grad(model(point)[:, 0].sum(), point)[0]
        for p in model.parameters():
            p.requires_grad_(True)
        return total

    return {"ours": ours, "bare": bare, "authors": lambda: authors(model, x, method)}


def authors(model: nn.Module, x: Tensor, method: str) -> list[Tensor]:
    """Transforms inside the loop over samples, the mel inside a loop over clips."""
    mel, net = model
    spread = SIGMA * (x.amax((1, 2), keepdim=True) - x.amin((1, 2), keepdim=True))
    totals: list[Tensor] = []
    for k in range(SAMPLES):
        if method == "WAM-SG":
            point, weight = x + spread * torch.randn_like(x), 1 / SAMPLES
        else:
            point, weight = x * (k / (SAMPLES - 1)), (0.5 if k in (0, SAMPLES - 1) else 1.0) / (SAMPLES - 1)
        coefficients = [c.requires_grad_() for c in analysis(point)]
        wave = synthesis(coefficients, x.shape[-1])
        pictures = [log_mel(mel, wave[i : i + 1]) for i in range(len(wave))]
        scores = net(torch.cat(pictures))[:, 0]
        model.zero_grad()
        scores.sum().backward()
        found = [c.grad * weight for c in coefficients]
        totals = [t + f for t, f in zip(totals, found, strict=True)] if totals else found
    if method == "WAM-IG":
        totals = [t * c for t, c in zip(totals, analysis(x), strict=True)]
    return totals


def log_mel(mel: wl.frontends.LogMel, clip: Tensor) -> Tensor:
    """What `mel` computes, over torch's own spectrogram."""
    spectrum = torch.stft(
        clip[0], mel.n_fft, mel.hop_length, window=mel.window, pad_mode=mel.pad_mode, return_complex=True
    )
    return 10 * (mel.mel @ spectrum.abs().square()).clamp_min(mel.amin).log10()[None]


def analysis(x: Tensor) -> list[Tensor]:
    """Coefficients of each clip by PyWavelets, clip by clip."""
    clips = [pywt.wavedec(clip, "haar", level=LEVELS) for clip in x[:, 0].cpu().numpy()]
    return [torch.from_numpy(np.stack(bands))[:, None].to(x) for bands in zip(*clips, strict=True)]


def synthesis(coefficients: list[Tensor], samples: int) -> Tensor:
    low, *details = coefficients
    wavelet = pywt.Wavelet("haar")
    filters = torch.tensor([wavelet.rec_lo, wavelet.rec_hi], dtype=low.dtype, device=low.device)[:, None]
    for detail in details:
        pair = torch.cat([low[..., : detail.shape[-1]], detail], 1)
        low = nn.functional.conv_transpose1d(pair, filters, stride=2)
    return low[..., :samples]


def check(model: nn.Module, x: Tensor) -> float:
    """How far the authors' IG is from ours, relative to the largest: both compute the same."""
    ours = wl.attribute(model, x, 0, domain=wl.DWT("haar", LEVELS, "symmetric"), method=METHODS["WAM-IG"])
    theirs = torch.cat(authors(model, x, "WAM-IG"), -1)
    return float((ours.data - theirs).abs().max() / theirs.abs().max())


def peaks(method: str, device: str) -> dict[str, int]:
    if device.startswith("cuda"):
        runs = candidates(*build(device), method)
        return {key: peak(runs[key], device) for key in ("bare", "ours", "authors")}
    settings = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}  # free at once
    found = {}
    for key in ("bare", "ours", "authors"):
        command = [sys.executable, __file__, "--peak", method, key]
        found[key] = int(subprocess.run(command, capture_output=True, text=True, check=True, env=settings).stdout)
    return found


def measure(method: str, device: str, rounds: int) -> dict[str, Any]:
    model, x = build(device)
    seconds = interleaved(candidates(model, x, method), device, rounds)
    memory = peaks(method, device)
    return {
        "method": method,
        "seconds": {key: round(sorted(values)[len(values) // 2], 4) for key, values in seconds.items()},
        "ours ÷ bare": round(ratio(seconds, "ours", "bare"), 3),
        "authors ÷ ours": round(ratio(seconds, "authors", "ours"), 3),
        "peak memory, MB": {key: round(value / 1e6, 1) for key, value in memory.items()},
        "peak memory ÷ bare": round(memory["ours"] / memory["bare"], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--method", choices=METHODS, nargs="*", default=list(METHODS))
    parser.add_argument("--peak", nargs=2, metavar=("METHOD", "CANDIDATE"), help="print one candidate's peak memory")
    options = parser.parse_args()
    if options.peak:
        method, key = options.peak
        print(peak(candidates(*build(options.device), method)[key], options.device))
        return
    torch.backends.cudnn.benchmark = True
    shape = {"clips": CLIPS, "seconds": SECONDS, "rate": RATE, "samples": SAMPLES}
    for method in options.method:
        row = measure(method, options.device, options.rounds)
        if method == "WAM-IG":
            row["authors' from ours"] = f"{check(*build(options.device)):.1e}"
        print(json.dumps(row, ensure_ascii=False), flush=True)
        others = [known for known in recorded("sound", options.device) if known["method"] != method]
        write("sound", options.device, {**shape, "rows": [*others, row]})


if __name__ == "__main__":
    main()
