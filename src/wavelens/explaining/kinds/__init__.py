"""The kinds of signal that are explained; a new one is a file here and a line in `KINDS`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wavelens.explaining.kinds.input import Input
from wavelens.explaining.kinds.kind import Kind
from wavelens.explaining.kinds.photo import PHOTO
from wavelens.explaining.kinds.sound import SOUND
from wavelens.explaining.kinds.video import VIDEO
from wavelens.explaining.kinds.volume import VOLUME
from wavelens.frontends.dicom import DICOM

__all__ = ["KINDS", "Input", "Kind", "kind_called", "kind_of"]

KINDS = (PHOTO, SOUND, VIDEO, VOLUME)


def kind_called(name: str) -> Kind:
    """The kind that a model's preparation takes."""
    found = [kind for kind in KINDS if kind.name == name]
    if not found:
        raise ValueError(f"a model takes a {', a '.join(kind.name for kind in KINDS)}; this one takes a {name}.")
    return found[0]


def kind_of(arguments: Sequence[str]) -> Kind:
    """The kind of the first argument, by its suffix or by what its folder holds; photos where that says nothing.

    In a folder DICOM files count as volumes, though each may be a picture.
    """
    path = Path(arguments[0])
    if path.is_dir():
        return max(KINDS, key=lambda kind: _count(kind, path))  # the first of equals
    return next((kind for kind in KINDS if kind.reads(path)), PHOTO)


def _count(kind: Kind, folder: Path) -> int:
    return sum(kind is VOLUME or not path.name.lower().endswith(DICOM) for path in kind.inside(folder))
