"""Pictures of docs/gallery.md that no other page has, one function each; the Makefile beside it knows all of them.

    python benchmarks/gallery/gallery.py levels overlap

Photos come with scikit-image; networks, clips and volumes from the folder that WAVELENS_DATA names; the moving shapes
are made here. No sound is written.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import skimage
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "paper"))
import at_hand
import motion
import pictures
import sound
from record import parser

import wavelens as wl
from wavelens.grid import Grid
from wavelens.plots.parts import glow

CAT = 282
HAAR = wl.DWT("haar", levels=5)
PATH = wl.IntegratedGradients(tolerance=0.02, max_steps=64)
RATE = 16000  # of YAMNet
OCTAVES = wl.DWT("db4", levels=7)


def photo(name: str) -> Tensor:
    """A photo of scikit-image as the ImageNet networks take it, `(1, 3, 224, 224)`."""
    found = wl.frontends.read_image(Path(skimage.__file__).parent / "data" / name)
    return wl.models.Geometry()(found)


def picture(x: Tensor) -> NDArray[Any]:
    return x[0].movedim(0, -1).numpy()


def row(shown: Sequence[tuple[str, NDArray[Any]]], end: float | None = None) -> Figure:
    """Pictures beside each other; maps under one colour scale that ends at `end`, square roots of their values."""
    figure = Figure((2.6 * len(shown), 3.0), dpi=80, facecolor="white", layout="constrained")
    axes: Any = figure.subplots(1, len(shown), squeeze=False)[0]
    maps = [values for _, values in shown if values.ndim == 2]
    end = end or float(np.percentile(np.stack(maps), 99.5))
    for ax, (title, values) in zip(axes, shown, strict=True):
        ax.imshow(values if values.ndim == 3 else np.sqrt(np.clip(values / end, 0, 1)), cmap="inferno", vmin=0, vmax=1)
        ax.set_title(title, fontsize=10)
        ax.set_axis_off()
    return figure


def bars(columns: dict[str, tuple[Sequence[str], Tensor, str]]) -> Figure:
    """One panel of horizontal bars a column, coarsest scale on top; columns of one unit share its axis."""
    figure = Figure((2.8 * len(columns), 2.8), dpi=80, facecolor="white", layout="constrained")
    axes: Any = figure.subplots(1, len(columns), squeeze=False)[0]
    first = {unit: ax for ax, (_, _, unit) in zip(axes[::-1], list(columns.values())[::-1], strict=True)}
    for ax, (title, (names, values, unit)) in zip(axes, columns.items(), strict=True):
        if ax is not first[unit]:
            ax.sharex(first[unit])
        ax.barh(range(len(names)), values.numpy(), color=["#d55e00" if v >= 0 else "#0072b2" for v in values])
        ax.set_yticks(range(len(names)), names)
        ax.invert_yaxis()
        ax.axvline(0, color="#222222", linewidth=0.8)
        ax.set_title(title, fontsize=10)
        ax.set_xlabel(unit, fontsize=9)
    return figure


def scales() -> Figure:
    """What is fine and what is coarse in one decision."""
    x = photo("chelsea.png")
    a = wl.attribute(at_hand.image_network("EfficientNet-lite0"), x, CAT, domain=HAAR, method=PATH)
    found = wl.maps.scale_maps(a)
    return row([("input", picture(x)), *((name, found[name][0].numpy()) for name in ("d1", "d3", "d4", "d5"))])


def samples() -> Figure:
    """The same gradients read in pixels and in wavelets."""
    x = photo("chelsea.png")
    net = at_hand.image_network("EfficientNet-lite0")
    pixels, wavelets = wl.attribute(net, x, CAT, domain=[wl.Identity(), HAAR], method=PATH)
    fine, coarse = (
        sum(wl.maps.scale_maps(wavelets)[n][0] for n in names).numpy() for names in (("d1", "d2"), ("d4", "d5"))
    )
    return row(
        [
            ("input", picture(x)),
            ("pixels", wl.maps.spatial_map(pixels)[0].numpy()),
            ("wavelets, d1 and d2", fine),
            ("wavelets, d4 and d5", coarse),
        ]
    )


def networks() -> Figure:
    """One photo, one class, four networks: from which scales each takes its logit."""
    x, columns = photo("chelsea.png"), {}
    for name in at_hand.IMAGE_NETWORKS:
        a = wl.attribute(at_hand.image_network(name), x, CAT, domain=HAAR, method=PATH)
        assert a.score is not None
        profile = wl.maps.profile(a)
        columns[f"{name}\nlogit {float(a.score):.1f}"] = (profile.names, profile.signed[0], "logit")
    return bars(columns)


def levels() -> Figure:
    """One set of gradients, read at four depths."""
    x = photo("chelsea.png")
    domains = [wl.DWT("haar", levels=k) for k in (1, 3, 5, 7)]
    several = wl.attribute(at_hand.image_network("EfficientNet-lite0"), x, CAT, domain=domains, method=PATH)
    profiles = [wl.maps.profile(a) for a in several]
    return bars({f"{len(p.names) - 1} levels": (p.names, p.signed[0], "logit") for p in profiles})


def adrenal() -> Figure:
    """A volume of the test split that the network tells right, in three slices and by scale."""
    volumes, labels = at_hand.medmnist("adrenal")
    weights = at_hand.at("weights/adrenal_resnet3d.safetensors")
    net = wl.models.load("resnet3d", weights=weights).module
    with torch.no_grad():
        sure = net(volumes).softmax(1)[:, 1] * (labels == 1)
    x = volumes[[int(sure.argmax())]]
    a = wl.attribute(net, x, 1, domain=wl.DWT("haar", levels=2), method=PATH)
    return wl.plots.slices(a, x, title="class 1 of AdrenalMNIST3D")


def clip(kind: str) -> Tensor:
    """The first clip of a class of ESC-50's fold 4 as YAMNet takes it, its loudest two seconds, `(1, 1, samples)`."""
    folder = at_hand.at("audio/esc50_fold4")
    name = min(clip["filename"] for clip in sound.index() if clip["category"] == kind)
    path = next(folder.glob(f"{Path(name).stem}.*"))
    x = yamnet().preprocess(wl.frontends.read_audio(path))
    energy = x[0, 0].square().cumsum(0)
    start = int((energy[2 * RATE :] - energy[: -2 * RATE]).argmax())
    return x[..., start : start + 2 * RATE]


