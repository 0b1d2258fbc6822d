"""What the statistics of WAM's released code do to a score: each alone, then all together, on the same photos.

    python benchmarks/paper/compat.py              # 20 photos, 12 steps
    FULL=1 python benchmarks/paper/compat.py       # all 460 photos, 64 steps

The library computes what the paper's equations say; the authors' code departs from them. Here its departures are
offered, one function each, so that the effect of each can be read off one table:

    magnitudes          |P g| of each sample, averaged over channels, then over samples: E|g| instead of |E g|
    bands normalised    each subband divided by its largest magnitude, so that scales lose their relative weight
    bands swapped       horizontal details ranked as vertical ones and the other way round
    curve ÷ maximum     each curve divided by its own largest value
    re-stretched        each partial image stretched to the full range and cut to 8 bits before the network sees it
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import at_hand
import judging
import record
import torch
from record import rows
from scipy import stats
from torch import Tensor, nn

import wavelens as wl
from wavelens.core import Band, Coefficients

SMALL = {"photos": 20, "steps": 12, "effort": 25}
FULL = {"photos": 460, "steps": 64}
NETWORK = "EfficientNet-lite0"
HAAR = wl.DWT("haar", levels=3)
ORDERS = ("WAM-SG", "WAM-IG", *judging.CONTROLS)


def magnitudes(model: nn.Module, x: Tensor, target: int, method: Any, domain: wl.DWT = HAAR) -> Coefficients:
    """`mean_k mean_channels |P g(x_k)|` over the method's own points x_k, times `|z|` for integrated gradients.

    `(batch, 1, size)`. The points of integrated gradients are equally spaced and equally weighted, `α_k = k / steps`.
    """
    if isinstance(method, wl.IntegratedGradients):
        points = [x * (k / method.steps) for k in range(1, method.steps + 1)]
        each = [wl.attribute(model, point, target, domain=domain, method=wl.Saliency()) for point in points]
    else:
        alone = [wl.SmoothGrad(samples=1, sigma=method.sigma, seed=method.seed + k) for k in range(method.samples)]
        each = [wl.attribute(model, x, target, domain=domain, method=one) for one in alone]
    mean = torch.stack([a.data.abs().mean(1, keepdim=True) for a in each]).mean(0)
    if isinstance(method, wl.IntegratedGradients):
        mean = mean * domain.analysis(x).data.abs().mean(1, keepdim=True)
    return Coefficients(mean, each[0].layout)


def band_normalised(a: Coefficients) -> Coefficients:
    """Magnitudes, mean over channels, each band divided by its largest over the whole batch: `(batch, 1, size)`.

    An item's values depend on its batch mates, as in the authors' code.
    """
    found = a.data.abs().mean(1, keepdim=True)
    for piece in a.layout.slices.values():
        largest = found[..., piece].max()
        found[..., piece] /= largest if largest > 0 else 1
    return Coefficients(found, a.layout)


def swapped(a: Coefficients) -> Coefficients:
    """Details with their first two axes exchanged in name: what was 'ad' lies at 'da'. Bands must be square."""
    found = a.map(torch.clone)
    for band, values in a:
        other = Band(band.level, band.key[1::-1] + band.key[2:], band.shape)
        if other != band:
            found[other].copy_(values)
    return found


class Stretched(nn.Module):
    """A network that sees each image stretched from its least to its largest value, in 256 steps."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        low, high = (v.view(-1, *[1] * (x.ndim - 1)) for v in torch.aminmax(x.flatten(1), dim=1))
        bytes_ = ((x - low) / (high - low).clamp_min(1e-12) * 255).floor()
        logits: Tensor = self.model(bytes_ / 255)
        return logits


def mu_with_p(said: Tensor, done: Tensor) -> tuple[float, float]:
    """The correlation of two rows, and what becomes of it where it is averaged with its own p-value."""
    found = stats.pearsonr(said.double().numpy(), done.double().numpy())
    return float(found.statistic), float((found.statistic + found.pvalue) / 2)


@dataclass(frozen=True)
class Statistic:
    """Which of the departures are taken."""

    magnitudes: bool = False
    normalised: bool = False
    swapped: bool = False
    over_maximum: bool = False
    stretched: bool = False

    def areas(
        self, model: nn.Module, x: Tensor, target: int, a: Coefficients, summed: Coefficients, steps: int
    ) -> dict[str, float]:
        """`summed` stands for `a` where magnitudes are taken."""
        a = summed if self.magnitudes else a
        a = band_normalised(a) if self.normalised else a
        a = swapped(a) if self.swapped else a
        model = Stretched(model).eval() if self.stretched else model
        normalize = "max" if self.over_maximum else None
        curves = wl.metrics.curves(model, x, target, a, steps=steps, normalize=normalize)
        areas = {"insertion": curves.insertion_area, "deletion": curves.deletion_area}
        areas["faithfulness"] = curves.faithfulness
        return {name: round(float(value), 6) for name, value in areas.items()}


STATISTICS = {
    "as defined": Statistic(),
    "magnitudes": Statistic(magnitudes=True),
    "bands normalised": Statistic(normalised=True),
    "bands swapped": Statistic(swapped=True),
    "curve ÷ maximum": Statistic(over_maximum=True),
    "re-stretched": Statistic(stretched=True),
    "all together": Statistic(True, True, True, True, True),
}


def explainers(effort: int) -> dict[str, Any]:
    return {"WAM-SG": wl.SmoothGrad(samples=effort), "WAM-IG": wl.IntegratedGradients(steps=effort)}


def row(photo: str, *, steps: int, effort: int) -> rows.Row:
    net, x = at_hand.image_network(NETWORK), at_hand.photo(photo)
    with torch.no_grad():
        target = int(net(x).argmax(1))
    methods = explainers(effort)
    found = {name: wl.attribute(net, x, target, domain=HAAR, method=m) for name, m in methods.items()}
    summed = {name: magnitudes(net, x, target, m) for name, m in methods.items()}
    given = found | judging.controls(x, HAAR, seed=judging.seed(photo))
    asked = judging.Remembered(judging.quick(net, x.shape[1:])).eval()
    take = partial(Statistic.areas, model=asked, x=x, target=target, steps=steps)
    return {
        "class": target,
        "gaps": judging.gaps(found),
        "scores": {
            title: {name: take(statistic, a=given[name], summed=summed.get(name, given[name])) for name in ORDERS}
            for title, statistic in STATISTICS.items()
        },
    }


def main(argv: list[str] | None = None) -> None:
    given = record.options(__doc__, SMALL, FULL, argv)
    settings = {name: getattr(given, name) for name in ("steps", "effort")}
    keys = [{"photo": name} for name in at_hand.photo_names(given.photos)]
    made_with = {
        "network": NETWORK,
        "domain": repr(HAAR),
        "explainers": judging.texts(explainers(given.effort)),
        "statistics": judging.texts(STATISTICS),
    }
    found = rows.each(rows.place("compat"), settings | made_with, keys, lambda **key: row(**key, **settings))
    whole = {
        "title": "The authors' statistics, one by one",
        **made_with,
        "data": f"photos of Caltech-101, {at_hand.DRAW}",
        "photos": len(found),
        "settings": settings,
        "seconds": round(sum(one["seconds"] for one in found)),
        "cells": judging.cells([one | {"explaining": {}} for one in found], "photo"),
    }
    record.write("compat", whole, given.results)


if __name__ == "__main__":
    main()
