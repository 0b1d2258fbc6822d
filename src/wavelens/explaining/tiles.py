"""A scene larger than a network's input: explained tile by tile, and the maps stitched without seams.

Tiles lie on a grid whose step is a multiple of the coarsest wavelet's, so that the coefficients of neighbours lie at
the same places of the ground. Each tile has an account of its own, Σγ = f(x) − f(x₀) up to its gap. Where tiles
overlap, their maps are mixed by weights that fall linearly towards a tile's edges and are 1 together at every pixel;
so a tile counts in the map of the scene by these weights, and without overlap by the whole of its account.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any

import torch
from torch import Tensor, nn

from wavelens import maps, models
from wavelens.attribution import Attribution, attribute
from wavelens.core import Domain, Layout
from wavelens.counts import count_of
from wavelens.explaining.arguments import device_called
from wavelens.explaining.bare import device_of
from wavelens.explaining.kinds.raster import RASTER
from wavelens.explaining.question import Question, question_of
from wavelens.explaining.records import shown_path
from wavelens.explaining.request import DEFAULT_METHOD, fitted
from wavelens.explaining.stitched import Stitched, block_sums
from wavelens.explaining.tiled import TileAccount, TiledExplanation
from wavelens.explaining.tiling import Tile, tiles_of
from wavelens.frontends.raster import (
    Raster,
    RasterFile,
    open_raster,
    pictured_bands,
    stretched,
)
from wavelens.models import Bands, LoadedModel
from wavelens.own import text_of
from wavelens.targets import Target
from wavelens.targets.predicted import NowherePredicted

TILES_AT_ONCE = 16  # whose coefficients are in memory together


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
    or label, or any target of `attribute`. One that depends on the input, 'region:water' or a function, is asked of
    each tile, and tiles in which no such region is predicted are left out. Neighbouring tiles share the part `overlap`
    of a side, or somewhat more, so that their wavelets lie at the same places; those at the far edges reach back into
    the scene. Tiles without data are left out. The other options are those of `explain`.

    `ValueError` for a scene smaller than a tile, and for one without data in every tile.

    >>> net = torch.nn.Sequential(torch.nn.AvgPool2d(8), torch.nn.Flatten(), torch.nn.Linear(2, 2)).eval()
    >>> header = wl.frontends.RasterHeader(("B04", "B08"), (16, 24), (10.0, 0.0, 0.0, 0.0, -10.0, 0.0), "EPSG:32635")
    >>> wl.frontends.write_raster("scene.tif", wl.frontends.Raster(torch.rand(1, 2, 16, 24), header))
    >>> loaded = wl.models.LoadedModel(net, ("bare", "green"), wl.models.Bands((2, 8, 8)), "net")
    >>> tiled = wl.explain_tiles("scene.tif", loaded, target="green", overlap=0)
    >>> len(tiled.accounts), tuple(tiled.bands.shape), tiled.titles["d1"]
    (6, (2, 16, 24), 'd1 · 10–20 m')
    """
    loaded = models.load(model) if isinstance(model, str) else model
    preparation = check_tiled(loaded, target)
    if isinstance(model, str):
        loaded.module.to(device_called(device))
    raster, chosen = open_raster(path), fitted(domain, RASTER, loaded)
    facts = _facts(raster, loaded, target, overlap, domain, method or DEFAULT_METHOD)
    stitched = _Stitching(raster, loaded, preparation, chosen, facts)
    every = tiles_of(raster.header.size, preparation.shape[1:], overlap, chosen.period(stitched.layout))
    while group := list(itertools.islice(every, TILES_AT_ONCE)):
        stitched.add(group, target, method or DEFAULT_METHOD, batch_size)
    return stitched.explanation()


def check_tiled(loaded: LoadedModel, target: Target) -> Bands:
    """The preparation of tiles; `ValueError` for a model that takes no rasters, and without a target."""
    preparation = loaded.preprocess
    if not isinstance(preparation, Bands):
        raise ValueError(
            f"only rasters are explained tile by tile; {loaded.name} takes a {preparation.kind} through "
            f"{type(preparation).__name__}. Leave --tiles out, or give a model of rasters its preparation: "
            "--preparation 'Bands((bands, rows, columns))'."
        )
    if target is None:
        raise ValueError(
            "all tiles of a scene must be explained for the same target; got none. Name a class: --target."
        )
    return preparation


