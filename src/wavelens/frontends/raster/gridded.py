"""NetCDF and Zarr, of climate and remote sensing, through xarray: variables over two axes are bands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wavelens.frontends.raster.georeferenced import crs_text
from wavelens.frontends.raster.ground import ground_spacing
from wavelens.frontends.raster.raster import (
    RasterError,
    RasterFile,
    RasterHeader,
    Transform,
    missing_as_nan,
    reading_errors,
)
from wavelens.optional import optional

NETCDF, ZARR = (".nc",), (".zarr",)
METRES = {"m": 1.0, "metre": 1.0, "meter": 1.0, "metres": 1.0, "meters": 1.0, "km": 1000.0}
AXES = {"Y": ("y", "lat", "latitude", "northing"), "X": ("x", "lon", "longitude", "easting")}
UNEVEN = 1e-3  # of a step, that steps may differ by


def open_gridded(path: Path) -> RasterFile:
    """The variables that share two axes, of which the header is read.

    Those with a third axis are one band per entry of it. `RasterError` for uneven steps, and for what has no variable
    over two axes.
    """
    with _opened(path) as data:
        names = _variables(path, data)
        rows, columns = data[names[0]].dims[-2:]
        size = (int(data.sizes[rows]), int(data.sizes[columns]))
        bands = tuple(band for name in names for band in _bands(data[name]))
        transform = _transform(path, data, rows, columns)
        crs = _crs(data, names[0], columns)
        spacing = None
        if transform is not None:
            spacing = ground_spacing(transform, size, crs) if crs else _own_spacing(data, transform, rows, columns)
        header = RasterHeader(bands, size, transform, crs_text(crs), spacing)
    return RasterFile(path, header, partial(_read, path, tuple(names)))


def _read(path: Path, names: tuple[str, ...], rows: slice, columns: slice) -> Tensor:
    with _opened(path) as data:
        planes = [np.asarray(data[name][..., rows, columns].values, dtype=np.float32) for name in names]
    return missing_as_nan(torch.from_numpy(np.concatenate([one.reshape(-1, *one.shape[-2:]) for one in planes])))


def _variables(path: Path, data: Any) -> list[str]:
    """The variables over the two axes that most of them share."""
    axes: dict[tuple[str, str], list[str]] = {}
    in_a_folder = path.name.lower().endswith(ZARR)  # whose entries have no order
    for name, one in sorted(data.data_vars.items()) if in_a_folder else data.data_vars.items():
        if one.ndim >= 2 and one.dtype.kind in "fiu" and "bnds" not in one.dims and "nv" not in one.dims:
            axes.setdefault(one.dims[-2:], []).append(str(name))
    if not axes:
        raise RasterError(f"a raster has variables over two axes; {path} has {', '.join(data.data_vars) or 'none'}.")
    names = max(axes.values(), key=len)
    if deep := [name for name in names if data[name].ndim > 3]:
        raise RasterError(
            f"a variable has two axes, or a third for its bands; {deep[0]} of {path} has {data[deep[0]].dims}. Save "
            "one time or level of it."
        )
    return names


def _bands(one: Any) -> list[str]:
    """The variable's name, with the entry of its third axis where it has one."""
    if one.ndim == 2:
        return [str(one.name)]
    axis = one.dims[0]
    entries = one[axis].values if axis in one.coords else np.arange(one.sizes[axis])
    texts = [str(entry)[:10] if entries.dtype.kind == "M" else str(entry) for entry in entries]
    return texts if entries.dtype.kind in "US" else [f"{one.name} {axis}={text}" for text in texts]


def _transform(path: Path, data: Any, rows: str, columns: str) -> Transform | None:
    """By the pixels' centres; None where the axes have none."""
    if rows not in data.coords or columns not in data.coords:
        return None
    (y, down), (x, right) = (_steps(path, data, axis) for axis in (rows, columns))
    return (right, 0.0, x - right / 2, 0.0, down, y - down / 2)


def _steps(path: Path, data: Any, axis: str) -> tuple[float, float]:
    """The first centre along an axis, and how far the next is."""
    centres = np.asarray(data[axis].values, dtype=np.float64)
    steps = np.diff(centres)
    if not len(steps) or not steps.mean() or np.abs(steps / steps.mean() - 1).max() > UNEVEN:
        raise RasterError(f"pixels of a raster lie evenly; those of {path} do not along {axis}. Resample it first.")
    return float(centres[0]), float(steps.mean())


def _crs(data: Any, name: str, columns: str) -> Any:
    """The system that the grid mapping names, or longitude and latitude; None where nothing says."""
    system = optional("rasterio.crs", "geo").CRS
    mapping = data[name].attrs.get("grid_mapping") or data[name].encoding.get("grid_mapping") or "spatial_ref"
    if mapping in data.variables:
        described = data[mapping].attrs
        text = described.get("crs_wkt") or described.get("spatial_ref")
        if text:
            return system.from_wkt(text)
    in_degrees = str(data[columns].attrs.get("units", "")).startswith("degree") or columns in ("lon", "longitude")
    return system.from_epsg(4326) if in_degrees and columns in data.coords else None


def _own_spacing(data: Any, transform: Transform, rows: str, columns: str) -> tuple[float, float] | None:
    """Steps in metres, where the axes say that their unit is a length."""
    factors = [METRES.get(str(data[axis].attrs.get("units", ""))) for axis in (rows, columns)]
    if None in factors:
        return None
    return abs(transform[4]) * (factors[0] or 1), abs(transform[0]) * (factors[1] or 1)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    xarray = optional("xarray", "geo")
    engine = {"engine": "zarr", "consolidated": None} if path.name.lower().endswith(ZARR) else {}
    with (
        reading_errors(path, "NetCDF or Zarr"),
        xarray.open_dataset(path, decode_timedelta=False, **engine) as data,
    ):
        yield _rows_before_columns(data)


def _rows_before_columns(data: Any) -> Any:
    """The data with north and east as their last axes, where the axes say which these are; some have time last."""
    found = [[axis for axis in data.dims if _lies_along(data, axis, letter)] for letter in "YX"]
    (down, *others), (across, *more) = (axes or [""] for axes in found)
    return data.transpose(..., down, across) if down and across and not others and not more else data


def _lies_along(data: Any, axis: Any, letter: str) -> bool:
    stated = data[axis].attrs.get("axis") if axis in data.coords else None
    return str(axis).casefold() in AXES[letter] if stated is None else stated == letter
