"""OME-TIFF and ImageJ's TIFF, of microscopes: channels with names, micrometres per pixel. tifffile reads them."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile
import torch
from torch import Tensor

from wavelens.frontends.raster.raster import (
    RasterError,
    RasterFile,
    RasterHeader,
    check_size,
    missing_as_nan,
    reading_errors,
)

MICROMETRES = {"µm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6}
RESOLUTIONS = (282, 283)  # tags: pixels per unit along x and y
CHANNELS, PLANE = "CS", "YX"
COLOURS = ("red", "green", "blue")  # of the samples of a picture in colour


def is_microscopy(path: Path) -> bool:
    """Whether a TIFF says that it is OME's or ImageJ's."""
    with tifffile.TiffFile(path) as file:
        return bool(file.is_ome or file.is_imagej)


def open_microscopy(path: Path) -> RasterFile:
    """The first picture of the file, of which the header is read; `RasterError` where it has depth or time."""
    with reading_errors(path, "a microscope's TIFF"), tifffile.TiffFile(path) as file:
        series = file.series[0]
        shape: dict[str, int] = dict(zip(series.axes, map(int, series.shape), strict=True))
        if not all(axis in shape for axis in PLANE):
            raise RasterError(f"a raster has rows and columns; {path} has the axes {series.axes}. Name another file.")
        deep = {axis: n for axis, n in shape.items() if axis not in CHANNELS + PLANE and n > 1}
        if deep:
            named = ", ".join(f"{n} along {axis}" for axis, n in deep.items())
            raise RasterError(
                f"a raster has channels over two axes; {path} has {named} besides. Save one plane, or explain it as a "
                "volume."
            )
        count = math.prod(shape.get(axis, 1) for axis in CHANNELS)
        spacing = _ome_spacing(file) if file.is_ome else _imagej_spacing(file)
        header = RasterHeader(_names(file, count), (shape["Y"], shape["X"]), spacing=spacing, unit="µm")
    return RasterFile(path, header, partial(_read, path))


def _read(path: Path, rows: slice, columns: slice) -> Tensor:
    """A part of the picture, of which all is read: tifffile gives whole planes."""
    with reading_errors(path, "a microscope's TIFF"), tifffile.TiffFile(path) as file:
        series = file.series[0]
        order = sorted(range(len(series.axes)), key=lambda k: (series.axes[k] in PLANE, series.axes[k] == "X"))
        *planes_before, height, width = (int(series.shape[k]) for k in order)
        check_size(path, math.prod(planes_before), (height, width))
        values = np.transpose(series.asarray(), order)
    planes = values.reshape(-1, *values.shape[-2:])[:, rows, columns]
    return missing_as_nan(torch.from_numpy(planes.astype(np.float32)))


def _names(file: Any, count: int) -> tuple[str, ...]:
    """The channels' names as the file has them, each once; by number where it has none."""
    named = [one.get("Name") or "" for one in _pixels(file).iterfind("{*}Channel")] if file.is_ome else []
    labels = (file.imagej_metadata or {}).get("Labels") or [] if file.is_imagej else []
    names = named or [str(label) for label in labels]
    if len(names) == count and all(names) and len(set(names)) == count:
        return tuple(names)
    return COLOURS if count == len(COLOURS) and len(names) < 2 else tuple(f"channel {k + 1}" for k in range(count))


def _pixels(file: Any) -> Any:
    """The first element of the OME-XML that describes pixels."""
    pixels = ElementTree.fromstring(file.ome_metadata).find(".//{*}Pixels")
    if pixels is None:
        raise RasterError("its OME-XML describes no pixels")
    return pixels


def _ome_spacing(file: Any) -> tuple[float, float] | None:
    pixels, sizes = _pixels(file), []
    for axis in PLANE:
        length, unit = pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm")
        if length is None or unit not in MICROMETRES:
            return None
        sizes.append(float(length) * MICROMETRES[unit])
    return (sizes[0], sizes[1]) if all(math.isfinite(n) and n > 0 for n in sizes) else None


def _imagej_spacing(file: Any) -> tuple[float, float] | None:
    """By the number of pixels per unit, where the unit is a length."""
    unit = str((file.imagej_metadata or {}).get("unit", "")).replace("\\u00B5", "µ").lower()
    tags = [file.pages[0].tags.get(code) for code in RESOLUTIONS]
    if unit not in MICROMETRES or any(tag is None or not all(tag.value) for tag in tags):
        return None
    across, down = (MICROMETRES[unit] * tag.value[1] / tag.value[0] for tag in tags)
    return down, across
