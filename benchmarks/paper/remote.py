"""Which scales lose their support when aerial images change: panels on source and on shifted crops (WAM's figure 16).

    python benchmarks/paper/remote.py               # 48 crops with a panel, four shifts, two networks

The crops that hold a photovoltaic panel are changed as another flight would change them: less noise (a median of 3 × 3
pixels; a Gaussian of half a pixel's deviation more than the camera's), half the resolution (0.6 m and back), haze, and
more noise. The score is the panel's logit less that of no panel. Of each shift:

- how many panels are found before and after;
- the change of the score, and what each scale has to do with it: integrated gradients from the source crop to the
  shifted one, so the signed sums of scales add up to the change exactly, but for a stated gap;
- how much of the coefficients themselves is left at each scale;
- the scale profile of the score on source and on shifted crops.

Means with 95 % intervals (bootstrap over crops). What is computed is kept in the cache folder, so a run that is ended
goes on. Numbers and plots of numbers alone are published of these images: results/remote.json, docs/images/remote.png.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pv
import record
import torch
from matplotlib.figure import Figure
from PIL import Image, ImageFilter
from robustness_inputs import blur, contrast, noise
from torch import Tensor

import wavelens as wl
from wavelens.targets import Contrast

DOMAIN = wl.DWT("haar", levels=5)
METHOD = wl.IntegratedGradients(steps=16)
PANEL = Contrast(1, against=0)
ASKED = {"domain": DOMAIN, "method": METHOD, "target": PANEL}
IMAGE = Path(__file__).parents[2] / "docs" / "images" / "remote.png"
COLOURS = ("#0072b2", "#d55e00")


def median(x: Tensor) -> Tensor:
    """Of 3 × 3 pixels, channel by channel."""
    return torch.stack([_filtered(picture) for picture in x])


def _filtered(picture: Tensor) -> Tensor:
    pixels = (picture.movedim(0, -1) * 255).round().byte().numpy()
    found = Image.fromarray(pixels).filter(ImageFilter.MedianFilter(3))
    return torch.from_numpy(np.array(found)).movedim(-1, 0) / 255


def coarser(x: Tensor) -> Tensor:
    """Half the resolution and back: each pixel the mean of its area, then bicubic."""
    small = torch.nn.functional.interpolate(x, scale_factor=0.5, mode="area")
    return torch.nn.functional.interpolate(small, size=x.shape[-2:], mode="bicubic").clamp(0, 1)


SHIFTS: dict[str, Callable[[Tensor], Tensor]] = {
    "less noise (median)": median,
    "0.6 m": coarser,
    "blur": lambda x: blur(x, 1.0),
    "haze": lambda x: 0.25 + 0.75 * contrast(x, 0.7),
    "more noise": lambda x: noise(x, 0.04),
}


def source(count: int) -> Tensor:
    """Crops with a panel, evenly spread, in their own 101 × 101 pixels."""
    folder = pv.at("pv/pv_fresno300")
    names = [line.split(",")[0] for line in (folder / "labels.csv").read_text().split() if line.endswith(",1")]
    chosen = [names[int((k + 0.5) * len(names) / count)] for k in range(min(count, len(names)))]
    return torch.cat([wl.frontends.read_image(folder / name) for name in chosen])


def prepared(x: Tensor) -> Tensor:
    return torch.cat([pv.GEOMETRY(one[None]) for one in x])


def score(network: str, x: Tensor) -> Tensor:
    with torch.no_grad():
        logits = torch.cat([pv.network(network).module(part) for part in x.split(16)])
    return logits[:, 1] - logits[:, 0]


def profiled(network: str, x: Tensor, start: Tensor | None) -> dict[str, Tensor]:
    """The profile of the score's rise from `start`, crop by crop; None: from black."""
    net, parts = pv.network(network).module, []
    starts = [None] * len(x.split(16)) if start is None else list(start.split(16))
    for crops, begin in zip(x.split(16), starts, strict=True):
        a = wl.attribute(net, crops, PANEL, domain=DOMAIN, method=METHOD, baseline=begin, batch_size=16)
        own = wl.maps.profile(a)
        parts.append({"share": own.share, "signed": own.signed, "gap": a.gap})
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]} | {"score": score(network, x)}


def scales(x: Tensor) -> list[str]:
    return list(DOMAIN.analysis(x[:1]).layout.scales())


