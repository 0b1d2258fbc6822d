"""Presto on single pixels: which bands carry land cover?

    python benchmarks/satellite/pixels.py

Of each of the eleven BigEarthNet patches 64 pixels are drawn by a fixed seed. Presto names the land cover of each from
ten bands of Sentinel-2 of one date; the logit of that class is explained band by band: integrated gradients from the
mean spectrum of all patches, so that the account says what sets a pixel apart from the average one. The five groups of
bands that Presto has as tokens are players of a game as well: exact Shapley values by 32 passes, in which a group that
is out has the mean spectrum. Controls are the squared distance from the mean spectrum, and chance.

No truth of a pixel is at hand. Items of the intervals are patches: eleven, a case and no benchmark.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scenes
import torch
from presto import BANDS, COVER, GROUPS
from scenes import rows
from torch import Tensor

import wavelens as wl

SMALL = {"pixels": 64, "steps": 32, "seed": 0}
PLAYERS = {name: [BANDS.index(band) for band in bands] for name, bands in GROUPS.items() if bands}
MIN_PIXELS = 8  # of a class in a patch, for a mean


def row(name: str, *, pixels: int, steps: int, seed: int) -> rows.Row:
    net, start = scenes.network(name), scenes.mean_spectrum()[None, :, None, None]
    x = drawn(scenes.picked(name), pixels, np.random.default_rng([seed, scenes.patches().index(name)]))
    with torch.no_grad():
        target = net(x)[:, :, 0, 0].argmax(1)
    asked = wl.targets.region(target.tolist(), torch.ones(1, 1, dtype=torch.bool))
    a = wl.attribute(net, x, asked, domain=wl.Identity(), method=wl.IntegratedGradients(steps=steps), baseline=start)
    by_band = a.data.sum(-1)
    exact = scenes.shapley(lambda inside: logit(net, mixed(x, start, inside), target), len(PLAYERS))
    energy = (x - start).square().sum((2, 3))
    return {
        "labels": scenes.labels(name),
        "gap, part of the rise": float((a.gap.abs() / (a.score - a.baseline_score).abs().clamp_min(1e-6)).median()),
        "groups": agreement(grouped(by_band), exact, grouped(energy)),
        "cover": {
            COVER[k]: {
                "pixels": int((target == k).sum()),
                "by band": dict(zip(BANDS, by_band[target == k].mean(0).tolist(), strict=True)),
                "shapley": dict(zip(PLAYERS, exact[target == k].mean(0).tolist(), strict=True)),
            }
            for k in target.unique().tolist()
        },
    }


def drawn(x: Tensor, count: int, source: np.random.Generator) -> Tensor:
    """Pixels of a patch as items, `(count, band, 1, 1)`."""
    places = torch.from_numpy(source.choice(x.shape[2] * x.shape[3], count, replace=False))
    return x[0].flatten(1)[:, places].T[:, :, None, None]


def mixed(x: Tensor, start: Tensor, inside: tuple[bool, ...]) -> Tensor:
    """The pixels with the mean spectrum in the groups that are out."""
    kept = torch.zeros(x.shape[1], dtype=torch.bool)
    for there, places in zip(inside, PLAYERS.values(), strict=True):
        kept[places] = there
    return x.where(kept[:, None, None], start)


def logit(net: torch.nn.Module, x: Tensor, target: Tensor) -> Tensor:
    scores: Tensor = net(x)[:, :, 0, 0].gather(1, target[:, None])[:, 0]
    return scores


def grouped(by_band: Tensor) -> Tensor:
    """Sums over the bands of each group, `(items, groups)`."""
    return torch.stack([by_band[:, places].sum(1) for places in PLAYERS.values()], 1).double()


def agreement(account: Tensor, exact: Tensor, energy: Tensor) -> dict[str, float]:
    """How the account's sums by group compare with the Shapley values."""
    largest = exact.argmax(1)
    return {
        "correlation": float(torch.corrcoef(torch.stack([account.flatten(), exact.flatten()]))[0, 1]),
        "same largest group": float((account.argmax(1) == largest).double().mean()),
        "same largest group, by energy": float((energy.argmax(1) == largest).double().mean()),
        "same sign": float(((account > 0) == (exact > 0)).double().mean()),
    }


def summary(made: list[rows.Row]) -> dict[str, Any]:
    """Means over patches with intervals, and for each class of land cover over the patches that have enough of it."""
    keys = made[0]["groups"]
    table: dict[str, Any] = {
        "patches": len(made),
        "groups": {key: scenes.interval([one["groups"][key] for one in made]) for key in keys},
        "gap, part of the rise": scenes.interval([one["gap, part of the rise"] for one in made]),
        "cover": {},
    }
    for name in COVER:
        cells = [one["cover"][name] for one in made if one["cover"].get(name, {}).get("pixels", 0) >= MIN_PIXELS]
        if len(cells) > 1:
            table["cover"][name] = {
                "patches": len(cells),
                "pixels": sum(cell["pixels"] for cell in cells),
                "by band": {band: scenes.interval([cell["by band"][band] for cell in cells]) for band in BANDS},
                "shapley": {group: scenes.interval([cell["shapley"][group] for cell in cells]) for group in PLAYERS},
            }
    return table


def main(argv: list[str] | None = None) -> None:
    given = scenes.sized(__doc__, SMALL, {}, scenes.RESULTS, argv)
    settings = {"pixels": given.pixels, "steps": given.steps, "seed": given.seed}
    keys = [{"name": name} for name in scenes.patches()]
    made = rows.each(rows.place("satellite_pixels"), settings, keys, lambda name: row(name, **settings))
    record = {"settings": settings, **summary(made)}
    print(scenes.records.write(given.results / "pixels.json", scenes.records.rounded(record)))


if __name__ == "__main__":
    main()
