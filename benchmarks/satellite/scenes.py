"""What the studies of satellite images share: the patches of BigEarthNet at hand, and Presto's land cover of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cache
from itertools import product
from math import factorial
from pathlib import Path
from typing import Any

import torch
from presto import BANDS, COVER, Presto
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness import records, rows
from harness.arguments import sized
from harness.data import at
from harness.intervals import interval

import wavelens as wl
from wavelens.frontends import RasterHeader, open_raster
from wavelens.models.checkpoints import read_checkpoint
from wavelens.models.weights import fill, state_for

__all__ = ["BANDS", "COVER", "interval", "records", "rows", "sized"]
RESULTS = Path(__file__).parent / "results"
PATCHES = "more/satellite/bigearthnet/s2"
REFLECTANCE = 1e-4  # of a stored number


def patches() -> list[str]:
    """The names of the patches."""
    return sorted(path.name for path in at(PATCHES).iterdir())


@cache
def patch(name: str) -> tuple[Tensor, RasterHeader]:
    """All 12 bands at 10 m, coarser ones repeated, as reflectance `(1, 12, 120, 120)`, and their header."""
    raster = open_raster(at(f"{PATCHES}/{name}")).whole()
    return raster.data * REFLECTANCE, raster.header


def picked(name: str, bands: tuple[str, ...] = BANDS) -> Tensor:
    """Some bands of a patch."""
    x, header = patch(name)
    return x[:, [header.bands.index(band) for band in bands]]


@cache
def network(name: str) -> Presto:
    """Presto for the month and the place of a patch."""
    facts = json.loads(next(at(f"{PATCHES}/{name}").glob("*.json")).read_text("utf-8"))
    net = Presto(int(facts["acquisition_date"][5:7]) - 1, *centre(patch(name)[1]))
    checkpoint = read_checkpoint(str(at("more/satellite/presto_landcover.safetensors")))
    fill(net, state_for(net, checkpoint))
    return net.eval()


def centre(header: RasterHeader) -> tuple[float, float]:
    """Latitude and longitude in degrees."""
    from rasterio.warp import transform

    a, _, c, _, e, f = header.transform or (1, 0, 0, 0, 1, 0)
    rows, columns = header.size
    (longitude,), (latitude,) = transform(header.crs, "EPSG:4326", [c + a * columns / 2], [f + e * rows / 2])
    return latitude, longitude


@cache
def mean_spectrum() -> Tensor:
    """The mean reflectance of all patches' pixels by band, `(10,)`."""
    return torch.stack([picked(name).mean((0, 2, 3)) for name in patches()]).mean(0)


def labels(name: str) -> list[str]:
    """CORINE's labels of a patch."""
    facts: dict[str, Any] = json.loads(next(at(f"{PATCHES}/{name}").glob("*.json")).read_text("utf-8"))
    return list(facts["labels"])


@torch.no_grad()
def shapley(value: Callable[[tuple[bool, ...]], Tensor], players: int) -> Tensor:
    """Exact Shapley values `(items, players)` of a game: `value(who is in)` `(items,)`."""
    sets = list(product((False, True), repeat=players))
    values = {one: value(one) for one in sets}
    exact = torch.zeros(len(values[sets[0]]), players, dtype=torch.float64)
    for one in sets:
        weight = factorial(sum(one)) * factorial(players - sum(one) - 1) / factorial(players) if not all(one) else 0.0
        for player in range(players):
            if not one[player]:
                joined = (*one[:player], True, *one[player + 1 :])
                exact[:, player] += weight * (values[joined] - values[one]).double()
    return exact


def random_order(z: wl.Coefficients, seed: int) -> wl.Coefficients:
    source = torch.Generator().manual_seed(seed)
    return z.map(lambda data: torch.rand(data.shape, generator=source, dtype=torch.float64).to(data))
