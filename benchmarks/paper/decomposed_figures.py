"""The pictures and the figures of docs/guides/decomposed.md: a cat taken apart by three wavelets, and by three methods.

python benchmarks/paper/decomposed_figures.py
"""

from __future__ import annotations

import io
from pathlib import Path

import skimage
import torch
from matplotlib.figure import Figure
from PIL import Image

import wavelens as wl

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WAVELETS = ("haar", "db4", "bior2.2")
METHODS = (wl.Saliency(), wl.SmoothGrad(samples=25), wl.IntegratedGradients(steps=25))
TIGER_CAT, FRACTION = 282, 0.02


def main() -> None:
    model = wl.models.load()
    photo = model.preprocess(wl.frontends.read_image(Path(skimage.__file__).parent / "data" / "chelsea.png"))
    domains = [wl.DWT(wavelet, levels=5) for wavelet in WAVELETS]
    wavelets = wl.attribute(model.module, photo, TIGER_CAT, domain=domains, method=METHODS[-1])
    methods = [wl.attribute(model.module, photo, TIGER_CAT, domain=domains[0], method=method) for method in METHODS]
    keep(wl.plots.decomposed(wavelets, photo, FRACTION, title="tiger cat, three wavelets"), "decomposed.png")
    keep(wl.plots.decomposed(methods, photo, FRACTION, title="tiger cat, three methods"), "decomposed-methods.png")
    for a in wavelets:
        energy = a.domain.analysis(photo)
        for name, c, fraction in (("WAM-IG", a, FRACTION), ("energy", energy, FRACTION), ("all", energy, 1)):
            part = wl.masks.decompose(photo, wl.masks.top(c, fraction))
            with torch.no_grad():
                shares = model.module(torch.cat(list(part.so_far.values()))).softmax(1)[:, TIGER_CAT]
            print(a.domain, name, " ".join(f"{100 * share:.1f}" for share in shares.tolist()))


def keep(figure: Figure, name: str) -> None:
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=80)
    Image.open(written).convert("RGB").quantize(256).save(IMAGES / name, optimize=True)


if __name__ == "__main__":
    main()
