"""One DICOM frame as a picture: its quantity through the window of the file (PS3.3 C.11.2), dark to bright."""

from __future__ import annotations

from collections.abc import MutableSequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wavelens.frontends.dicom.files import inflated_bytes, is_image, pydicom_errors, read_dataset
from wavelens.frontends.dicom.frames import Frame, frame_count, number
from wavelens.frontends.dicom.values import (
    BYTES_PER_PIXEL,
    decoded,
    looked_up,
    quantity,
    table_entries,
    table_index,
)
from wavelens.frontends.scans.stored import Array
from wavelens.optional import optional

COLOURS = ("RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")  # as pydicom decodes them to RGB

PRIMARIES = ("Red", "Green", "Blue")  # the tables of a palette


def read_dicom_image(path: str | PathLike[str]) -> Tensor:
    """A slice or X-ray as it is meant to be seen: RGB `(1, 3, height, width)` in [0, 1].

    Grey goes through the file's modality and VOI tables or its first window, without either through its own range,
    and is bright for MONOCHROME1's low values; padding is black. Colours are those of the file. `ValueError` for
    several frames, and for what cannot be decoded.
    """
    return _picture(Path(path))[0]


def dicom_display(path: str | PathLike[str]) -> str:
    """How `read_dicom_image` makes grey of the values of a file: a phrase with the window that is applied."""
    return _picture(Path(path))[1]


def picture_bytes(path: Path) -> int:
    """An upper bound of the memory that `read_dicom_image` takes, by the header alone."""
    with pydicom_errors(path):
        dataset = read_dataset(path, pixels=False)
        numbers = int(dataset.get("Rows") or 0) * int(dataset.get("Columns") or 0)
        samples = frame_count(dataset) * int(dataset.get("SamplesPerPixel") or 1)
        return BYTES_PER_PIXEL * numbers * samples + 2 * (path.stat().st_size + inflated_bytes(path))


def _picture(path: Path) -> tuple[Tensor, str]:
    with pydicom_errors(path):
        return _decoded_picture(path)


def _decoded_picture(path: Path) -> tuple[Tensor, str]:
    dataset = read_dataset(path, pixels=True)
    if not is_image(dataset):
        raise ValueError(f"a DICOM file with an image has rows and columns; {path} has none. It is a report or a plan.")
    if frame_count(dataset) > 1:
        raise ValueError(
            f"a photo is one frame; {path} has {frame_count(dataset)}. Give it to a model of volumes, or save one."
        )
    frame = Frame(path, dataset, 0)
    ((_, stored),) = decoded([frame], dataset)
    if dataset.PhotometricInterpretation in ("MONOCHROME1", "MONOCHROME2"):
        grey, phrase = _grey(frame, stored)
        return _tensor(grey[..., None]).expand(1, 3, -1, -1).contiguous(), phrase
    return _tensor(_colours(path, dataset, stored)).contiguous(), "the colours of the file"


def _tensor(pixels: Array) -> Tensor:
    """`(1, channel, height, width)` of `(height, width, channel)`."""
    return torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]


def _colours(path: Path, dataset: Any, stored: Array) -> Array:
    colours = dataset.PhotometricInterpretation
    if colours not in COLOURS:
        raise ValueError(f"the colours of a picture are {', '.join(COLOURS)}; {path} has {colours}. Save it as RGB.")
    if colours == "PALETTE COLOR":
        return _palette(dataset, stored)
    return np.asarray(stored / (2 ** int(dataset.BitsStored) - 1))


def _palette(dataset: Any, stored: Array) -> Array:
    """The colours that the numbers stand for, by tables for red, green and blue, which may be written in segments."""
    if "RedPaletteColorLookupTableData" not in dataset:
        colours = optional("pydicom.pixels", "medical").apply_color_lut(stored, dataset)[..., :3]
        return np.asarray(colours / np.iinfo(colours.dtype).max)
    descriptors = [dataset[f"{name}PaletteColorLookupTableDescriptor"].value for name in PRIMARIES]
    data = [dataset[f"{name}PaletteColorLookupTableData"].value for name in PRIMARIES]
    tables = [table_entries(dataset, *table) for table in zip(descriptors, data, strict=True)]
    return np.stack(
        [
            (table / _full(table, int(descriptor[2]))).astype(np.float32)[table_index(descriptor, len(table), stored)]
            for table, descriptor in zip(tables, descriptors, strict=True)
        ],
        -1,
    )


def _full(table: Array, bits: int) -> int:
    """Full intensity of entries that are said to have so many bits, and have as many as they are stored in where they
    are above that."""
    stored = 8 * min(table.itemsize, 2)
    white: int = 2 ** min(bits, stored) - 1
    return white if table.max() <= white else 2**stored - 1


def _grey(frame: Frame, stored: Array) -> tuple[Array, str]:
    dataset = frame.dataset
    values, padded = quantity(frame, dataset, stored)
    measured = np.ones(values.shape, bool) if padded is None else ~padded
    if missing := int((~np.isfinite(values) & measured).sum()):
        raise ValueError(f"a picture's values must be finite; {frame.path} has NaN or infinity in {missing} pixels.")
    pixels, phrase = _shown(frame, values, measured)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        pixels, phrase = 1 - pixels, f"{phrase}, inverted (MONOCHROME1)"
    return pixels if padded is None else np.where(padded, 0, pixels), phrase


def _shown(frame: Frame, values: Array, measured: Array) -> tuple[Array, str]:
    """Values as brightness in [0, 1], by a table, a window, or the range of what is `measured`."""
    tables = frame.items("VOILUTSequence")
    if tables:
        bright, bits = looked_up(frame.dataset, tables[0], values)
        return (bright / (2**bits - 1)).clip(0, 1), f"VOI lookup table{_counted(len(tables))}"
    centre, width = (frame.value("FrameVOILUTSequence", name) for name in ("WindowCenter", "WindowWidth"))
    function = str(frame.value("FrameVOILUTSequence", "VOILUTFunction") or "LINEAR")
    if centre is not None and number(width, 0.0) >= (1 if function == "LINEAR" else 1e-12):
        return _windowed(frame, values, number(centre, 0.0), number(width, 0.0), function)
    low, high = (
        float(end(values, where=measured, initial=start)) for end, start in ((np.min, np.inf), (np.max, -np.inf))
    )
    if not low < high:
        return np.zeros(values.shape), f"one value, {low:g}"
    return ((values - low) / (high - low)).clip(0, 1), f"its range, {low:g} to {high:g}, as it names no window"


def _windowed(frame: Frame, values: Array, centre: float, width: float, function: str) -> tuple[Array, str]:
    """PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    if function == "SIGMOID":
        bright = 1 / (1 + np.exp(-4 * (values - centre) / width))
    elif function == "LINEAR_EXACT":
        bright = (values - centre) / width + 0.5
    elif function == "LINEAR":  # from one integer to another
        steps = width - 1
        bright = (values - (centre - 0.5)) / steps + 0.5 if steps else (values > centre - 0.5).astype(np.float64)
    else:
        raise ValueError(
            f"a window is LINEAR, LINEAR_EXACT or SIGMOID; {frame.path} has {function}. Correct its header."
        )
    several = frame.value("FrameVOILUTSequence", "WindowCenter")
    count = _counted(len(several) if isinstance(several, MutableSequence) else 1)
    return bright.clip(0, 1), f"{function.lower()} window{count}, centre {centre:g}, width {width:g}"


def _counted(count: int) -> str:
    return f" 1 of {count}" if count > 1 else ""
