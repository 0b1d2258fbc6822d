"""Volumes: scans and arrays with three axes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from wavelens import maps
from wavelens.attribution import Attribution
from wavelens.core import Domain
from wavelens.domains import DWT
from wavelens.explaining.kinds.input import Input, channel_names
from wavelens.explaining.kinds.kind import FileSize, Kind, Writer
from wavelens.frontends.dicom import dicom_content, is_dicom
from wavelens.frontends.joined import joined_files, joined_names
from wavelens.frontends.series import is_series_array
from wavelens.frontends.several_scans import read_scans
from wavelens.frontends.volume import SCANS, SUFFIXES, channel_axis, volume_cost, write_volume
from wavelens.reports import VOLUME_VIEW

if TYPE_CHECKING:  # matplotlib: only once there is something to draw
    from matplotlib.figure import Figure

DETACHED = (".mhd", ".nhdr", ".hdr", ".img", ".hdr.gz", ".img.gz")  # headers without voxels, voxels without a header


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


def _is_no_series(path: Path) -> bool:
    """An array with one or two axes is a series."""
    return not any(map(is_series_array, joined_files(path)))


def _note(path: Path) -> str:
    """Which files are one input; of a fourth axis, what it is taken for."""
    files = joined_files(path)
    if len(files) > 1:
        return f"one input of {len(files)} files: {', '.join(joined_names(files))}"
    count = channel_axis(path)
    return f"the fourth axis, {count} long, is taken for channels, not for time" if count > 1 else ""


def _has_header(path: Path, names: set[str]) -> bool:
    """Whether a file is the image of a header that lies beside it."""
    base, image, rest = path.name.lower().rpartition(".img")
    return bool(image) and any(f"{base}.hdr{end}" in names for end in {rest, "", ".gz"})


def _panel(a: Attribution, shown: Input, title: str) -> Figure:
    from wavelens import plots  # matplotlib: only once there is something to draw

    channels = channel_names(shown)
    return plots.slices(a, shown.x, title=title, grid=shown.grid, channels=channels, region=shown.region)


def _extras(a: Attribution, shown: Input, label: str, base: Path) -> Iterator[Path]:
    """A page to turn the volume on; and maps over the scan, as NIfTI, where it says where it lies."""
    from wavelens import plots

    page = base.with_name(f"{base.name}.html")
    title = f"{VOLUME.called(shown.path)}: {label.split(', ')[0]}"
    page.write_text(plots.scene(a, shown.x, title=title, grid=shown.grid, region=shown.region), encoding="utf-8")
    yield page
    yield from _write_maps(a, shown, base)


def _write_maps(a: Attribution, shown: Input, base: Path) -> Iterator[Path]:
    """Maps per voxel over the scan: |γ| of all scales and of each in a file of its own, and γ with its sign.

    Of a region that is explained its mask, too. None for an array, which does not say where it lies, nor where a
    preparation of one's own does not say where its voxels came from.
    """
    restore = getattr(shown.preparation, "restore", None)
    if shown.signal.unit == "voxel" or restore is None:
        return
    several = {"all": maps.spatial_map(a), **{_file_name(name): heat for name, heat in maps.scale_maps(a).items()}}
    several |= {} if a.data.is_complex() else {"signed": maps.spatial_map(a, signed=True)}
    several |= {} if shown.region is None else {"region": shown.region[None].float()}
    for name, heat in several.items():
        path = base.with_name(f"{base.name}-{name}.nii.gz")
        write_volume(path, restore(heat[:, None], shown.signal))
        yield path


def _file_name(scale: str) -> str:
    """A scale's name without what a file's may not have."""
    return re.sub(r"[^\w.+-]+", "_", scale)


def _write(shown: Input, x: Tensor, path: Path) -> None:
    """Over the scan itself and in its values."""
    preparation: Any = shown.preparation
    write_volume(path, preparation.original(x, shown.signal))


def _has_place(shown: Input) -> bool:
    """A NIfTI file says where its voxels lie; that of an array would make it up."""
    return shown.signal.unit != "voxel" and hasattr(shown.preparation, "original")


def _size(path: Path, shape: tuple[int, ...]) -> FileSize:
    """What reading takes in numbers of 4 bytes, by the header; files that name others are turned away unopened."""
    if path.name.lower().endswith(DETACHED):
        raise ValueError(
            f"a volume is one file here; {path.name} keeps its voxels in another. Send it as .nii.gz, .mha or .nrrd."
        )
    cost = volume_cost(path)
    if cost.detached:
        raise ValueError(
            f"a volume is one file here; {path.name} names another that holds its voxels. Join them first."
        )
    return FileSize(math.ceil(cost.memory_bytes / 4))


VOLUME = Kind(
    "volume",
    SUFFIXES,
    read_scans,
    units=("mm", "mm", "mm"),
    domain=_domain,
    sigma=0.0001,
    start="a volume of zeros",
    panel=_panel,
    view=VOLUME_VIEW,
    size=_size,
    open=partial(read_scans, resample=True),
    gather=_inside,
    speaks=_is_no_series,
    holds=_is_no_series,
    joins=True,
    files=joined_files,
    channels=channel_names,
    note=_note,
    extras=_extras,
    outputs={".html": "the volume, to turn", ".nii.gz": "a map over the scan"},
    writer=Writer(".nii.gz", _write, _has_place),
    spacing_unit="mm",
    models="resnet3d, monai:NAME",
)
