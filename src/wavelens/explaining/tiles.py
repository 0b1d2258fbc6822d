"""A scene larger than a network's input: explained tile by tile, and the maps stitched without seams.

Tiles lie on a grid whose step is a multiple of the coarsest wavelet's, so that the coefficients of neighbours lie at
the same places of the ground. Each tile has an account of its own, Σγ = f(x) − f(x₀) up to its gap. Where tiles
overlap, their maps are mixed by weights that fall linearly towards a tile's edges and are 1 together at every pixel;
so a tile counts in the map of the scene by these weights, and without overlap by the whole of its account.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wavelens import maps, models
from wavelens.attribution import Attribution, attribute
from wavelens.core import Domain, Layout
from wavelens.domains import DWT
from wavelens.explaining.arguments import device_called
from wavelens.explaining.bare import device_of
from wavelens.explaining.kinds.raster import ALL, RASTER
from wavelens.explaining.question import question_of
from wavelens.explaining.request import DEFAULT_METHOD, fitted
from wavelens.explaining.tiling import Tile, tiles_of
from wavelens.frontends.raster import Raster, RasterFile, RasterHeader, open_raster, write_raster
from wavelens.models import Bands, LoadedModel
from wavelens.targets import Target

TILES_AT_ONCE = 16  # whose coefficients are in memory together


@dataclass(frozen=True)
class TileAccount:
    """A tile's first row and column, the score there and at the baseline, the signed sum of each scale, and the gap.

    `score − baseline_score = Σ signed + gap`, up to rounding.
    """

    row: int
    column: int
    score: float | None
    baseline_score: float | None
    signed: tuple[float, ...]
    gap: float | None


@dataclass(frozen=True, eq=False)
class TiledExplanation:
    """A scene explained for one target: maps over all of it, and the account of each tile.

    `signed` and `magnitude` are γ and |γ| by scale, coarsest first, `(rows, columns)` each; `bands` is γ by band,
    `(band, rows, columns)`. They are 0 where tiles have no data, which `empty` counts. `titles` names the scales in the
    scene's unit, `target` what is explained.
    """

    header: RasterHeader
    titles: dict[str, str]
    signed: dict[str, Tensor]
    magnitude: dict[str, Tensor]
    bands: Tensor
    accounts: tuple[TileAccount, ...]
    empty: int
    target: str

    def save(self, folder: str | PathLike[str], name: str = "scene") -> list[Path]:
        """Write the accounts as JSON and, of a scene that says where it lies, its maps as GeoTIFF; the paths."""
        out = Path(folder)
        out.mkdir(parents=True, exist_ok=True)
        summary = out / f"{name}-tiles.json"
        record = {"target": self.target, "scales": self.titles, "empty": self.empty}
        tiles = [asdict(one) for one in self.accounts]
        summary.write_text(json.dumps(record | {"tiles": tiles}, indent=2) + "\n", encoding="utf-8")
        return [summary, *(self._written(out, name) if self.header.transform else ())]

    def _written(self, out: Path, name: str) -> Iterator[Path]:
        files = {
            "signed": self._with_sum(self.signed),
            "magnitude": self._with_sum(self.magnitude),
            "bands": dict(zip(self.header.bands, self.bands, strict=True)),
        }
        for ending, planes in files.items():
            path = out / f"{name}-{ending}.tif"
            header = replace(self.header, bands=tuple(planes), own_spacing=())
            write_raster(path, Raster(torch.stack(list(planes.values()))[None], header))
            yield path

    def _with_sum(self, planes: dict[str, Tensor]) -> dict[str, Tensor]:
        """All scales together, then each by its title."""
        total = torch.stack(list(planes.values())).sum(0)
        return {ALL: total, **{self.titles[name]: one for name, one in planes.items()}}


def explain_tiles(
    path: str | PathLike[str],
    model: str | LoadedModel,
    *,
    target: Target,
    overlap: float = 0.5,
    domain: Domain | None = None,
    method: Any = None,
    batch_size: int | None = None,
    device: str | torch.device | None = None,
) -> TiledExplanation:
    """Explain a raster that is larger than the model's input, tile by tile, for one target over all of it.

    `model` takes rasters: its preparation is `Bands`, whose shape is that of a tile; `target` is a class by its index
    or label, or any target of `attribute`. Neighbouring tiles share the part `overlap` of a side, or somewhat more, so
    that their wavelets lie at the same places; those at the far edges reach back into the scene. Tiles without data are
    left out. The other options are those of `explain`.

    `ValueError` for a scene smaller than a tile, and for one without data in every tile.

    >>> net = torch.nn.Sequential(torch.nn.AvgPool2d(8), torch.nn.Flatten(), torch.nn.Linear(2, 2)).eval()
    >>> header = wl.frontends.RasterHeader(("B04", "B08"), (16, 24), (10.0, 0.0, 0.0, 0.0, -10.0, 0.0), "EPSG:32635")
    >>> wl.frontends.write_raster("scene.tif", wl.frontends.Raster(torch.rand(1, 2, 16, 24), header))
    >>> loaded = wl.models.LoadedModel(net, ("bare", "green"), wl.models.Bands((2, 8, 8)), "net")
    >>> tiled = wl.explain_tiles("scene.tif", loaded, target="green", overlap=0)
    >>> len(tiled.accounts), tuple(tiled.bands.shape), tiled.titles["d1"]
    (6, (2, 16, 24), 'd1 · 10–20 m')
    """
    if target is None:
        raise ValueError("tiles of a scene are explained for one target, the same for all; got none. Name a class.")
    loaded = models.load(model) if isinstance(model, str) else model
    preparation = loaded.preprocess
    if not isinstance(preparation, Bands):
        raise ValueError(
            f"tiles are of a raster; {loaded.name} takes a {preparation.kind} through {type(preparation).__name__}. "
            "Give it the preparation Bands((bands, rows, columns))."
        )
    if isinstance(model, str):
        loaded.module.to(device_called(device))
    raster, chosen = open_raster(path), fitted(domain, RASTER, loaded)
    stitched = _Stitched(raster, loaded, preparation, chosen)
    period = 2**stitched.layout.levels if isinstance(chosen, DWT) else 1
    every = tiles_of(raster.header.size, preparation.shape[1:], overlap, period)
    while group := list(itertools.islice(every, TILES_AT_ONCE)):
        stitched.add(group, target, method or DEFAULT_METHOD, batch_size)
    return stitched.explanation()


class _Stitched:
    """The maps of a scene while tiles are added to them."""

    def __init__(self, raster: RasterFile, loaded: LoadedModel, preparation: Bands, domain: Domain) -> None:
        self.raster, self.loaded, self.domain = raster, loaded, domain
        self.preparation = replace(preparation, fit="window", start=None)
        self.layout: Layout = domain.layout(preparation.shape[1:])
        size, names = raster.header.size, list(self.layout.scales())
        self.signed, self.magnitude = ({name: torch.zeros(size).double() for name in names} for _ in range(2))
        self.bands = torch.zeros(preparation.shape[0], *size).double()
        self.accounts: list[TileAccount] = []
        self.empty, self.label = 0, ""

    def add(self, tiles: Iterable[Tile], target: Target, method: Any, batch_size: int | None) -> None:
        """Tiles that have data, explained together."""
        parts = [(tile, self.raster.read(*tile.place)) for tile in tiles]
        full = [(tile, self.preparation(part)) for tile, part in parts if not self._has_no_data(part)]
        self.empty += len(parts) - len(full)
        if not full:
            return
        module = self.loaded.module
        x = torch.cat([one for _, one in full]).to(device_of(module))
        logits = _logits(module, x[:1], len(self.loaded.labels))
        question, grid = question_of(target, None, self.loaded), self.preparation.grid(self.raster)
        explained = question(self.loaded, x[:1], logits, grid)
        self.label = explained.label
        a = attribute(module, x, explained.target, domain=self.domain, method=method, batch_size=batch_size)
        for k, (tile, _) in enumerate(full):
            self._add_maps(a.item(k), tile)
            self.accounts.append(_account(a.item(k), tile))

    def _add_maps(self, a: Attribution, tile: Tile) -> None:
        """A tile's maps by its weights."""
        place, weight = (..., *tile.place), tile.weight
        for signed, sums in ((True, self.signed), (False, self.magnitude)):
            for name, heat in maps.scale_maps(a, signed=signed).items():
                sums[name][place] += weight * heat[0].cpu().double()
        self.bands[place] += weight * maps.spatial_map(a, signed=True, by_channel=True)[0].cpu().double()

    def _has_no_data(self, part: Raster) -> bool:
        picked = [part.header.bands.index(name) for name in self.preparation.names(part)]
        return bool(part.data[0, picked].isnan().flatten(1).all(1).any())

    def explanation(self) -> TiledExplanation:
        raster, preparation = self.raster, self.preparation
        if not self.accounts:
            raise ValueError(f"{raster.path} has no data in any of its {self.empty} tiles. Choose another scene.")
        header = raster.header.picked([raster.header.bands.index(name) for name in preparation.names(raster)])
        return TiledExplanation(
            header,
            preparation.grid(raster).titles(self.layout),
            {name: one.float() for name, one in self.signed.items()},
            {name: one.float() for name, one in self.magnitude.items()},
            self.bands.float(),
            tuple(self.accounts),
            self.empty,
            self.label,
        )


def _account(a: Attribution, tile: Tile) -> TileAccount:
    score, baseline_score, gap = (
        None if value is None else float(value.reshape(-1)[0]) for value in (a.score, a.baseline_score, a.gap)
    )
    return TileAccount(tile.row, tile.column, score, baseline_score, tuple(maps.profile(a).signed[0].tolist()), gap)


@torch.no_grad()
def _logits(module: nn.Module, x: Tensor, classes: int) -> Tensor | None:
    output = module(x)
    return output[0].float() if isinstance(output, Tensor) and output.shape == (1, classes) else None
