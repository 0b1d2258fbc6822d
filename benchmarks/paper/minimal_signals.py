"""Minimal sounds and minimal volumes by `wavelens minimal`, and what its files hold when they are read again.

    python benchmarks/paper/minimal_signals.py          # minutes on one thread

A clip of ESC-50's fold 4 for YAMNet and one for Micro-ACDNet, and two adrenal glands of MedMNIST as NIfTI (28 voxels
are 64 mm; Yang et al., 2023). The command writes what is left for each price as wav, or as NIfTI over the scan; here
each of its files is read again and the network asked about it. The figures go to results/minimal-signals.json, with
the pictures of docs/guides/minimal.md. The files stay in wavelens-out/minimal-signals: ESC-50 is CC BY-NC (MedMNIST is
CC BY 4.0). Needs the folder WAVELENS_DATA.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import at_hand
import numpy as np
import pictures
import record
import sound
import torch
from matplotlib.figure import Figure
from torch import Tensor

import wavelens as wl
from wavelens.cli import main as command

OUT = Path("wavelens-out") / "minimal-signals"
ALPHAS = (1, 10, 100)
STEPS = 100
CLIPS = {"rooster": "yamnet", "clock_tick": "micro-acdnet"}  # a class, of which the first clip, and who hears it
FILES = {"resnet3d": "adrenal_resnet3d", **sound.NETS}
BYTE = 255  # the gland's values are bytes
GLANDS = (0, 1)  # classes, of which the first gland that the network tells right
Row = dict[str, Any]


def weights(model: str) -> Path:
    file = f"weights/{FILES[model]}.safetensors"
    return at_hand.at(file)


def clip(category: str) -> Path:
    name = min(row["filename"] for row in sound.index() if row["category"] == category)
    return next(at_hand.at("audio/esc50_fold4").glob(f"{Path(name).stem}.*"))


def gland(label: int) -> Path:
    """The scan as a NIfTI file in millimetres."""
    volumes, labels = at_hand.medmnist("adrenal")
    net = wl.models.load("resnet3d", weights=weights("resnet3d")).module
    first = next(k for k in torch.nonzero(labels == label)[:, 0].tolist() if net(volumes[[k]]).argmax() == label)
    path = OUT / "scans" / f"gland-{label}.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.diag([64 / 28, 64 / 28, 64 / 28, 1.0])
    wl.frontends.write_volume(path, wl.frontends.Volume(BYTE * volumes[[first]], affine))
    return path


def reduced(path: Path, model: str) -> Row:
    """What the command says of an input, and what the network says of the files that it wrote."""
    checkpoint = weights(model)
    options = ["--alpha", ",".join(map(str, ALPHAS)), "--steps", str(STEPS), "--out", str(OUT)]
    if code := command(["minimal", str(path), "--model", model, "--weights", str(checkpoint), *options]):
        raise SystemExit(code)
    stem = path.name.removesuffix(".nii.gz").removesuffix(path.suffix)
    found = json.loads((OUT / f"{stem}-minimal.json").read_text("utf-8"))
    loaded = wl.models.load(model, weights=checkpoint)
    given = signal(path, loaded)
    for row in found["front"][1:]:
        x = signal(written(path, row["alpha"]), loaded)
        with torch.no_grad():
            row["logit of the file"] = float(loaded.module(x)[0, found["target"]["index"]])
        row["dB below the input"] = -10 * math.log10(energy(x) / energy(given))
    label, kept = (
        found["target"]["label"],
        [{k: v for k, v in row.items() if k != "from_to"} for row in found["scales"]],
    )
    return {"input": path.name, "model": model, "class": label, "front": found["front"], "scales": kept}


def written(path: Path, alpha: float) -> Path:
    nifti = path.name.endswith(".nii.gz")
    stem = path.name.removesuffix(".nii.gz") if nifti else path.stem
    return OUT / f"{stem}-minimal-{alpha:g}{'.nii.gz' if nifti else '.wav'}"


def read(path: Path) -> Any:
    return wl.frontends.read_volume(path) if path.name.endswith(".nii.gz") else wl.frontends.read_audio(path)


def signal(path: Path, loaded: wl.models.LoadedModel) -> Tensor:
    """What the network is given of a file; values of volumes beyond its window are not clipped."""
    found = read(path)
    return found.data / BYTE if path.name.endswith(".nii.gz") else loaded.preprocess(found)


def energy(x: Tensor) -> float:
    return float(x.double().square().sum())


def slices(paths: list[Path]) -> Figure:
    """The plane of each gland that holds most of it, and the same plane of what is left."""
    figure = Figure((2.3 * (1 + len(ALPHAS)), 2.5 * len(paths)), dpi=80, facecolor="white", layout="constrained")
    axes: Any = figure.subplots(len(paths), 1 + len(ALPHAS), squeeze=False)
    for line, path in zip(axes, paths, strict=True):
        scans = [read(path), *(read(written(path, alpha)) for alpha in ALPHAS)]
        plane = int(scans[0].data[0, 0].sum((1, 2)).argmax())
        for ax, scan, title in zip(line, scans, ("gland", *(f"α = {alpha}" for alpha in ALPHAS)), strict=True):
            shown = scan.data[0, 0, plane].numpy()
            ax.imshow(shown, cmap="gray", vmin=0, vmax=BYTE, extent=(0, 64, 64, 0), interpolation="nearest")
            ax.set_title(title, fontsize=10)
            ax.set_xlabel("mm", fontsize=8)
            ax.tick_params(labelsize=7)
    return figure


def octaves(paths: dict[Path, str]) -> Figure:
    """The spectrogram of each clip as its network hears it, and of what is left."""
    figure = Figure((2.7 * (1 + len(ALPHAS)), 2.6 * len(paths)), dpi=80, facecolor="white", layout="constrained")
    axes: Any = figure.subplots(len(paths), 1 + len(ALPHAS), squeeze=False)
    for line, (path, model) in zip(axes, paths.items(), strict=True):
        loaded = wl.models.load(model, weights=weights(model))
        rate = round(1 / loaded.preprocess.grid(read(path)).spacing[0])
        clips = [loaded.preprocess(read(p))[0, 0] for p in (path, *(written(path, alpha) for alpha in ALPHAS))]
        for ax, x, title in zip(line, clips, (f"{model}: clip", *(f"α = {alpha}" for alpha in ALPHAS)), strict=True):
            power = torch.stft(x, 1024, 256, window=torch.hann_window(1024), return_complex=True).abs().square()
            level = (10 * power.clamp_min(1e-8).log10()).numpy()
            ax.imshow(level, origin="lower", aspect="auto", cmap="magma", vmin=-50, vmax=30,
                      extent=(0, len(x) / rate, 0, rate / 2000))  # fmt: skip
            ax.set_title(title, fontsize=10)
            ax.set_xlabel("s", fontsize=8)
            ax.set_ylabel("kHz", fontsize=8)
            ax.tick_params(labelsize=7)
    return figure


def main() -> None:
    options = record.options(__doc__, {}, {})
    clips = {clip(category): model for category, model in CLIPS.items()}
    glands = [gland(label) for label in GLANDS]
    rows = [reduced(path, model) for path, model in clips.items()] + [reduced(path, "resnet3d") for path in glands]
    pictures.keep(pictures.drawn(octaves(clips)), "minimal-sounds.webp")
    pictures.keep(pictures.drawn(slices(glands)), "minimal-volumes.png")
    print("wrote", record.write("minimal-signals", {"steps": STEPS, "inputs": record.rounded(rows)}, options.results))


if __name__ == "__main__":
    main()
