"""Rasters: many bands over a piece of ground, and channels of a microscope."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from wavelens import maps
from wavelens.attribution import Attribution
from wavelens.core import Domain
from wavelens.domains import DWT
from wavelens.explaining.kinds.input import Input
from wavelens.explaining.kinds.kind import FileSize, Kind
from wavelens.frontends.raster import (
    SUFFIXES,
    TIFF,
    Raster,
    RasterHeader,
    composites,
    is_raster,
    open_raster,
    raster_files,
    rasters_inside,
    read_raster,
    write_raster,
)
from wavelens.grid import Grid
from wavelens.models import EMBEDDED
from wavelens.models.preparations.raster import Bands, as_raster
from wavelens.reports import PHOTO_VIEW

if TYPE_CHECKING:  # matplotlib: only once there is something to draw
    from matplotlib.figure import Figure

MAX_LEVELS = 5
ALL = "all scales"


def octaves(axes: tuple[int, ...]) -> Domain:
    """Octaves from two pixels up, as photos have them."""
    return DWT("haar", levels=MAX_LEVELS if min(axes) >= 2**MAX_LEVELS else None)


def _panel(a: Attribution, shown: Input, title: str) -> Figure:
    from wavelens import plots  # matplotlib: only once there is something to draw

    return plots.bands(a, shown.x, title=title, grid=shown.grid, channels=_channels(shown))


def _picture(shown: Input) -> Tensor:
    """The bands in true colour, or what stands for it."""
    return next(iter(composites(shown.x, _channels(shown)).values()))


def _channels(shown: Input) -> tuple[str, ...]:
    """The names of the input's bands; by number where a preparation of one's own made other ones."""
    own = getattr(shown.preparation, "names", None)
    names = own(shown.signal) if own else shown.signal.header.bands
    count = shown.x.shape[1]
    return tuple(names) if len(names) == count else tuple(f"band {k + 1}" for k in range(count))


def _note(path: Path) -> str:
    """How several resolutions came together, and that a raster does not say where it lies."""
    header = open_raster(path).header
    notes = []
    if coarser := sorted({step for step in header.own_spacing if header.spacing and step > header.spacing[0]}):
        steps = " and ".join(f"{step:g}" for step in coarser)
        notes.append(f"bands of {steps} {header.unit} were repeated to {min(header.own_spacing):g} {header.unit}")
    if header.spacing is None:
        missing = "coordinate reference system" if header.transform else "georeference"
        notes.append(f"no {missing}, so scales are named in pixels (--spacing 10 says metres)")
    return "; ".join(notes)


def _extras(a: Attribution, shown: Input, label: str, base: Path) -> Iterator[Path]:
    """Maps over the scene as GeoTIFF: γ and |γ| of all scales and of each, and γ of each band.

    None for a raster that does not say where it lies, nor where a preparation of one's own does not say which part of
    it the network was given.
    """
    if isinstance(shown.preparation, Bands):
        yield from written_maps(a, shown.grid, shown.preparation.header(shown.signal), _channels(shown), base)


def written_maps(a: Attribution, grid: Grid, header: RasterHeader, names: Sequence[str], base: Path) -> Iterator[Path]:
    """Maps of one raster as GeoTIFF, on the grid of the header; none for one that does not say where it lies."""
    if header.transform is None:
        return
    titles = grid.titles(a.layout)
    for ending, signed in (("signed", True), ("magnitude", False)):
        if signed and a.data.is_complex():
            continue
        several = {ALL: maps.spatial_map(a, signed=signed), **maps.scale_maps(a, signed=signed)}
        yield _written(base, ending, header, {titles.get(name, name): one[0] for name, one in several.items()})
    by_band = maps.spatial_map(a, signed=not a.data.is_complex(), by_channel=True)[0]
    yield _written(base, "bands", header, dict(zip(names, by_band, strict=True)))


def _size(path: Path, shape: tuple[int, ...]) -> FileSize:
    """One TIFF by its header; other formats may name further files, and anyone may send them."""
    if not path.name.lower().endswith(TIFF):
        raise ValueError(f"a raster must be one TIFF here; got {path.name}. Send it as .tif.")
    raster = open_raster(path)
    return FileSize(math.prod(raster.shape))


def _written(base: Path, ending: str, header: RasterHeader, planes: dict[str, Tensor]) -> Path:
    """A GeoTIFF of maps by their names, on the grid of the header."""
    path = base.with_name(f"{base.name}-{ending}.tif")
    data = torch.stack(list(planes.values())).detach().float().cpu()[None]
    own = RasterHeader(tuple(planes), header.size, header.transform, header.crs, header.spacing, header.unit)
    write_raster(path, Raster(data, own))
    return path


RASTER = Kind(
    "raster",
    SUFFIXES,
    read_raster,
    units=("m", "m"),
    domain=octaves,
    sigma=0.1,
    start="a raster of zeros",
    panel=_panel,
    view=PHOTO_VIEW,
    size=_size,
    open=open_raster,
    as_is=as_raster,
    gather=rasters_inside,
    speaks=is_raster,
    holds=is_raster,
    files=raster_files,
    channels=_channels,
    picture=_picture,
    note=_note,
    extras=_extras,
    outputs={".tif": "maps over the scene"},
    model=EMBEDDED,
)
