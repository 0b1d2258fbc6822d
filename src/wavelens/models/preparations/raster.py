"""How a raster becomes a network's input: its bands by name, a window of it, its scale, and what stands for no data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from wavelens.field_types import check_fields
from wavelens.frontends.raster import Raster, RasterFile, RasterHeader, plain_name
from wavelens.grid import Grid, each_axis
from wavelens.models.preparations.named_parts import listed, places_by_count, places_by_name
from wavelens.whole_numbers import is_whole

FITS = ("window", "whole")


@dataclass(frozen=True)
class Bands:
    """Brings a raster to what a network takes: `(1, bands, rows, columns)`, as `shape` says.

    `bands` picks bands by their names, in the network's order; capitals and zeros in front of a number do not matter
    ('b4' is 'B04'), a name may be the end of the file's, and '1', '2' … are bands by their place. Without it bands are
    taken as they are. Values are multiplied by `scale` and `offset` is added: `scale=1e-4` makes reflectance of
    Sentinel-2. The network is given a window of the file's pixels, from (row, column) `start` on, by default the
    middle; with `fit='whole'` all of them. Pixels without data get the value `fill`, after scaling; without `fill` they
    are a `ValueError`, and so is a window with no data at all. `spacing` in `unit` is how far apart rows and columns
    lie, of rasters that do not say it.

    >>> header = wl.frontends.RasterHeader(("B04", "B08"), (6, 6), spacing=(10.0, 10.0))
    >>> raster = wl.frontends.Raster(torch.full((1, 2, 6, 6), 2000.0), header)
    >>> x = wl.models.Bands((1, 4, 4), bands=("B8",), scale=1e-4)(raster)
    >>> x.shape, round(x.max().item(), 3)
    (torch.Size([1, 1, 4, 4]), 0.2)
    """

    shape: tuple[int, int, int]
    bands: tuple[str, ...] = ()
    scale: float = 1.0
    offset: float = 0.0
    start: tuple[int, int] | None = None
    fit: str = "window"
    fill: float | None = None
    spacing: tuple[float, float] | None = None
    unit: str = "m"
    kind: ClassVar[str] = "raster"
    takes_files: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_fields(self)
        if len(self.shape) != 3 or not all(is_whole(n, 1) for n in self.shape):
            raise ValueError(f"shape must be (bands, rows, columns); got {self.shape!r}.")
        if self.bands and len(self.bands) != self.shape[0]:
            raise ValueError(f"bands must name each of {self.shape[0]} bands; got {len(self.bands)}.")
        if self.fit not in FITS:
            raise ValueError(f"fit must be one of {', '.join(FITS)}; got {self.fit!r}.")
        if not all(math.isfinite(n) for n in (self.scale, self.offset, self.fill or 0.0)) or not self.scale:
            raise ValueError(
                f"scale, offset and fill must be finite, and scale must not be 0; got {self.scale}, {self.offset}, "
                f"{self.fill}."
            )
        if self.start is not None and not (len(self.start) == 2 and all(is_whole(n, 0) for n in self.start)):
            raise ValueError(f"start must be the first row and column of the window, from 0; got {self.start!r}.")
        if self.spacing is not None:
            Grid(self.spacing, (self.unit,) * 2)

    def __call__(self, raster: Raster | RasterFile) -> Tensor:
        places, (rows, columns) = self._picked(raster.header), self.window(raster.header)
        values = raster.read(rows, columns).data[:, places] * self.scale + self.offset
        missing = values.isnan()
        if not missing.any():
            return values
        empty = [raster.header.bands[k] for k, band in zip(places, missing[0], strict=True) if band.all()]
        if empty:
            raise ValueError(
                f"the network looks at rows {rows.start} to {rows.stop - 1} and columns {columns.start} to "
                f"{columns.stop - 1}; {listed(empty)} {'has' if len(empty) == 1 else 'have'} no data there. Choose "
                "another window: Bands(…, start=(row, column))."
            )
        if self.fill is None:
            count, pixels = int(missing.any(1).sum()), missing[0, 0].numel()
            raise ValueError(
                f"the network takes numbers; {count:,} of {pixels:,} pixels have no data (masked, NaN or infinite). "
                f'Say what stands for it, --preparation "Bands({self.shape}, …, fill=0.0)", or choose another window.'
            )
        return values.where(~missing, torch.tensor(self.fill, dtype=values.dtype))

    def header(self, raster: Raster | RasterFile) -> RasterHeader:
        """What the network is given of a raster: its bands, and where they lie."""
        return raster.header.picked(self._picked(raster.header)).cut(*self.window(raster.header))

    def grid(self, raster: Raster | RasterFile) -> Grid:
        """Where the pixels of the prepared input lie."""
        own = raster.header
        if self.spacing is None:
            return own.grid
        if own.spacing is not None and (own.spacing, own.unit) != (self.spacing, self.unit):
            raise ValueError(
                f"--spacing is for rasters that do not say theirs; this one says {_by(own.spacing)} {own.unit}, and "
                f"{_by(self.spacing)} {self.unit} was given. Leave it out."
            )
        return Grid(self.spacing, (self.unit,) * 2)

    def names(self, raster: Raster | RasterFile) -> tuple[str, ...]:
        """The bands of the prepared input."""
        return tuple(raster.header.bands[k] for k in self._picked(raster.header))

    def banded(self, bands: Sequence[str]) -> Bands:
        """The same for these bands of the file, in the network's order."""
        return replace(self, shape=(len(bands), *self.shape[1:]), bands=tuple(bands))

    def spaced(self, spacing: Sequence[float], unit: str) -> Bands:
        """The same for rasters that do not say how far apart their pixels lie: one number, or two."""
        down, across = each_axis(spacing, 2)
        return replace(self, spacing=(down, across), unit=unit)

    def window(self, header: RasterHeader) -> tuple[slice, slice]:
        """Which rows and columns of the file the network is given."""
        if self.fit == "whole":
            return slice(0, header.size[0]), slice(0, header.size[1])
        sizes = self.shape[1:]
        starts = self.start or tuple((n - size) // 2 for n, size in zip(header.size, sizes, strict=True))
        pairs = list(zip(starts, sizes, header.size, strict=True))
        if any(first < 0 or first + size > n for first, size, n in pairs):
            first = "" if self.start is None else f" from row {starts[0]} and column {starts[1]} on"
            raise ValueError(
                f"the network takes {_by(sizes)} pixels{first}; the raster has {_by(header.size)}. Take a larger one, "
                "or a network for smaller ones."
            )
        rows, columns = (slice(first, first + size) for first, size, _ in pairs)
        return rows, columns

    def _picked(self, header: RasterHeader) -> list[int]:
        if not self.bands:
            advice = "Choose them in the network's order: --bands B04,B03,B02."
            count, names = self.shape[0], header.bands
            return places_by_count(count, len(names), names, parts="bands", signal="raster", advice=advice)
        advice = "Name them as the file does, or by their places: --bands 4,3,2."
        return places_by_name(self.bands, header.bands, _place, parts="bands", signal="raster", advice=advice)


def as_raster(raster: Raster | RasterFile) -> Bands:
    """The preparation that hands a raster to a network as it is: its own bands, all its pixels."""
    _, bands, rows, columns = raster.shape
    return Bands((bands, rows, columns), fit="whole")


def _place(name: str, names: Sequence[str]) -> int | None:
    """The band of that name, or the one alone whose name ends in it; of a number the band at that place, from 1."""
    plain, own = plain_name(name), [plain_name(one) for one in names]
    if plain in own:
        return own.index(plain)
    if plain.isdecimal():
        return int(plain) - 1 if 1 <= int(plain) <= len(names) else None
    ending = [k for k, one in enumerate(own) if one.endswith(plain)]
    return ending[0] if len(ending) == 1 else None


def _by(lengths: Sequence[Any]) -> str:
    return " × ".join(f"{n:g}" for n in lengths)
