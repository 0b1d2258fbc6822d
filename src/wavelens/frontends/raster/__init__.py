"""Rasters: many bands over one piece of ground, and channels of a microscope."""

from wavelens.frontends.raster.composites import composites, plain_name
from wavelens.frontends.raster.raster import Raster, RasterFile, RasterHeader
from wavelens.frontends.raster.reading import (
    SUFFIXES,
    TIFF,
    is_raster,
    open_raster,
    raster_files,
    rasters_inside,
    read_ground_spacing,
    read_raster,
    read_resolutions,
    write_raster,
)

__all__ = [
    "SUFFIXES",
    "TIFF",
    "Raster",
    "RasterFile",
    "RasterHeader",
    "composites",
    "is_raster",
    "open_raster",
    "plain_name",
    "raster_files",
    "rasters_inside",
    "read_ground_spacing",
    "read_raster",
    "read_resolutions",
    "write_raster",
]
