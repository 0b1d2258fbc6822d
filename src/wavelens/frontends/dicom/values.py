"""From the stored numbers of a frame to its quantity (DICOM PS3.3 C.7.6.3 and C.11.1): Hounsfield units, Bq/ml, Gy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from wavelens.frontends.dicom.files import PIXELS, pydicom_errors
from wavelens.frontends.dicom.frames import Frame, number
from wavelens.frontends.scans.stored import Array, damaged
from wavelens.optional import optional

BYTES_PER_PIXEL = 32  # of one frame at work: what is stored, and values in float64 with what they are made of
PADDING = {  # the elements that name numbers which stand for no measurement
    "PixelData": ("PixelPaddingValue", "PixelPaddingRangeLimit"),
    "FloatPixelData": ("FloatPixelPaddingValue", "FloatPixelPaddingRangeLimit"),
    "DoubleFloatPixelData": ("DoubleFloatPixelPaddingValue", "DoubleFloatPixelPaddingRangeLimit"),
}


def decoded(frames: list[Frame], dataset: Any) -> Iterator[tuple[Frame, Array]]:
    """The stored numbers `(row, column)` of frames of one file, whose data set has its pixels."""
    path = frames[0].path
    if pixel_element(dataset) is None:
        raise damaged(path, "it has the header of an image and no pixel data")
    pixels = optional("pydicom.pixels", "medical")
    arrays = pixels.iter_pixels(dataset, indices=[frame.index for frame in frames])
    for frame in frames:
        with pydicom_errors(path):
            stored = next(arrays)
        yield frame, stored


def pixel_element(dataset: Any) -> str | None:
    """The name of the element with the pixels."""
    return next((name for name in PIXELS if name in dataset), None)


def quantity(frame: Frame, dataset: Any, stored: Array) -> tuple[Array, Array | None]:
    """The values of a frame in float64, and where they are padding, None where the file has none.

    A modality lookup table, else slope and intercept (1 and 0 where absent), the frame's own where it has them; for a
    dose its scaling. Floating-point pixels without them take the one linear map to real-world values that there is.
    """
    numbers = significant(dataset, stored)
    tables = frame.dataset.get("ModalityLUTSequence")
    if tables:
        values = looked_up(dataset, tables[0], numbers)[0]
    else:
        slope, intercept = _linear(frame, numbers)
        values = numbers.astype(np.float64) * slope + intercept
    return values * number(dataset.get("DoseGridScaling"), 1.0), _padding(dataset, stored, numbers)


def significant(dataset: Any, stored: Array) -> Array:
    """The bits that are the pixel's, with its sign; what else lies in its bytes, as overlays of old, is dropped."""
    bits, width = int(dataset.get("BitsStored") or 0), 8 * stored.itemsize
    if stored.dtype.kind == "f" or not 0 < bits < width:
        return stored
    packed = dataset.file_meta.TransferSyntaxUID.is_encapsulated  # a decoder puts them in their place
    high = bits - 1 if packed else max(bits - 1, int(dataset.get("HighBit", bits - 1)))
    shifted: Array = (stored << (width - 1 - high)) >> (width - bits)
    return shifted


def looked_up(dataset: Any, table: Any, numbers: Array) -> tuple[Array, int]:
    """What a lookup table gives for each number, its ends beyond them, and how many bits its entries have."""
    entries = table_entries(dataset, table.LUTDescriptor, table.LUTData)
    return entries[table_index(table.LUTDescriptor, len(entries), numbers)].astype(np.float64), int(
        table.LUTDescriptor[2]
    )


def table_index(descriptor: Any, count: int, numbers: Array) -> Array:
    """Which of the `count` entries of a lookup table each number has."""
    first = int(descriptor[1])
    if first >= 2**15 and numbers.min() < 0:  # written as unsigned
        first -= 2**16
    return (np.round(numbers).astype(np.int64) - first).clip(0, count - 1)


def table_entries(dataset: Any, descriptor: Any, data: Any) -> Array:
    """The entries of a lookup table: numbers, or words of the file's byte order with one entry each, or two of 8 bits
    (PS3.3 C.7.6.3.1.6 and C.11.1.1)."""
    if not isinstance(data, bytes):
        return np.atleast_1d(np.array(data, dtype=np.int64))
    count, bits = int(descriptor[0]) or 2**16, int(descriptor[2])
    little = dataset.original_encoding[1] is not False
    words = np.frombuffer(data + b"\0" * (len(data) % 2), "<u2" if little else ">u2")
    if len(words) >= count:
        return words[:count]
    pairs = (count + 1) // 2
    if len(words) < pairs or (bits > 8 and len(words) > pairs):
        raise ValueError(f"a lookup table of {count} entries has {len(data)} bytes")
    return words.astype("<u2").view(np.uint8)[:count]


def _linear(frame: Frame, numbers: Array) -> tuple[float, float]:
    macro = "PixelValueTransformationSequence"
    slope, intercept = frame.value(macro, "RescaleSlope"), frame.value(macro, "RescaleIntercept")
    maps = frame.items("RealWorldValueMappingSequence")
    if slope is None and intercept is None and numbers.dtype.kind == "f" and len(maps) == 1:
        slope, intercept = maps[0].get("RealWorldValueSlope"), maps[0].get("RealWorldValueIntercept")
    if number(slope, 1.0) == 0:
        raise ValueError(f"RescaleSlope is a number other than 0; {frame.path} has 0. Correct its header.")
    return number(slope, 1.0), number(intercept, 0.0)


def _padding(dataset: Any, stored: Array, numbers: Array) -> Array | None:
    """Where the pixels are those that the file names as padding."""
    value, limit = (dataset.get(name) for name in PADDING[pixel_element(dataset) or "PixelData"])
    if value is None:
        return None
    ends = [value, value if limit is None else limit]
    if stored.dtype.kind == "f":
        inside = np.isnan(stored) if np.isnan(value) else (stored >= min(ends)) & (stored <= max(ends))
        return np.asarray(inside)
    low, high = np.array(sorted(int(end) for end in ends)).astype(stored.dtype)  # a sign may be written wrongly
    return np.asarray(_between(stored, low, high) | _between(numbers, low, high))


def _between(numbers: Array, low: Any, high: Any) -> Array:
    """Where numbers lie from `low` to `high`, around the end of their type where `high` is lower."""
    above, below = numbers >= low, numbers <= high
    return np.asarray(above & below if low <= high else above | below)
