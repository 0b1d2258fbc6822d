"""The kinds of signal that are explained. Those of the library have a file here; `register_kind` adds others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wavelens.explaining.kinds.as_read import AsRead
from wavelens.explaining.kinds.cloud import CLOUD
from wavelens.explaining.kinds.input import Input, SignalPart
from wavelens.explaining.kinds.kind import FileSize, Kind, Writer
from wavelens.explaining.kinds.photo import PHOTO
from wavelens.explaining.kinds.raster import RASTER
from wavelens.explaining.kinds.scene import SCENE
from wavelens.explaining.kinds.series import SERIES
from wavelens.explaining.kinds.sound import SOUND
from wavelens.explaining.kinds.text import TEXT
from wavelens.explaining.kinds.video import VIDEO
from wavelens.explaining.kinds.volume import VOLUME
from wavelens.frontends.joined import joined_files

__all__ = [
    "KINDS",
    "AsRead",
    "FileSize",
    "Input",
    "Kind",
    "SignalPart",
    "Writer",
    "kind_called",
    "kind_of",
    "register_kind",
]

LIBRARY = (PHOTO, SOUND, VIDEO, VOLUME, CLOUD, SERIES, RASTER, TEXT, SCENE)
KINDS: list[Kind] = [*LIBRARY]


def register_kind(kind: Kind) -> Kind:
    """Make a kind of your own known to `explain`, to every command and to the app; returns it.

    Call it where the kind is defined, in the module of your model: `--model module:function` imports that module first,
    in worker processes too. A kind that was registered under the same name before is replaced, so that a cell of a
    notebook can run twice; the names of the library's own kinds are a `ValueError`. `docs/howto/kind.md` has a whole
    kind.

    >>> from dataclasses import replace
    >>> tapes = replace(wl.explaining.kind_called("sound"), name="tape", suffixes=(".tape",))
    >>> wl.register_kind(tapes).suffixes
    ('.tape',)
    >>> wl.explaining.KINDS.remove(tapes)
    """
    if kind.name in {one.name for one in LIBRARY}:
        raise ValueError(f"{kind.name!r} is a kind of the library. Choose another name.")
    KINDS[:] = [one for one in KINDS if one.name != kind.name] + [kind]
    return kind


def kind_called(name: str) -> Kind:
    """The kind that a model's preparation takes, by its name.

    >>> from wavelens import explaining
    >>> explaining.kind_called("video").units
    ('s', 'px', 'px')
    """
    named = [kind for kind in KINDS if kind.name == name]
    if not named:
        known = ", ".join(kind.one for kind in KINDS)
        raise ValueError(f"a model takes {known}; this one takes a {name}. Add a kind by register_kind.")
    return named[0]


def kind_of(arguments: Sequence[str]) -> Kind:
    """The kind of the first argument, by its suffix, the longest that fits, or by what its folder holds; else photos.

    In a folder DICOM files count as volumes, though each may be a picture. Arrays of one or two axes are series, but
    `(points, 3)`, and tables with columns called x, y and z, are clouds. A TIFF or JPEG 2000 is a raster if it is
    georeferenced, of a microscope (OME, ImageJ) or has more than four bands; a model of photos reads it as a photo all
    the same. Of several files that are written with commas the first says the kind.

    >>> from wavelens import explaining
    >>> [explaining.kind_of([name]).name for name in ("cat.jpg", "scan.nii.gz", "clip.flac", "ecg.edf", "essay.md")]
    ['photo', 'volume', 'sound', 'series', 'text']
    """
    path = joined_files(Path(arguments[0]))[0]
    if path.is_dir():
        return max(KINDS, key=lambda kind: sum(map(kind.speaks, kind.inside(path))))  # the first of equals
    fitting = sorted((kind for kind in KINDS if kind.reads(path)), key=lambda kind: -len(kind.suffix_of(path)))
    return next((kind for kind in fitting if kind.holds(path)), fitting[0] if fitting else PHOTO)
