"""Volumes: scans and arrays with three axes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from wavelens import maps
from wavelens.attribution import Attribution
from wavelens.core import Domain
from wavelens.domains import DWT
from wavelens.explaining.kinds.input import Input
from wavelens.explaining.kinds.kind import Kind
from wavelens.frontends.dicom import dicom_content, is_dicom
from wavelens.frontends.volume import SCANS, SUFFIXES, read_volume, write_volume
from wavelens.models import Voxels

if TYPE_CHECKING:  # matplotlib: only once there is something to draw
    from matplotlib.figure import Figure


def _domain(axes: tuple[int, ...]) -> Domain:
    """Two levels, as the paper has for volumes, where the shortest axis allows them."""
    return DWT("haar", levels=2 if min(axes) >= 4 else None)


def _inside(folder: Path) -> list[Path]:
    """The volumes in a folder; one with DICOM slices is one itself, besides.

    Of a header and an image file the header is named. A DICOM file with several frames is a volume.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file())
    names = {path.name.lower() for path in files}
    scans = [path for path in files if path.name.lower().endswith(SCANS)]
    dicom = {path: dicom_content(path) for path in files if path not in scans and is_dicom(path)}
    volumes = [path for path, content in dicom.items() if content == "volume"]
    return sorted([*(path for path in scans if not _has_header(path, names)), *volumes]) + [folder] * (
        "slice" in dicom.values()
    )


def _has_header(path: Path, names: set[str]) -> bool:
    """Whether a file is the image of a header that lies beside it."""
    base, image, rest = path.name.lower().rpartition(".img")
    return bool(image) and any(f"{base}.hdr{end}" in names for end in {rest, "", ".gz"})


def _panel(a: Attribution, shown: Input, title: str) -> Figure:
    from wavelens import plots  # matplotlib: only once there is something to draw

    return plots.slices(a, shown.x, title=title, grid=shown.grid)


def _extras(a: Attribution, shown: Input, label: str, base: Path) -> Iterator[Path]:
    """A page to turn the volume on; and maps over the scan, as NIfTI, where it says where it lies."""
    from wavelens import plots

    page = base.with_name(f"{base.name}.html")
    title = f"{shown.path.name}: {label.split(', ')[0]}"
    page.write_text(plots.scene(a, shown.x, title=title, grid=shown.grid), encoding="utf-8")
    yield page
    yield from _write_maps(a, shown, base)


def _write_maps(a: Attribution, shown: Input, base: Path) -> list[Path]:
    """|γ| per voxel: all scales in one file, and each scale as a volume of another, coarsest first.

    None for an array, which does not say where it lies, nor where a preparation of one's own does not say where its
    voxels came from.
    """
    if shown.signal.unit == "voxel" or not isinstance(shown.preparation, Voxels):
        return []
    scales = torch.stack(list(maps.scale_maps(a).values()), 1)
    paths = [base.with_name(f"{base.name}-{name}.nii.gz") for name in ("all", "scales")]
    for path, several in zip(paths, (scales.sum(1, keepdim=True), scales), strict=True):
        write_volume(path, shown.preparation.restore(several, shown.signal))
    return paths


VOLUME = Kind(
    "volume",
    SUFFIXES,
    read_volume,
    _domain,
    "a volume of zeros",
    _panel,
    _extras,
    gather=_inside,
    models="resnet3d, monai:NAME",
)
