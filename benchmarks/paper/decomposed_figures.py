"""The pictures and the figures of docs/guides/decomposed.md: a cat and an adrenal gland taken apart.

python benchmarks/paper/decomposed_figures.py

The cat by three wavelets, by three methods, and with a colour for each scale; the gland (AdrenalMNIST3D, CC BY 4.0)
scale by scale, and with a colour for each. Needs the folder WAVELENS_DATA for the gland.
"""

from __future__ import annotations

from pathlib import Path

import at_hand
import pictures
import skimage
import torch

import wavelens as wl
from wavelens.grid import Grid

WAVELETS = ("haar", "db4", "bior2.2")
METHODS = (wl.Saliency(), wl.SmoothGrad(samples=25), wl.IntegratedGradients(steps=25))
TIGER_CAT, FRACTION = 282, 0.02
GLAND, FEW = 8, 0.004  # of the test split; of its voxels hardly one in a hundred is not empty
MILLIMETRES = Grid((64 / 28,) * 3, ("mm",) * 3)  # 28 voxels for 64 mm (Yang et al., 2023)


def main() -> None:
    model = wl.models.load()
    photo = model.preprocess(wl.frontends.read_image(Path(skimage.__file__).parent / "data" / "chelsea.png"))
    domains = [wl.DWT(wavelet, levels=5) for wavelet in WAVELETS]
    wavelets = wl.attribute(model.module, photo, TIGER_CAT, domain=domains, method=METHODS[-1])
    methods = [wl.attribute(model.module, photo, TIGER_CAT, domain=domains[0], method=method) for method in METHODS]
    for name, figure in (
        ("decomposed.webp", wl.plots.decomposed(wavelets, photo, FRACTION, title="tiger cat, three wavelets")),
        ("decomposed-methods.webp", wl.plots.decomposed(methods, photo, FRACTION, title="tiger cat, three methods")),
        ("by-scale.png", wl.plots.by_scale(wavelets[0], photo, title="tiger cat, WAM-IG in haar")),
    ):
        pictures.keep(pictures.drawn(figure), name)
    gland()
    for a in wavelets:
        energy = a.domain.analysis(photo)
        for name, c, fraction in (("WAM-IG", a, FRACTION), ("energy", energy, FRACTION), ("all", energy, 1)):
            part = wl.masks.decompose(photo, wl.masks.top(c, fraction))
            with torch.no_grad():
                shares = model.module(torch.cat(list(part.so_far.values()))).softmax(1)[:, TIGER_CAT]
            print(a.domain, name, " ".join(f"{100 * share:.1f}" for share in shares.tolist()))


def gland() -> None:
    scan = at_hand.medmnist("adrenal")[0][GLAND][None]
    weights = at_hand.at("weights/adrenal_resnet3d.safetensors")
    net = wl.models.load("resnet3d", weights=weights).module
    with torch.no_grad():
        named = int(net(scan).argmax())
    a = wl.attribute(net, scan, named, domain=wl.DWT("haar", levels=2), method=METHODS[-1])
    title = f"adrenal gland, class {named}"
    for name, figure in (
        ("decomposed-gland.png", wl.plots.decomposed(a, scan, FEW, title=title, grid=MILLIMETRES)),
        ("by-scale-gland.png", wl.plots.by_scale(a, scan, title=title, grid=MILLIMETRES)),
    ):
        pictures.keep(pictures.drawn(figure), name)


if __name__ == "__main__":
    main()
