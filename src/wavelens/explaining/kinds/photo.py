"""Photos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from wavelens.attribution import Attribution
from wavelens.core import Domain
from wavelens.domains import DWT
from wavelens.explaining.kinds.input import Input
from wavelens.explaining.kinds.kind import Kind
from wavelens.frontends.dicom import DICOM, dicom_display, is_dicom
from wavelens.frontends.image import SUFFIXES, ImageFile, frames_of, open_image, read_image
from wavelens.models import EMBEDDED

if TYPE_CHECKING:  # matplotlib: only once there is something to draw
    from matplotlib.figure import Figure


def _domain(axes: tuple[int, ...]) -> Domain:
    return DWT("haar", levels=5 if min(axes) >= 2**5 else None)


def _panel(a: Attribution, shown: Input, title: str) -> Figure:
    from wavelens import plots  # matplotlib: only once there is something to draw

    return plots.panel(a, shown.x, title=title, grid=shown.grid)


def _note(path: Path) -> str:
    """Of a DICOM image, the window through which it is seen; of an animation, which frame is taken."""
    if is_dicom(path):
        return f"shown through: {dicom_display(path)}"
    frames = frames_of(path)
    return f"the first of the animation's {frames} frames" if frames > 1 else ""


def _open(path: Path) -> ImageFile | Tensor:
    """A file of which nothing is decoded yet; a DICOM image is small and is read."""
    return read_image(path) if is_dicom(path) else open_image(path)


PHOTO = Kind(
    "photo",
    (*SUFFIXES, *DICOM),
    read_image,
    _domain,
    "a black picture",
    _panel,
    model=EMBEDDED,
    note=_note,
    open=_open,
)
