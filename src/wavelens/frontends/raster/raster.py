"""`Raster`: bands over one piece of ground, or channels of one microscope picture, with what a file says of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from wavelens.grid import Grid
from wavelens.untrusted import excerpt

Transform = tuple[float, float, float, float, float, float]
Reader = Callable[[slice, slice], Tensor]  # of rows and columns: (band, rows, columns), NaN where there is no data
MAX_VALUES = 2**31  # bands × rows × columns that are read at once: 8 GiB in memory


class RasterError(ValueError):
    """An error that a reader raises itself, rather than a library."""


@dataclass(frozen=True)
class RasterHeader:
    """What a file says of its bands: their names, `size` (rows, columns), and where they lie.

    `transform` (a, b, c, d, e, f) takes the corner (column, row) of a pixel to x = a column + b row + c and
    y = d column + e row + f in the coordinate reference system `crs`, 'EPSG:32635' or WKT; None and '' where the file
    does not say. `spacing` is how far apart rows and columns lie in `unit`, 'm' or 'µm', or None. `own_spacing` has
    what bands of several resolutions had before they were repeated to one, and is empty otherwise.
    """

    bands: tuple[str, ...]
    size: tuple[int, int]
    transform: Transform | None = None
    crs: str = ""
    spacing: tuple[float, float] | None = None
    unit: str = "m"
    own_spacing: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.bands or min(self.size) < 1:
            raise RasterError(
                f"a raster must have bands over rows and columns; got {len(self.bands)} over {self.size}."
            )
        if self.spacing is not None:
            Grid(self.spacing, (self.unit,) * 2)
        if len(self.own_spacing) not in (0, len(self.bands)):
            raise RasterError(
                f"own_spacing must have one entry per band; got {len(self.own_spacing)} for {len(self.bands)}."
            )

    @property
    def grid(self) -> Grid:
        """Pixels in the header's unit, or one apart where it says none."""
        return Grid.plain(2) if self.spacing is None else Grid(self.spacing, (self.unit,) * 2)

    def cut(self, rows: slice, columns: slice) -> RasterHeader:
        """The header of a part, `slice(first, last + 1)` of rows and of columns."""
        size = rows.stop - rows.start, columns.stop - columns.start
        if self.transform is None:
            return replace(self, size=size)
        a, b, c, d, e, f = self.transform
        left, top = columns.start, rows.start
        return replace(self, size=size, transform=(a, b, a * left + b * top + c, d, e, d * left + e * top + f))

    def picked(self, places: Sequence[int]) -> RasterHeader:
        """The header of some of the bands, in this order."""
        own = tuple(self.own_spacing[k] for k in places) if self.own_spacing else ()
        return replace(self, bands=tuple(self.bands[k] for k in places), own_spacing=own)


@dataclass(frozen=True, eq=False)
class Raster:
    """Bands over rows and columns: `data` `(1, band, rows, columns)` in float32, NaN where there is no data.

    >>> header = wl.frontends.RasterHeader(("red", "near infrared"), (4, 6), spacing=(10.0, 10.0))
    >>> raster = wl.frontends.Raster(torch.zeros(1, 2, 4, 6), header)
    >>> raster.grid.units, raster.shape
    (('m', 'm'), (1, 2, 4, 6))
    """

    data: Tensor
    header: RasterHeader

    def __post_init__(self) -> None:
        if tuple(self.data.shape) != (1, len(self.header.bands), *self.header.size):
            raise RasterError(
                "data of a raster must be (1, band, rows, columns), here "
                f"{(1, len(self.header.bands), *self.header.size)}; got {tuple(self.data.shape)}."
            )

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.data.shape)

    @property
    def grid(self) -> Grid:
        return self.header.grid

    def read(self, rows: slice, columns: slice) -> Raster:
        """A part of it."""
        return Raster(self.data[..., rows, columns], self.header.cut(rows, columns))


@dataclass(frozen=True, eq=False)
class RasterFile:
    """A raster on a disk, of which nothing but the header is read yet; `read` gives a part of it as a `Raster`."""

    path: Path
    header: RasterHeader
    reader: Reader

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the data."""
        return (1, len(self.header.bands), *self.header.size)

    @property
    def grid(self) -> Grid:
        return self.header.grid

    def read(self, rows: slice, columns: slice) -> Raster:
        header = self.header.cut(rows, columns)
        check_size(self.path, len(header.bands), header.size)
        return Raster(self.reader(rows, columns)[None], header)

    def whole(self) -> Raster:
        rows, columns = self.header.size
        return self.read(slice(0, rows), slice(0, columns))


def check_size(path: Path, bands: int, size: tuple[int, int]) -> None:
    """`RasterError` for more than is read at once."""
    if bands * math.prod(size) > MAX_VALUES:
        raise RasterError(
            f"at most {MAX_VALUES:,} values of a raster are read at once; {path} has {bands} bands of {size[0]} × "
            f"{size[1]}. Give the model a window of it: Bands((bands, rows, columns))."
        )


def missing_as_nan(values: Tensor) -> Tensor:
    """In float32, with infinity as missing too."""
    data = values.float()
    return data.where(data.isfinite(), torch.nan)


@contextmanager
def reading_errors(path: Path, noun: str) -> Iterator[None]:
    """Turns whatever a library raises on broken bytes into a `ValueError` that names the file."""
    try:
        yield
    except (MemoryError, ImportError, RasterError):
        raise
    except Exception as error:
        reason = excerpt(str(error)).rstrip(".") or type(error).__name__
        raise RasterError(
            f"{path} cannot be read as {noun}: {reason}. Get a fresh copy, or check what it is."
        ) from error
