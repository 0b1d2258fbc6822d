"""WAM-SG and WAM-IG of sounds, through a log-mel spectrogram and a CNN, against the bare passes and the authors' way.

    python benchmarks/speed/sound.py [--device cuda] [--rounds 5] [--method WAM-SG]

Eight clips of 5 s at 44.1 kHz, n = 25, haar over five levels. Bare: n forward and backward passes of the same model to
the waveform, parameters frozen, nothing else, in the same chunks. Authors: what their released code does
(github.com/gabrielkasmi/wam, lib/wam_1D.py), in its plainest form; `authors` names each trait. Each round times all in
turn; a ratio is that of the least times. Peak memory is that of one run above what is held before it; on a CPU (Linux)
each is read in a process of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import bare
import numpy as np
import ptwt
import torch
from record import against, interleaved, least, peak, peaks_apart, ratio, replace, timed_parser
from torch import Tensor, nn

import wavelens as wl
from wavelens.frontends.mel import mel_matrix

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

    return {
        "ours": ours,
        "bare": lambda: bare.passes(model, x, SAMPLES),
        "authors": lambda: authors(model, x, method),
    }


def authors(model: nn.Module, x: Tensor, method: str) -> list[Any]:
    """Each band's attributions. As released:

    - waveforms, transforms and mel stay on the CPU, and only the pictures go to the device of the network;
    - noise is drawn clip by clip by NumPy, in float64;
    - each noisy batch has a transform of its own by ptwt, mode "reflect"; a path scales the coefficients of one;
    - every pass builds the mel filter bank and the window, and goes through the clips one by one;
    - parameters are not frozen, and their gradients are never cleared;
    - each pass hands the gradients and the coefficients to NumPy, and the gradients of the pictures, which are asked
      for too; those of all passes are kept, and stacked at the end.
    """
    mel, net = model
    clips = x[:, 0].cpu()
    passes, pictures = [], []
    whole = ptwt.wavedec(clips, "haar", level=LEVELS, mode="reflect")
    for k in range(SAMPLES):
        if method == "WAM-SG":
            coefficients = ptwt.wavedec(noisy(clips), "haar", level=LEVELS, mode="reflect")
        else:
            coefficients = [c * (k / (SAMPLES - 1)) for c in whole]
        found, picture = gradients(mel, net, coefficients, x.device)
        passes.append(found)
        pictures.append(picture)
    stacked = [np.stack(band) for band in zip(*passes, strict=True)]
    join = np.mean if method == "WAM-SG" else np.trapezoid
    join(np.stack(pictures), axis=0)
    if method == "WAM-SG":
        return [band.mean(0) for band in stacked]
    return [np.trapezoid(g, axis=0) / (SAMPLES - 1) * c.numpy() for g, c in zip(stacked, whole, strict=True)]


def noisy(clips: Tensor) -> Tensor:
    """Each clip with noise of its own scale."""
    found = torch.zeros(clips.shape)
    for i, clip in enumerate(clips):
        spread = SIGMA * float(clip.max() - clip.min())
        noise = np.random.normal(0, spread, len(clip))  # noqa: NPY002
        found[i] = clip + torch.from_numpy(noise.astype(np.float32))
    return found


def gradients(mel: wl.frontends.LogMel, net: nn.Module, coefficients: list[Tensor], device: Any) -> tuple[Any, Any]:
    """One pass: of a class, for the coefficients and for the mel pictures."""
    leaves = [c.requires_grad_() for c in coefficients]
    waves = ptwt.waverec(leaves, "haar")
    window = torch.hann_window(mel.n_fft)
    bank = mel_matrix.__wrapped__(mel.rate, mel.n_fft, mel.n_mels).float()
    pictures = torch.stack([log_mel(mel, wave, window, bank) for wave in waves])
    pictures.retain_grad()
    net(pictures.to(device))[:, 0].sum().backward()
    [c.detach().numpy() for c in leaves]
    return [c.grad.numpy() for c in leaves], pictures.grad.numpy()


def log_mel(mel: wl.frontends.LogMel, wave: Tensor, window: Tensor, bank: Tensor) -> Tensor:
    """What `mel` computes of one clip, over torch's own spectrogram, `(1, bands, frames)`."""
    spectrum = torch.stft(wave, mel.n_fft, mel.hop_length, window=window, pad_mode=mel.pad_mode, return_complex=True)
    return 10 * (bank @ spectrum.abs().square()).clamp_min(mel.amin).log10()[None]


def check(model: nn.Module, x: Tensor) -> float:
    """How far the authors' IG is from ours, relative to the largest: both compute the same."""
    ours = wl.attribute(model, x, 0, domain=wl.DWT("haar", LEVELS, "reflect"), method=METHODS["WAM-IG"])
    theirs = torch.from_numpy(np.concatenate(authors(model, x, "WAM-IG"), -1))[:, None]
    return float((ours.data.cpu() - theirs).abs().max() / theirs.abs().max())


def peaks(method: str, device: str) -> dict[str, int]:
    names = ("bare", "ours", "authors")
    if device.startswith("cuda"):
        runs = candidates(*build(device), method)
        return {key: peak(runs[key], device) for key in names}
    return peaks_apart(__file__, ["--peak", method], names)


def measure(method: str, device: str, rounds: int) -> dict[str, Any]:
    model, x = build(device)
    seconds = interleaved(candidates(model, x, method), device, rounds)
    memory = peaks(method, device)
    return {
        "method": method,
        "seconds": least(seconds),
        "ours ÷ bare": round(ratio(seconds, "ours", "bare"), 3),
        "authors ÷ ours": round(ratio(seconds, "authors", "ours"), 3),
        **against(memory),
    }


def main() -> None:
    parser = timed_parser(__doc__, rounds=5, method=METHODS)
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
        replace("sound", options.device, [row], ("method",), **shape)


if __name__ == "__main__":
    main()