def energy(x: Tensor) -> Tensor:
    """Σ z² of each scale, `(crops, scales)`."""
    return wl.maps.profile(DOMAIN.analysis(x).map(torch.square)).signed


def row(name: str, network: str, shift: str, before: dict[str, Tensor], x: Tensor, crops: Tensor) -> dict[str, Any]:
    shifted = prepared(SHIFTS[shift](crops))
    change = pv.kept(f"{name}-{shift}-change", lambda: profiled(network, shifted, x), **ASKED, x=shifted, start=x)
    after = pv.kept(f"{name}-{shift}", lambda: profiled(network, shifted, None), **ASKED, x=shifted)
    found, names = before["score"] > 0, scales(x)
    lost = found & (after["score"] <= 0)

    def table(values: Tensor) -> dict[str, Any]:
        return {scale: record.interval(values[:, k].tolist()) for k, scale in enumerate(names)}

    return {
        "found before": int(found.sum()),
        "found after": int((after["score"] > 0).sum()),
        "lost": int(lost.sum()),
        "score before": record.interval(before["score"].tolist()),
        "change of the score": record.interval((after["score"] - before["score"]).tolist()),
        "change by scale": table(change["signed"]),
        "change by scale, of the lost": table(change["signed"][lost]) if lost.any() else None,
        "largest |gap|": round(float(change["gap"].abs().max()), 4),
        "energy left": table(energy(shifted) / energy(x)),
        "share before": table(before["share"]),
        "share, less before": table(after["share"] - before["share"]),
    }


def main() -> None:
    known = record.parser(__doc__)
    known.add_argument("--crops", type=int, default=48)
    count = known.parse_args().crops
    torch.set_num_threads(1)
    crops = source(count)
    x = prepared(crops)
    extents = pv.GEOMETRY.grid(crops).labels(DOMAIN.analysis(x[:1]).layout)
    table: dict[str, Any] = {}
    for network in pv.NETWORKS:
        name = f"remote-{network}-{len(x)}"
        before = pv.kept(name, lambda network=network: profiled(network, x, None), **ASKED, x=x)
        table[network] = {shift: row(name, network, shift, before, x, crops) for shift in SHIFTS}
    settings = {"crops": len(x), "metres a pixel": pv.METRES, "domain": repr(DOMAIN), "method": repr(METHOD)}
    print(record.write("remote", {**settings, "scales": extents, "networks": table}))
    for network, shifts in table.items():
        for shift, own in shifts.items():
            worst = min(own["change by scale"].items(), key=lambda pair: pair[1][0])
            found = f"{own['found before']} -> {own['found after']} of {len(x)} found"
            most = f"most of it at {worst[0]} ({extents[worst[0]]}): {worst[1][0]:+.2f}"
            print(f"{network}, {shift}: {found}, score {own['change of the score'][0]:+.2f}, {most}")
    draw(table, extents)


def draw(table: dict[str, Any], extents: dict[str, str]) -> None:
    """For each shift what each scale has to do with the change of the score, a bar a network."""
    figure = Figure((3.1 * len(SHIFTS), 3.6), dpi=100, facecolor="white", layout="constrained")
    axes: Any = figure.subplots(1, len(SHIFTS), sharey=True)
    for ax, shift in zip(axes, SHIFTS, strict=True):
        for k, (network, colour) in enumerate(zip(table, COLOURS, strict=True)):
            own = table[network][shift]["change by scale"]
            values = np.array([[v if v is not None else np.nan for v in own[scale]] for scale in extents])
            places = np.arange(len(extents)) + 0.4 * (k - 0.5)
            error = np.abs(values[:, 1:].T - values[:, 0])
            found = table[network][shift]
            label = f"{network}: {found['found before']} → {found['found after']} found"
            ax.barh(places, values[:, 0], 0.38, color=colour, label=label)
            ax.errorbar(values[:, 0], places, xerr=error, fmt="none", ecolor="#222222", elinewidth=1, capsize=2)
        ax.axvline(0, color="#222222", linewidth=0.8)
        ax.set_title(shift, fontsize=10)
        ax.legend(frameon=False, fontsize=7.5, loc="upper center", bbox_to_anchor=(0.5, -0.16))
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_yticks(range(len(extents)), [f"{scale} · {text}" for scale, text in extents.items()])
    axes[0].invert_yaxis()
    figure.suptitle("what each scale has to do with the change of the panel's score, mean over crops", fontsize=11)
    figure.savefig(IMAGE)


if __name__ == "__main__":
    main()