def yamnet() -> wl.models.LoadedModel:
    return wl.models.load("yamnet", weights=at_hand.at("weights/yamnet_audioset.safetensors"))


def octaves(c: wl.Coefficients) -> list[str]:
    labels = Grid.sound(RATE).labels(c.layout)
    return [labels[scale] for scale in wl.maps.profile(c).names]


def overlap() -> Figure:
    """A rooster and a clock over each other: the octaves that each class is heard in."""
    loud = [one / one.abs().max() for one in (clip("rooster"), clip("clock_tick"))]
    x = 0.5 * (loud[0] + loud[1])
    model = yamnet()
    columns = {}
    for name in ("Chicken, rooster", "Tick-tock"):
        a = wl.attribute(model.module, x, model.index(name), domain=OCTAVES, method=PATH)
        columns[name] = (octaves(a), wl.maps.profile(a).signed[0], "logit")
    return bars(columns)


def bird() -> Figure:
    """A bird's call under white noise of its own loudness: where each of them is, and where the class is heard."""
    call = clip("chirping_birds")
    noise = torch.randn(call.shape, generator=torch.Generator().manual_seed(0))
    noise *= call.square().mean().sqrt()
    model = yamnet()
    bird = model.index("Bird")
    with torch.no_grad():
        logits = model.module(torch.cat([call, noise, call + noise]))[:, bird].tolist()
    columns = {}
    for title, one, logit in zip(("call", "noise"), (call, noise), logits[:2], strict=True):
        z = OCTAVES.analysis(one)
        energy = wl.maps.profile(wl.Coefficients(z.data.square(), z.layout)).share[0]
        columns[f"energy of the {title}\nlogit {logit:.1f}"] = (octaves(z), 100 * energy, "per cent")
    a = wl.attribute(model.module, call + noise, bird, domain=OCTAVES, method=PATH)
    columns[f'"Bird", in the mixture\nlogit {logits[2]:.1f}'] = (octaves(a), wl.maps.profile(a).signed[0], "logit")
    return bars(columns)


def moving() -> Figure:
    """A shape that moves, and a network that names the direction."""
    net = motion.train("motion")
    x, answers = motion.clips(128, seed=1_000_000_007)
    a = wl.attribute(
        net,
        x[:1],
        int(answers["motion"][0]),
        domain=wl.DWT("haar", levels=(2, 1, 1)),
        method=wl.IntegratedGradients(tolerance=0.02, baseline=0.5),
    )
    grid = wl.frontends.Video(x[:1], motion.FPS).grid
    return wl.plots.film(a, x[:1], title=f"moving {motion.NAMES['motion'][int(answers['motion'][0])]}", grid=grid)


