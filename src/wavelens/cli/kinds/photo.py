"""Photos."""

from __future__ import annotations

from pathlib import Path

from wavelens.cli.kinds.kind import Answer, Job, Kind
from wavelens.core import Domain
from wavelens.domains import DWT
from wavelens.frontends.dicom import DICOM, dicom_display, is_dicom
from wavelens.frontends.image import SUFFIXES, read_image
from wavelens.models import EMBEDDED


def _domain(axes: tuple[int, ...]) -> Domain:
    return DWT("haar", levels=5 if min(axes) >= 2**5 else None)


def _draw(job: Job, answer: Answer, title: str, path: Path) -> None:
    from wavelens import plots  # matplotlib: only once there is something to draw

    plots.save(plots.panel(answer.attribution, answer.x, title=title, grid=answer.grid), path)


def _note(path: Path) -> str:
    """Of a DICOM image, the window through which it is seen."""
    return f"shown through: {dicom_display(path)}" if is_dicom(path) else ""


PHOTO = Kind("photo", (*SUFFIXES, *DICOM), read_image, _domain, "a black picture", _draw, model=EMBEDDED, note=_note)
