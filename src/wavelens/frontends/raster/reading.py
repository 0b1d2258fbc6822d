"""Rasters by their files: how each format is opened, which TIFFs are rasters, and which files are one scene."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import tifffile

from wavelens.frontends.raster.georeferenced import files_of, open_georeferenced, write_georeferenced
from wavelens.frontends.raster.gridded import NETCDF, ZARR, open_gridded
from wavelens.frontends.raster.microscopy import is_microscopy, open_microscopy
from wavelens.frontends.raster.raster import Raster, RasterError, RasterFile
from wavelens.frontends.raster.scene import Scene
from wavelens.frontends.raster.several import by_resolution, is_one_scene, joined
from wavelens.untrusted import check_file

TIFF, JPEG_2000 = (".tif", ".tiff"), (".jp2",)
OME = (".ome.tif", ".ome.tiff")
VIRTUAL = (".vrt",)
GDAL = (*VIRTUAL, ".bil", ".bip", ".bsq")
SUFFIXES = (*TIFF, *OME, *JPEG_2000, *GDAL, *NETCDF, *ZARR)
GEO_TAGS = (33550, 33922, 34264, 34735)  # pixel scale, tie points, transformation, keys of a GeoTIFF
GEO_BOXES = (bytes.fromhex("b14bf8bd083d4b43a5ae8cd7d5a6ce03"), b"gml.root-instance")  # of a georeferenced JPEG 2000
MAX_PHOTO_BANDS = 4  # red, green and blue with transparency, or four inks
MAX_BANDS = 1000  # in a folder that is one scene
HEAD_BYTES = 2**16  # of a JPEG 2000, in which its boxes lie


def open_raster(path: str | PathLike[str]) -> RasterFile:
    """The raster at `path`, of which only the header is read; errors as `read_raster`.

    >>> import numpy, tifffile
    >>> tifffile.imwrite("cells.ome.tif", numpy.zeros((2, 8, 8), "u2"), metadata={"axes": "CYX"})
    >>> wl.frontends.open_raster("cells.ome.tif").shape
    (1, 2, 8, 8)
    """
    path = Path(path)
    name = path.name.lower()
    if path.is_dir() and not name.endswith(ZARR):
        return joined(path, _scene(path))
    if not name.endswith(ZARR):
        check_file(path, "raster")
    if name.endswith((*NETCDF, *ZARR)):
        return open_gridded(path)
    return open_microscopy(path) if _is_microscopy(path) else open_georeferenced(path)


def read_raster(path: str | PathLike[str]) -> Raster:
    """The raster at `path`: all bands, their names, and where on the ground they lie, as the file says.

    GeoTIFF and what else GDAL reads go through rasterio, NetCDF and Zarr through xarray (the extra `geo`), OME-TIFF and
    ImageJ's TIFF through tifffile. A folder of files of one band each that lie on one piece of ground is one raster, on
    the grid of the finest band, pixels of the others repeated. Pixels without data, by a mask, a value or NaN, are NaN.

    A path without a file is a `FileNotFoundError`; damage, complex numbers, more axes than two beside the bands and
    files that do not lie on each other are a `ValueError`; a missing package is an `ImportError`.

    >>> import numpy, tifffile
    >>> names = {"axes": "CYX", "Channel": {"Name": ["DAPI", "GFP"]}, "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    >>> tifffile.imwrite("cells.ome.tif", numpy.zeros((2, 8, 8), "u2"), metadata=names)
    >>> raster = wl.frontends.read_raster("cells.ome.tif")
    >>> raster.header.bands, raster.grid.spacing, raster.grid.units
    (('DAPI', 'GFP'), (0.5, 0.5), ('µm', 'µm'))
    """
    return open_raster(path).whole()


def read_resolutions(path: str | PathLike[str]) -> dict[str, Raster]:
    """The bands of a folder's scene at their own resolutions, the finest first: 'm10', 'm20' and 'm60' of Sentinel-2.

    The tensors are the signals of `attribute`: a model is called as `model(m10=…, m20=…, m60=…)`. Errors as
    `read_raster`.

    >>> from pathlib import Path
    >>> Path("T35").mkdir()
    >>> for name, n, step in (("B04", 8, 10.0), ("B11", 4, 20.0)):
    ...     header = wl.frontends.RasterHeader((name,), (n, n), (step, 0.0, 5e5, 0.0, -step, 6e6), "EPSG:32635")
    ...     wl.frontends.write_raster(f"T35/T35_{name}.tif", wl.frontends.Raster(torch.zeros(1, 1, n, n), header))
    >>> {name: one.shape for name, one in wl.frontends.read_resolutions("T35").items()}
    {'m10': (1, 1, 8, 8), 'm20': (1, 1, 4, 4)}
    """
    return {name: one.whole() for name, one in open_scene(path).parts.items()}


def open_scene(path: str | PathLike[str]) -> Scene:
    """The bands of a folder's scene by resolution, of which the headers are read; errors as `read_raster`."""
    path = Path(path)
    if not path.is_dir():
        raise RasterError(
            f"bands of several resolutions must be a folder of files with a band each; got {path}. Name it."
        )
    return Scene(path, by_resolution(path, _scene(path)))


def scenes_inside(folder: Path) -> list[Path]:
    """A folder itself, where its files are the bands of one scene."""
    return [folder] if _bands_of_scene(folder) else []


def write_raster(path: str | PathLike[str], raster: Raster) -> None:
    """Write a GeoTIFF (.tif) of float32 that lies where the raster does; `read_raster` gives the same back.

    `ValueError` for a raster that does not say where it lies.

    >>> header = wl.frontends.RasterHeader(("B04",), (4, 6), (10.0, 0.0, 5e5, 0.0, -10.0, 6e6), "EPSG:32635")
    >>> wl.frontends.write_raster("scene.tif", wl.frontends.Raster(torch.zeros(1, 1, 4, 6), header))
    >>> wl.frontends.read_raster("scene.tif").grid.spacing
    (10.0, 10.0)
    """
    path = Path(path)
    if not path.name.lower().endswith(TIFF):
        raise ValueError(f"a raster must be written to a file ending in .tif; got {path}.")
    if raster.header.transform is None:
        raise ValueError(f"a GeoTIFF says where it lies; the raster for {path} does not. Give its header a transform.")
    write_georeferenced(path, raster)


def is_raster(path: Path) -> bool:
    """Whether a file is a raster and no photo: georeferenced, of a microscope, or with more bands than a photo has.

    A folder is one if it holds the bands of one scene; other files are by their suffix.
    """
    name = path.name.lower()
    if path.is_dir():
        return name.endswith(ZARR) or bool(_bands_of_scene(path))
    if name.endswith((*TIFF, *JPEG_2000)):
        told_by = _has_place_or_bands if name.endswith(TIFF) else _has_geo_box
        return path.is_file() and told_by(path)
    return name.endswith(SUFFIXES)


def read_ground_spacing(path: Path) -> tuple[float, float] | None:
    """Metres between rows and columns, of a file that says them; None of others, and where rasterio is missing."""
    if not is_raster(path) or _is_microscopy(path):
        return None
    try:
        return open_georeferenced(path).header.spacing
    except (ValueError, ImportError):
        return None


def raster_files(path: Path) -> list[Path]:
    """The files of the raster at `path`: those of a scene, all of a Zarr folder, and what a virtual raster names."""
    if path.is_dir():
        if path.name.lower().endswith(ZARR):
            return sorted(file for file in path.rglob("*") if file.is_file())
        return _tiffs(path)
    return files_of(path) if path.name.lower().endswith(VIRTUAL) else [path]


def rasters_inside(folder: Path) -> list[Path]:
    """The rasters in a folder by name; itself where it is a Zarr folder or its files are the bands of one scene."""
    if is_raster(folder):
        return [folder]
    return sorted(path for path in folder.iterdir() if path.name.lower().endswith(SUFFIXES))


def _scene(folder: Path) -> list[RasterFile]:
    """The bands in a folder; `RasterError` where it holds none, or another number of them in one file."""
    files = _tiffs(folder)
    if not files:
        raise RasterError(f"the folder {folder} has no rasters ({', '.join(SUFFIXES)}). Name another.")
    scene = [open_georeferenced(file) for file in files]
    for one in scene:
        if len(one.header.bands) != 1:
            raise RasterError(
                f"files of one scene have a band each; {one.path.name} in {folder} has {len(one.header.bands)}. Name "
                "the files one by one."
            )
    return scene


def _bands_of_scene(folder: Path) -> list[RasterFile]:
    """The bands in a folder that is one scene; none of another."""
    files = _tiffs(folder)
    scene: list[RasterFile] = []
    if not 2 <= len(files) <= MAX_BANDS:
        return []
    for file in files:
        try:
            band = open_georeferenced(file)
        except (ValueError, OSError, ImportError):
            return []
        if not is_one_scene([*scene[:1], band]):  # a folder of many photos is told by its first files
            return []
        scene.append(band)
    return scene


def _tiffs(folder: Path) -> list[Path]:
    files = (path for path in folder.iterdir() if path.name.lower().endswith((*TIFF, *JPEG_2000)))
    return sorted(path for path in files if path.is_file())


def _has_place_or_bands(path: Path) -> bool:
    """Of a TIFF, by its header; one that is damaged is no raster."""
    try:
        with tifffile.TiffFile(path) as file:
            page: Any = file.pages[0]
            place = any(page.tags.get(tag) is not None for tag in GEO_TAGS)
            return place or page.samplesperpixel > MAX_PHOTO_BANDS or bool(file.is_ome or file.is_imagej)
    except Exception:  # tifffile raises anything on broken bytes; who reads it says what is wrong
        return False


def _has_geo_box(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return any(box in head for box in GEO_BOXES)


def _is_microscopy(path: Path) -> bool:
    try:
        return path.name.lower().endswith(TIFF) and is_microscopy(path)
    except Exception:  # as above
        return False