class _Stitching:
    """The maps of a scene while tiles are added to them."""

    def __init__(
        self, raster: RasterFile, loaded: LoadedModel, preparation: Bands, domain: Domain, facts: dict[str, str]
    ) -> None:
        self.raster, self.loaded, self.domain, self.facts = raster, loaded, domain, facts
        self.preparation = replace(preparation, fit="window", start=None)
        self.layout: Layout = domain.layout(preparation.shape[1:])
        size, names = raster.header.size, list(self.layout.scales())
        self.signed, self.magnitude = ({name: torch.zeros(size).double() for name in names} for _ in range(2))
        self.bands = torch.zeros(preparation.shape[0], *size).double()
        self.look, self.shown = next(iter(pictured_bands(preparation.names(raster)).items()))
        self.picture = torch.zeros(len(self.shown), *size)
        self.accounts: list[TileAccount] = []
        self.empty, self.absent, self.label = 0, 0, ""

    def add(self, tiles: Iterable[Tile], target: Target, method: Any, batch_size: int | None) -> None:
        """Tiles that have data, explained together."""
        parts = [(tile, self.raster.read(*tile.place)) for tile in tiles]
        full = [(tile, self.preparation(part)) for tile, part in parts if not self._has_no_data(part)]
        self.empty += len(parts) - len(full)
        if not full:
            return
        for tile, one in full:
            self.picture[(..., *tile.place)] += tile.weight.float() * one[0, self.shown]
        question = question_of(target, None, self.loaded)
        depends = question.place is not None or question.function is not None or self.loaded.answer is not None
        groups = [[one] for one in full] if depends else [full]
        for group in groups:
            self._explain(group, question, method, batch_size)

    def _explain(
        self, tiles: Sequence[tuple[Tile, Tensor]], question: Question, method: Any, batch_size: int | None
    ) -> None:
        """Tiles of one target, explained together; left out where it is a region that is not there."""
        module = self.loaded.module
        x = torch.cat([one for _, one in tiles]).to(device_of(module))
        logits = _logits(module, x[:1], len(self.loaded.labels))
        try:
            explained = question(self.loaded, x[:1], logits, self.preparation.grid(self.raster))
        except NowherePredicted:
            self.absent += 1
            return
        self.label = self.label or (question.place.text if question.place else explained.label)
        a = attribute(module, x, explained.target, domain=self.domain, method=method, batch_size=batch_size)
        for k, (tile, _) in enumerate(tiles):
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
        if not self.accounts and self.absent:
            raise ValueError(
                f"the network predicts the target nowhere in {count_of(self.absent, 'tile')}. Choose another target."
            )
        if not self.accounts:
            raise ValueError(f"no tile of {raster.path} has data. Choose another scene.")
        header = raster.header.picked([raster.header.bands.index(name) for name in preparation.names(raster)])
        return TiledExplanation(
            header,
            preparation.grid(raster).titles(self.layout),
            {name: one.float() for name, one in self.signed.items()},
            {name: one.float() for name, one in self.magnitude.items()},
            self.bands.float(),
            tuple(self.accounts),
            self.empty,
            self.absent,
            self.label,
            raster.path.name,
            Stitched(self.domain, (preparation.shape[1], preparation.shape[2])),
            preparation.grid(raster),
            self.look,
            _picture(self.picture),
            self.facts,
        )


def _account(a: Attribution, tile: Tile) -> TileAccount:
    score, baseline_score, gap = (
        None if value is None else float(value.reshape(-1)[0]) for value in (a.score, a.baseline_score, a.gap)
    )
    return TileAccount(tile.row, tile.column, score, baseline_score, tuple(maps.profile(a).signed[0].tolist()), gap)


def _picture(bands: Tensor) -> Tensor:
    """The scene in colours `(1, 3, rows, columns)`, no larger than what is drawn."""
    pixels = block_sums(torch.ones_like(bands[:1]))
    return stretched((block_sums(bands) / pixels)[None]).expand(-1, 3, -1, -1)


def _facts(
    raster: RasterFile, loaded: LoadedModel, target: Target, overlap: float, domain: Domain | None, method: Any
) -> dict[str, str]:
    """For the record: the file, the model, the method, and the call that makes it again."""
    call = {"target": repr(target) if isinstance(target, str | int) else "target", "overlap": f"{overlap:g}"}
    call |= {} if domain is None else {"domain": f"wl.{domain!r}"}
    call |= {} if method == DEFAULT_METHOD else {"method": f"wl.{method!r}"}
    path, model = shown_path(raster.path), shown_path(loaded.name)
    arguments = ", ".join([repr(path), repr(model), *(f"{name}={text}" for name, text in call.items())])
    return {"file": path, "model": model, "preparation": repr(loaded.preprocess), "method": text_of(method),
            "command": f"wl.explain_tiles({arguments})"}  # fmt: skip


@torch.no_grad()
def _logits(module: nn.Module, x: Tensor, classes: int) -> Tensor | None:
    output = module(x)
    return output[0].float() if isinstance(output, Tensor) and output.shape == (1, classes) else None
