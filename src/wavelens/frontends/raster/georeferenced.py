"""GeoTIFF and whatever else GDAL reads, through rasterio."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wavelens.frontends.raster.drivers import NO_NETWORK, check_sources, driver_of
from wavelens.frontends.raster.ground import ground_spacing
from wavelens.frontends.raster.raster import (
    Raster,
    RasterError,
    RasterFile,
    RasterHeader,
    Transform,
    missing_as_nan,
    reading_errors,
)
from wavelens.optional import optional

ALPHA, UNNAMED = "alpha", ("gray", "undefined", "palette")  # interpretations of a band's colour that name nothing


def open_georeferenced(path: Path) -> RasterFile:
    """The raster at `path`, of which the header is read."""
    with _opened(path) as file:
        indexes = [k for k, kind in zip(file.indexes, file.colorinterp, strict=True) if kind.name != ALPHA]
        if not indexes:
            subdatasets = ", ".join(file.subdatasets[:3])
            hint = f" It holds others: {subdatasets}." if subdatasets else ""
            raise RasterError(f"a raster has bands; {path} has none of its own.{hint} Name another file.")
        if any(np.dtype(file.dtypes[k - 1]).kind == "c" for k in indexes):
            raise RasterError(
                f"a raster holds real numbers; {path} holds complex ones. Save their magnitude, say in dB."
            )
        header = _header(file, indexes)
    return RasterFile(path, header, partial(_read, path, tuple(indexes)))


def _header(file: Any, indexes: list[int]) -> RasterHeader:
    size, transform, crs = (file.height, file.width), transform_of(file), file.crs
    spacing = None if transform is None or not crs else ground_spacing(transform, size, crs)
    names = tuple(_name(file, k) for k in indexes)
    return RasterHeader(_distinct(names), size, transform, crs_text(crs), spacing)


def transform_of(file: Any) -> Transform | None:
    """Where the file lies; None where it does not say."""
    return None if file.transform.is_identity else tuple(map(float, tuple(file.transform)[:6]))  # type: ignore[return-value]


def crs_text(crs: Any) -> str:
    """'EPSG:…' where the system has a number, else WKT; '' for none."""
    if not crs:
        return ""
    number = crs.to_epsg()
    return f"EPSG:{number}" if number else str(crs.to_wkt())


def _name(file: Any, index: int) -> str:
    """The band's description, or what colour it is, or its number."""
    description, colour = file.descriptions[index - 1], file.colorinterp[index - 1].name
    return description or (colour if colour not in UNNAMED else f"band {index}")


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names that occur twice have their number, too."""
    return tuple(f"{name} {k + 1}" if names.count(name) > 1 else name for k, name in enumerate(names))


def _read(path: Path, indexes: tuple[int, ...], rows: slice, columns: slice) -> Tensor:
    """A window, scaled as the file says."""
    with _opened(path) as file:
        window = ((rows.start, rows.stop), (columns.start, columns.stop))
        values = file.read(list(indexes), window=window, masked=True)
        data = values.astype(np.float32).filled(np.nan)
        for band, k in zip(data, indexes, strict=True):
            scale, offset = file.scales[k - 1], file.offsets[k - 1]
            if (scale, offset) != (1.0, 0.0):
                band *= scale
                band += offset
    return missing_as_nan(torch.from_numpy(data))


def write_georeferenced(path: Path, raster: Raster) -> None:
    """A GeoTIFF of float32 that lies where the raster does; no data is NaN, bands have their names."""
    rasterio, header = optional("rasterio", "geo"), raster.header
    options = {"crs": header.crs or None, "transform": rasterio.Affine(*header.transform or (1, 0, 0, 0, 1, 0))}
    rows, columns = header.size
    shape = {"height": rows, "width": columns, "count": len(header.bands), "dtype": "float32"}
    with (
        _quiet(rasterio),
        rasterio.open(path, "w", driver="GTiff", nodata=np.nan, compress="deflate", **shape, **options) as file,
    ):
        file.write(raster.data[0].detach().float().cpu().numpy())
        file.descriptions = header.bands


def files_of(path: Path) -> list[Path]:
    """The files that GDAL reads for the one at `path`, which comes first; itself where it cannot be read."""
    try:
        with _opened(path) as file:
            others = [Path(name) for name in file.files]
    except (ValueError, ImportError):
        others = []
    return [path, *(one for one in others if one != path and one.is_file())]


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    rasterio = optional("rasterio", "geo")
    with reading_errors(path, "a raster"), _quiet(rasterio), rasterio.Env(**NO_NETWORK) as env:
        driver = driver_of(path, env.drivers())
        if driver == "VRT":
            check_sources(path)
        with rasterio.open(path, driver=driver) as file:
            yield file


@contextmanager
def _quiet(rasterio: Any) -> Iterator[None]:
    """That a file has no georeference is said by the note of its kind."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        yield
