"""Rasters: many bands over one piece of ground, and channels of a microscope."""

from wavelens.frontends.raster.composites import composites, pictured_bands, plain_name, stretched
from wavelens.frontends.raster.raster import Raster, RasterFile, RasterHeader
from wavelens.frontends.raster.reading import (
    SUFFIXES,
    TIFF,
    is_raster,
    open_raster,
    open_scene,
    raster_files,
    rasters_inside,
    read_ground_spacing,
    read_raster,
    read_resolutions,
    scenes_inside,
    write_raster,
)
from wavelens.frontends.raster.scene import Scene
from wavelens.frontends.raster.several import same_ground

__all__ = [
    "SUFFIXES",
    "TIFF",
    "Raster",
    "RasterFile",
    "RasterHeader",
    "Scene",
    "composites",
    "is_raster",
    "open_raster",
    "open_scene",
    "pictured_bands",
    "plain_name",
    "raster_files",
    "rasters_inside",
    "read_ground_spacing",
    "read_raster",
    "read_resolutions",
    "same_ground",
    "scenes_inside",
    "stretched",
    "write_raster",
]
