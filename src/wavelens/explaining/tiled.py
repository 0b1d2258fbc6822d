"""`TiledExplanation`: what `explain_tiles` gives, its figure, its entry in a report and its files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from wavelens.attribution import Attribution
from wavelens.counts import count_of
from wavelens.explaining.kinds.raster import ALL
from wavelens.explaining.stitched import Stitched, stitched_attribution
from wavelens.frontends.raster import Raster, RasterHeader, write_raster
from wavelens.grid import Grid
from wavelens.reports import TILES_VIEW, Entry

if TYPE_CHECKING:  # matplotlib: only once there is something to draw
    from matplotlib.figure import Figure


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
    `(band, rows, columns)`. They are 0 where tiles have no data, which `empty` counts, and where the target is not
    there, as a region that a tile has not: `absent`. `titles` names the scales in the scene's unit, `target` what is
    explained, `picture` `(1, 3, rows, columns)` in [0, 1] is the scene as `look` says, `facts` are for the record.
    """

    header: RasterHeader
    titles: dict[str, str]
    signed: dict[str, Tensor]
    magnitude: dict[str, Tensor]
    bands: Tensor
    accounts: tuple[TileAccount, ...]
    empty: int
    absent: int
    target: str
    name: str
    domain: Stitched
    grid: Grid
    look: str
    picture: Tensor
    facts: dict[str, str]

    def __repr__(self) -> str:
        rows, columns = self.header.size
        tiles = count_of(len(self.accounts), "tile")
        return f"<TiledExplanation of {self.name}: {self.target}, {tiles} on {rows} × {columns}>"

    @property
    def attribution(self) -> Attribution:
        """The maps as one attribution, for figures and reports; its gap is what accounts miss, by tiles' weights."""
        pixels, tile = math.prod(self.header.size), math.prod(self.domain.tile)
        share = pixels / (tile * (len(self.accounts) + self.empty + self.absent))  # of a tile, that counts in the map
        gap = share * sum(one.gap or 0.0 for one in self.accounts)
        return stitched_attribution(self.domain, self.signed, self.magnitude, gap, method=self.facts["method"])

    @property
    def sums(self) -> dict[str, float]:
        """The signed sum of each band over the scene."""
        return dict(zip(self.header.bands, self.bands.sum((1, 2)).tolist(), strict=True))

    @property
    def left_out(self) -> str:
        """How many tiles are not in the maps, and why; empty where all are."""
        counts = {"without data": self.empty, "without the target": self.absent}
        return " and ".join(f"{count} {why}" for why, count in counts.items() if count)

    def panel(self) -> Figure:
        """The figure: the scene, the stitched map of each scale, for and against, and the sums of bands."""
        from wavelens import plots  # matplotlib: only once there is something to draw

        title = f"{self.name}: {self.target}".replace("$", r"\$")
        return plots.tiled(self.attribution, self.picture, title=title, look=self.look, grid=self.grid, bands=self.sums)

    def entry(self) -> Entry:
        """The scene for a report: `wl.report(tiled.entry(), "report.html")`."""
        note = f"{self.left_out} of {len(self.accounts) + self.empty + self.absent} tiles are left out."
        bands = ", ".join(f"{name} {value:+.3g}" for name, value in self.sums.items())
        return Entry(
            self.attribution,
            self.picture,
            name=self.name,
            label=self.target,
            kind=TILES_VIEW,
            grid=self.grid,
            note=note if self.left_out else "",
            command=self.facts["command"],
            facts={
                **{name: text for name, text in self.facts.items() if name not in ("command", "method")},
                "tiles": f"{len(self.accounts)} of {' × '.join(map(str, self.domain.tile))} pixels",
                "signed sum of each band": bands,
            },
        )

    def save(self, folder: str | PathLike[str], name: str = "scene") -> list[Path]:
        """Write the figure, the accounts as JSON and, of a scene that says where it lies, GeoTIFFs; the paths."""
        from wavelens import plots  # matplotlib: only once there is something to draw

        out = Path(folder)
        out.mkdir(parents=True, exist_ok=True)
        summary = out / f"{name}-tiles.json"
        record = {"target": self.target, "scales": self.titles, "empty": self.empty, "absent": self.absent}
        tiles = [asdict(one) for one in self.accounts]
        summary.write_text(json.dumps(record | {"tiles": tiles}, indent=2) + "\n", encoding="utf-8")
        plots.save(self.panel(), figure := out / f"{name}-tiles.png")
        return [figure, summary, *(self._written(out, name) if self.header.transform else ())]

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
