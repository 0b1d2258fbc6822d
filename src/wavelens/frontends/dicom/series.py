"""Frames that stand in one row, as one array and its affine."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from wavelens.frontends.dicom.files import (
    images_of,
    inflated_bytes,
    is_image,
    parts_in_total,
    pydicom_errors,
    read_dataset,
)
from wavelens.frontends.dicom.frames import PLACES, Frame, frame_count, frames_of
from wavelens.frontends.dicom.values import BYTES_PER_PIXEL, decoded, quantity
from wavelens.frontends.scans.stored import Array, damaged, empty_voxels, size
from wavelens.frontends.scans.text_headers import LPS_TO_RAS, affine

TOLERANCE = 0.01  # of the distance between slices: positions are written with few decimals
GREY = ("MONOCHROME1", "MONOCHROME2")
SHARED = ("Modality", "FrameOfReferenceUID", "Units")  # what slices of one volume have in common, as text


def read_series(path: Path) -> tuple[Array, Array]:
    """The voxels `(1, column, row, slice)` of one series in float32, and their affine in mm (RAS, as in NIfTI).

    `path` is a folder with one file per slice or several with frames, which may lie in folders of their own, or one
    file with several frames. Slices are
    sorted by their place along the normal, never by name. Stored numbers become the file's own quantity, each slice
    by its own slope; padding becomes the series' least value. `ValueError` for several series, for slices that do not
    match or stand twice at one place, and for gaps in their row: no image of a folder is left out.
    """
    with pydicom_errors(path):
        frames = _sorted(path, _only_series(path, _images(path)))
        _check_match(path, frames)
        positions = np.array([frame.position for frame in frames])
        _check_even(path, frames, positions)
        rows, columns = int(frames[0].dataset.Rows), int(frames[0].dataset.Columns)
        voxels = empty_voxels(path, (1, columns, rows, len(frames)))
        _fill(voxels[0], frames)
        return voxels, _affine(frames, positions)


def series_bytes(path: Path) -> int:
    """An upper bound of the memory that `read_series` takes, by the headers alone."""
    with pydicom_errors(path):
        images = _images(path)
        extents = [_extent(dataset) for _, dataset in images]
        frame = BYTES_PER_PIXEL * max(math.prod(extent[1:]) for extent in extents)
        file = max(2 * (one.stat().st_size + inflated_bytes(one)) for one, _ in images)
        return 4 * sum(map(math.prod, extents)) + frame + file


def _images(path: Path) -> list[tuple[Path, Any]]:
    if path.is_dir():
        return images_of(path)
    dataset = read_dataset(path, pixels=False)
    if not is_image(dataset):
        raise ValueError(f"a DICOM file with an image has rows and columns; {path} has none. It is a report or a plan.")
    return [(path, dataset)]


def _extent(dataset: Any) -> tuple[int, ...]:
    """Frames, rows, columns and samples."""
    return frame_count(dataset), int(dataset.Rows), int(dataset.Columns), int(dataset.get("SamplesPerPixel") or 1)


def _only_series(path: Path, images: list[tuple[Path, Any]]) -> list[Frame]:
    series: dict[str, list[Any]] = defaultdict(list)
    for _, dataset in images:
        series[str(dataset.get("SeriesInstanceUID", ""))].append(dataset)
    if len(series) > 1:
        named = "; ".join(
            f"{len(group)} slices of {group[0].get('SeriesDescription', uid)!r}" for uid, group in series.items()
        )
        raise ValueError(f"a folder must hold one DICOM series; got {named} in {path}. Give each a folder of its own.")
    _check_copies(images)
    _check_parts(path, images)
    for one, dataset in images:
        _check_pixels(one, dataset)
    frames = frames_of(images)
    for frame in frames:
        missing = next((name for name, (macro, n) in PLACES.items() if len(frame.value(macro, name) or ()) != n), None)
        if missing:
            raise ValueError(
                f"the slices of a volume say where they lie; {frame.name} in {path} has no whole {missing}. "
                "Convert it to NIfTI, as dcm2niix does, or give it to a model of images."
            )
    return frames


def _check_copies(images: list[tuple[Path, Any]]) -> None:
    places: dict[str, Path] = {}
    for path, dataset in images:
        uid = str(dataset.get("SOPInstanceUID", "")) or str(path)
        if uid in places:
            raise ValueError(f"{places[uid]} and {path.name} are one image twice (SOPInstanceUID {uid}). Remove one.")
        places[uid] = path


def _check_parts(path: Path, images: list[tuple[Path, Any]]) -> None:
    total = max(parts_in_total(dataset) for _, dataset in images)
    if len(images) < total:
        raise ValueError(
            f"a volume in {total} files needs all of them; got {len(images)} in {path}. Give their folder."
        )


def _check_pixels(path: Path, dataset: Any) -> None:
    """One grey number per pixel, and no more of them than the file can hold."""
    photometric, samples = dataset.get("PhotometricInterpretation", "MONOCHROME2"), dataset.get("SamplesPerPixel") or 1
    if photometric not in GREY or samples > 1:
        raise ValueError(
            f"the slices of a volume are grey; {path} is {photometric} with {samples} samples per pixel. "
            "Give it to a model of images or of videos."
        )
    stored = math.prod(_extent(dataset)[:3]) * int(dataset.get("BitsAllocated") or 8) // 8
    available = path.stat().st_size + inflated_bytes(path)
    packed = dataset.file_meta.TransferSyntaxUID.is_encapsulated
    if frame_count(dataset) > available or (stored > available and not packed):
        raise damaged(path, f"its header promises {size(stored)} of pixels and the file has {size(available)}")


def _sorted(path: Path, frames: list[Frame]) -> list[Frame]:
    """From the first to the last along the normal of the first slice."""
    if len(frames) < 2:
        raise ValueError(
            f"a volume must have at least 2 slices; got 1 in {path}. A 2-D image goes to a model of images."
        )
    normal = np.cross(*frames[0].orientation)
    return sorted(frames, key=lambda frame: float(normal @ frame.position))


def _check_match(path: Path, frames: list[Frame]) -> None:
    """All slices have the size, the spacing, the orientation and the quantity of the first."""
    first = frames[0]
    for frame in frames[1:]:
        for name, attribute in (("PixelSpacing", "spacing"), ("ImageOrientationPatient", "orientation")):
            one, other = getattr(first, attribute), getattr(frame, attribute)
            if not np.allclose(one, other, atol=1e-4):
                raise _mismatch(path, name, one.ravel().tolist(), other.ravel().tolist())
        for name in ("Rows", "Columns", *SHARED):
            if first.dataset.get(name) != frame.dataset.get(name):
                raise _mismatch(path, name, first.dataset.get(name), frame.dataset.get(name))
        kinds = [one.value("PixelValueTransformationSequence", "RescaleType") for one in (first, frame)]
        if kinds[0] != kinds[1]:
            raise _mismatch(path, "RescaleType", *kinds)


def _mismatch(path: Path, name: str, one: Any, other: Any) -> ValueError:
    return ValueError(
        f"the slices of a series must share {name}; got {one} and {other} in {path}. Remove localizers and other views."
    )


def _check_even(path: Path, frames: list[Frame], positions: Array) -> None:
    """The slices stand in one row at one distance."""
    steps = np.diff(positions, axis=0)
    gaps = np.linalg.norm(steps, axis=1)
    step = np.median(steps, axis=0)
    distance = float(np.linalg.norm(step))
    pair = next((two for two, gap in zip(pairwise(frames), gaps, strict=True) if gap <= TOLERANCE * distance), None)
    if pair is not None:
        raise ValueError(
            f"a volume has one slice at each place; {pair[0].name} and {pair[1].name} in {path} share theirs. "
            "Give each time, echo or phase a folder of its own."
        )
    if np.abs(steps - step).max() > TOLERANCE * distance:
        raise ValueError(
            f"the slices of a series must be evenly spaced; got {gaps.min():.4g} to {gaps.max():.4g} mm between "
            f"{len(frames)} slices in {path}. A slice is missing, or several volumes share the folder."
        )


def _affine(frames: list[Frame], positions: Array) -> Array:
    along_row, along_column = frames[0].orientation
    between_rows, between_columns = frames[0].spacing
    along_slices = (positions[-1] - positions[0]) / (len(frames) - 1)
    directions = np.stack([along_row * between_columns, along_column * between_rows, along_slices], 1)
    matrix: Array = LPS_TO_RAS @ affine(directions, positions[0])
    return matrix


def _fill(voxels: Array, frames: list[Frame]) -> None:
    """Writes the values of each frame into its place, one file after another, and the least value over padding."""
    places = {(frame.path, frame.index): place for place, frame in enumerate(frames)}
    padded_places, least = [], math.inf
    by_file = sorted(frames, key=lambda frame: (frame.path, frame.index))
    for path, several in groupby(by_file, key=lambda frame: frame.path):
        dataset = read_dataset(path, pixels=True)
        for frame, stored in decoded(list(several), dataset):
            values, padded = quantity(frame, dataset, stored)
            place = places[path, frame.index]
            least = min(least, float(np.min(values, where=True if padded is None else ~padded, initial=math.inf)))
            if padded is not None:
                padded_places.append(place)
                values = np.where(padded, np.nan, np.nan_to_num(values, nan=np.inf))  # a NaN is marked as one no more
            voxels[:, :, place] = values.T
    for one in (voxels[:, :, place] for place in padded_places):
        one[np.isnan(one)] = least
