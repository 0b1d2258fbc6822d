"""Which driver of GDAL opens a file, and which files a virtual raster may name: those of this machine alone."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from wavelens.frontends.raster.raster import RasterError

# By the suffix: a file of text that GDAL takes for a virtual raster would name others, on this machine or elsewhere.
DRIVERS = {
    (".tif", ".tiff"): ("GTiff",),
    (".jp2",): ("JP2OpenJPEG", "JP2KAK", "JP2ECW", "JP2MrSID"),
    (".vrt",): ("VRT",),
}
RAW, ENVI = (".bil", ".bip", ".bsq"), b"ENVI"  # whose headers lie beside them
VIRTUAL = ".vrt"
SOURCES = ("sourcefilename", "sourcedataset")  # elements of a virtual raster, in small letters as GDAL compares them
NO_NETWORK = {"CPL_VSIL_CURL_ALLOWED_FILENAME": "none"}  # of GDAL: what its file system may fetch


def driver_of(path: Path, known: Collection[str]) -> str:
    """The driver for a file by its suffix, one that this build of GDAL has; `RasterError` for another suffix."""
    suffix = path.suffix.lower()
    drivers = next((names for suffixes, names in DRIVERS.items() if suffix in suffixes), ())
    if suffix in RAW:
        drivers = (_raw_driver(path),)
    driver = next((name for name in drivers if name in known), None)
    if driver is None:
        every = ", ".join([*(one for suffixes in DRIVERS for one in suffixes), *RAW])
        raise RasterError(f"GDAL is only used for files ending in {every}; got {path}. Convert it to a GeoTIFF.")
    return driver


def _raw_driver(path: Path) -> str:
    beside = (path.with_suffix(".hdr"), Path(f"{path}.hdr"))
    header = next((one for one in beside if one.is_file()), None)
    if header is None:
        return "EHdr"
    with header.open("rb") as file:
        return "ENVI" if file.read(len(ENVI)) == ENVI else "EHdr"


def check_sources(path: Path, above: tuple[Path, ...] = ()) -> None:
    """`RasterError` unless all that a virtual raster names are raster files here, and so on for virtual ones."""
    for element in ElementTree.parse(path).iter():
        if element.tag.casefold() in SOURCES:
            _check_source(path, element, above)


def _check_source(path: Path, element: Any, above: tuple[Path, ...]) -> None:
    name = (element.text or "").strip()
    relative = {key.casefold(): value for key, value in element.attrib.items()}.get("relativetovrt", "0") == "1"
    source = path.parent / name if relative else Path(name)
    if not source.is_file() or source in (path, *above):
        raise RasterError(f"a virtual raster names files of this machine; {path} names {name!r:.80}. Copy it here.")
    if source.suffix.lower() == VIRTUAL:
        check_sources(source, (path, *above))
    elif _is_markup(source):
        raise RasterError(f"a virtual raster names rasters; {path} names {source.name}, which is text. Convert it.")


def _is_markup(path: Path) -> bool:
    """Text by which GDAL would find further sources, whatever the suffix."""
    with path.open("rb") as file:
        return file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"<", b"{")