def removed() -> Figure:
    """Two accounts of one decision, and the photo with a scale really taken away."""
    x, net = photo("chelsea.png"), at_hand.image_network("EfficientNet-lite0")
    a, values = wl.attribute(net, x, CAT, domain=HAAR, method=PATH), wl.shapley(net, x, CAT, domain=HAAR)
    names, z = values.names, HAAR.analysis(x)
    photos = {name: wl.masks.scale(z, *(one for one in names if one != name)).apply(x) for name in ("d5", "d2")}
    with torch.no_grad():
        logits = {name: float(net(one)[0, CAT]) for name, one in {"": x, **photos}.items()}
    figure = Figure((14.0, 3.3), dpi=80, facecolor="white", layout="constrained")
    axes: Any = figure.subplots(1, 4, squeeze=False, width_ratios=(1.5, 1, 1, 1))[0]
    places, columns = (
        np.arange(len(names)),
        {
            "integrated gradients": (wl.maps.profile(a).signed[0], "#b8b8b8"),
            "Shapley value": (values.values[0], "#d55e00"),
            "lost when it is removed": (values.last[0], "#222222"),
        },
    )
    for k, (title, (column, colour)) in enumerate(columns.items()):
        axes[0].barh(places + 0.27 * (k - 1), column.numpy(), 0.25, color=colour, label=title)
    axes[0].set_yticks(places, names)
    axes[0].invert_yaxis()
    axes[0].axvline(0, color="#222222", linewidth=0.8)
    axes[0].set_xlabel("logit of tiger cat", fontsize=9)
    axes[0].legend(fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, columnspacing=1)
    titles = {"": f"the photo: {logits['']:.2f}"}
    titles |= {name: f"without {name}: {logits[name]:.2f}" for name in photos}
    for ax, (name, title) in zip(axes[1:], titles.items(), strict=True):
        ax.imshow(picture(photos.get(name, x)).clip(0, 1))
        ax.set_title(title, fontsize=10)
        ax.set_axis_off()
    return figure


def chelsea() -> Figure:
    """What `wavelens explain chelsea.png` draws."""
    path = Path(skimage.__file__).parent / "data" / "chelsea.png"
    return wl.explain(path, target=CAT, domain=HAAR, device="cpu").panel()


def opening() -> Figure:
    """A decision at a glance: the photo, where the class is read off it, and at what scale; letters for a phone, too.

    Map and bars are of one account, whose sums by scale are their Shapley values.
    """
    x = photo("chelsea.png")
    method = wl.Owen(permutations=12)
    a = wl.attribute(at_hand.image_network("EfficientNet-lite0"), x, CAT, domain=HAAR, method=method)
    heat, sums = wl.maps.spatial_map(a)[0].numpy(), wl.maps.profile(a).signed[0].numpy()
    strength = (heat / np.percentile(heat, 99.7)).clip(0, 1) ** 0.65
    figure = Figure((15.0, 5.625), dpi=80, facecolor="white")
    for k, values in enumerate((picture(x), glow(x[0].numpy(), strength))):
        ax = figure.add_axes((0.005 + 0.335 * k, 0.02, 0.33, 0.83))
        ax.imshow(values, aspect="auto")
        ax.set_axis_off()
    for left, title in ((0.005, "a tiger cat"), (0.34, "where"), (0.69, "at what scale")):
        figure.text(left, 0.885, title, fontsize=37.5)
    ax = figure.add_axes((0.815, 0.02, 0.098, 0.83))
    ax.barh(np.arange(6), sums, 0.72, color=["#d55e00" if value >= 0 else "#0072b2" for value in sums])
    ax.axvline(0, color="#222222", linewidth=1.5)
    ax.set_yticks(np.arange(6), ["> 32 px", "16–32", "8–16", "4–8", "2–4", "1–2 px"], fontsize=34)
    ax.set_ylim(5.5, -0.5)
    ax.tick_params(length=0)
    ax.set_xticks([])
    ax.spines[:].set_visible(False)
    for place, value in enumerate(sums):
        text, at = f"{value:+.1f}".replace("-", "−"), (max(value, 0.0), place)
        ax.annotate(text, at, (8, 0), textcoords="offset points", fontsize=34, va="center")
    return figure


GALLERY: dict[str, Callable[[], Figure]] = {
    "opening.webp": opening,
    "chelsea.webp": chelsea,
    "gallery/scales.webp": scales,
    "gallery/samples.webp": samples,
    "gallery/networks.png": networks,
    "gallery/levels.png": levels,
    "gallery/adrenal.png": adrenal,
    "gallery/overlap.png": overlap,
    "gallery/bird.png": bird,
    "gallery/moving.webp": moving,
    "gallery/removed.webp": removed,
}


def main() -> None:
    known = parser(__doc__)
    known.add_argument("names", nargs="+", choices=[Path(path).stem for path in GALLERY])
    names = known.parse_args().names
    torch.manual_seed(0)
    for path, make in GALLERY.items():
        if Path(path).stem in names:
            pictures.keep(pictures.drawn(make()), path)


if __name__ == "__main__":
    main()
