"""Photos."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from wavelens import maps
from wavelens.attribution import Attribution
from wavelens.core import Domain
from wavelens.domains import DWT
from wavelens.explaining.kinds.input import Input
from wavelens.explaining.kinds.kind import FileSize, Kind
from wavelens.frontends.dicom import DICOM, dicom_display, is_dicom, picture_bytes
from wavelens.frontends.image import SUFFIXES, ImageFile, frames_of, open_image, read_image
from wavelens.frontends.pictures import sample_bytes
from wavelens.frontends.raster import is_raster, read_ground_spacing
from wavelens.models import EMBEDDED, Geometry
from wavelens.reports import PHOTO_VIEW

if TYPE_CHECKING:  # matplotlib: only once there is something to draw
    from matplotlib.figure import Figure

LARGEST_SIDE = 1600  # pixels of a photo that is drawn whole


def _domain(axes: tuple[int, ...]) -> Domain:
    return DWT("haar", levels=5 if min(axes) >= 2**5 else None)


def _panel(a: Attribution, shown: Input, title: str) -> Figure:
    from wavelens import plots  # matplotlib: only once there is something to draw

    return plots.panel(a, shown.x, title=title, grid=shown.grid, outlines=shown.outlines)


def _overlay(a: Attribution, shown: Input, title: str) -> Figure | None:
    """The map over the whole photo, where the model was given a part of it, or a smaller one."""
    from wavelens import plots  # matplotlib: only once there is something to draw

    photo, preparation = shown.signal, shown.preparation
    if not isinstance(preparation, Geometry) or not maps.has_places(a.layout):
        return None
    height, width = photo.shape[-2:]
    box = preparation.box(height, width)
    is_whole = (box.left, box.upper, box.right, box.lower) == (0, 0, width, height)
    if is_whole and height <= preparation.crop[0] and width <= preparation.crop[1]:
        return None
    factor = min(1.0, LARGEST_SIDE / max(height, width))
    size = max(1, round(height * factor)), max(1, round(width * factor))
    drawn = Geometry(size, size, squash=True)(photo)
    scaled = (box.left / width, box.upper / height, box.right / width, box.lower / height)
    return plots.over_photo(a, drawn, scaled, title=title)


def _note(path: Path) -> str:
    """Of a DICOM image, the window through which it is seen; of an animation, which frame; of a scene, its metres."""
    if is_dicom(path):
        return f"shown through: {dicom_display(path)}"
    if step := read_ground_spacing(path):
        return f"a georeferenced picture read as a photo, {step[0]:.4g} × {step[1]:.4g} m per pixel"
    frames = frames_of(path)
    return f"the first of the animation's {frames} frames" if frames > 1 else ""


def _open(path: Path) -> ImageFile | Tensor:
    """A file of which nothing is decoded yet; a DICOM image is small and is read."""
    return read_image(path) if is_dicom(path) else open_image(path)


def _is_no_raster(path: Path) -> bool:
    """A picture that says where on the ground it lies, or has more bands than colours, is a raster."""
    return not is_raster(path)


def _counts(path: Path) -> bool:
    """In a folder DICOM files count as volumes."""
    return not path.name.lower().endswith(DICOM) and _is_no_raster(path)


def _own_size(photo: Tensor) -> Geometry:
    """The photo itself, in [0, 1]."""
    height, width = photo.shape[-2:]
    return Geometry((height, width), (height, width), squash=True)


def _size(path: Path, shape: tuple[int, ...]) -> FileSize:
    """By the header; only the decoders of photos are tried. Bands beyond the colours count where they take more."""
    if is_dicom(path):
        return FileSize(math.ceil(picture_bytes(path) / 4))
    photo = open_image(path)
    return FileSize(max(3 * photo.height * photo.width, math.ceil(sample_bytes(path) / 4)))


PHOTO = Kind(
    "photo",
    (*SUFFIXES, *DICOM),
    read_image,
    units=("px", "px"),
    domain=_domain,
    sigma=0.25,
    start="a black picture",
    panel=_panel,
    overlay=_overlay,
    view=PHOTO_VIEW,
    size=_size,
    open=_open,
    as_is=_own_size,
    speaks=_counts,
    holds=_is_no_raster,
    note=_note,
    model=EMBEDDED,
)
