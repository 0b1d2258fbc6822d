"""Frames: the slices of a series, be they files or the frames of one file, and what is said of each."""

from __future__ import annotations

from collections.abc import Iterable, MutableSequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wavelens.frontends.scans.stored import Array

PLACES = {  # the elements that say where a frame lies, in which sequence, and how many numbers they have
    "ImagePositionPatient": ("PlanePositionSequence", 3),
    "ImageOrientationPatient": ("PlaneOrientationSequence", 6),
    "PixelSpacing": ("PixelMeasuresSequence", 2),
}


@dataclass(frozen=True, eq=False)
class Frame:
    """One slice: frame `index` of the file at `path`, with its data set."""

    path: Path
    dataset: Any
    index: int

    @property
    def name(self) -> str:
        return self.path.name if frame_count(self.dataset) == 1 else f"frame {self.index + 1} of {self.path.name}"

    def items(self, macro: str) -> list[Any]:
        """The items of a sequence that describes this frame: its own, those that all frames share, or the file's."""
        own = self.dataset.get("PerFrameFunctionalGroupsSequence") or []
        shared = self.dataset.get("SharedFunctionalGroupsSequence") or []
        for group in (*own[self.index : self.index + 1], *shared[:1], self.dataset):
            if group.get(macro):
                return list(group[macro].value)
        return []

    def value(self, macro: str, name: str) -> Any:
        """An element of this frame, in the sequence `macro` or in the file itself; None where it is absent or empty."""
        for item in (*self.items(macro)[:1], self.dataset):
            value = item.get(name)
            if value is not None and value != "" and not (isinstance(value, MutableSequence) and not value):
                return value
        return None

    @property
    def orientation(self) -> Array:
        """The directions along a row and along a column, `(2, 3)`."""
        return self._place("ImageOrientationPatient").reshape(2, 3)

    @property
    def position(self) -> Array:
        """The place of the first pixel, in mm towards the left, the back and the head."""
        corner, offsets = self._place("ImagePositionPatient"), self.dataset.get("GridFrameOffsetVector")
        if offsets is None:
            return corner
        shift: Array = (float(offsets[self.index]) - float(offsets[0])) * np.cross(*self.orientation)  # of a dose
        return corner + shift

    @property
    def spacing(self) -> Array:
        """The distance between rows, and that between columns, in mm."""
        return self._place("PixelSpacing")

    def _place(self, name: str) -> Array:
        return np.array(self.value(PLACES[name][0], name), dtype=np.float64)


def frame_count(dataset: Any) -> int:
    return int(dataset.get("NumberOfFrames") or 1)


def frames_of(images: Iterable[tuple[Path, Any]]) -> list[Frame]:
    """All frames of some files."""
    return [Frame(path, one, index) for path, one in images for index in range(frame_count(one))]


def number(value: Any, default: float) -> float:
    """The value of an element, the first of several; the default where it is absent or empty."""
    first = next(iter(value), None) if isinstance(value, MutableSequence) else value
    return default if first is None or first == "" else float(first)
