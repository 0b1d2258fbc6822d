"""What a stranger's file may cost: its size on the disk, and what it unpacks to, known before it is decoded."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from wavelens.explaining.kinds import Kind
from wavelens.frontends.audio import open_audio
from wavelens.frontends.dicom import is_dicom, picture_bytes
from wavelens.frontends.image import open_image
from wavelens.frontends.video import open_video
from wavelens.frontends.volume import volume_cost
from wavelens.optional import optional

RATES = (1_000, 384_000)  # Hz of sounds
BYTES_PER_NUMBER = 4
DETACHED = (
    ".mhd",
    ".nhdr",
    ".hdr",
    ".img",
    ".hdr.gz",
    ".img.gz",
)  # headers without voxels, and voxels without a header


@dataclass(frozen=True)
class Limits:
    """What one request may take, and how many there may be.

    `megabytes` of the uploaded file; `values`, the numbers that it unpacks to (pixels × 3, samples × channels, voxels),
    of 4 bytes each; `seconds` of a sound or video; `gradients` of a method. `running` requests take turns, `waiting`
    more stand in line. After `idle` seconds without a word from its page, a session's files are removed. A visitor is
    a browser: its uploads are at most `visitor_files`, of `visitor_megabytes` together (or two of `megabytes`), and it
    has at most `pages_per_visitor` pages open; all visitors together have `total_megabytes` and `pages`.
    """

    megabytes: float = 100
    values: int = 2**27
    seconds: float = 30
    gradients: int = 256
    running: int = 2
    waiting: int = 16
    idle: float = 3600
    visitor_files: int = 8
    visitor_megabytes: float = 300
    total_megabytes: float = 3000
    pages_per_visitor: int = 8
    pages: int = 64

    def __post_init__(self) -> None:
        given = vars(self)
        if wrong := [f"{name}={value}" for name, value in given.items() if not value > 0]:
            raise ValueError(f"limits are above 0; got {', '.join(wrong)}.")


class Extent(NamedTuple):
    """What a file unpacks to: so many numbers, and how long it lasts."""

    values: int
    seconds: float = 0.0


def check_upload(path: Path, kind: Kind, shape: tuple[int, ...], limits: Limits) -> None:
    """`ValueError` for a file that is none of its kind or beyond the limits; `shape` is that of the model's input."""
    if not kind.reads(path):
        raise ValueError(f"a {kind.name} is a file ending in {', '.join(kind.suffixes)}; got {path.name}.")
    size = path.stat().st_size / 1e6
    if not size:
        raise ValueError(f"a {kind.name} has bytes; {path.name} is an empty file. Get a fresh copy.")
    if size > limits.megabytes:
        raise ValueError(f"a file has at most {limits.megabytes:g} MB here; {path.name} has {size:.0f}.")
    extent = EXTENTS[kind.name](path, shape)
    if extent.seconds > limits.seconds:
        raise ValueError(
            f"a {kind.name} lasts at most {limits.seconds:g} seconds here; {path.name} lasts {extent.seconds:.0f}. "
            "Cut out the part that matters."
        )
    if extent.values > limits.values:
        raise ValueError(
            f"a {kind.name} has at most {limits.values:.3g} numbers here; {path.name} has {extent.values:.3g}. "
            "Make it smaller first."
        )


def _photo(path: Path, shape: tuple[int, ...]) -> Extent:
    """By the header; only photos' own decoders are asked."""
    if is_dicom(path):
        return Extent(math.ceil(picture_bytes(path) / BYTES_PER_NUMBER))
    photo = open_image(path)
    return Extent(3 * photo.height * photo.width)


def _sound(path: Path, shape: tuple[int, ...]) -> Extent:
    file = open_audio(path)
    low, high = RATES
    if not low <= file.rate <= high:
        raise ValueError(f"a sound has {low} to {high} samples a second; {path.name} has {file.rate}.")
    return Extent(file.samples * file.channels, file.seconds)


def _volume(path: Path, shape: tuple[int, ...]) -> Extent:
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
    return Extent(math.ceil(cost.memory_bytes / BYTES_PER_NUMBER))


def _video(path: Path, shape: tuple[int, ...]) -> Extent:
    """The frames that the model is given: no others are decoded."""
    video = open_video(path)
    with optional("av", "video").open(str(path)) as container:
        picture = container.streams.video[0].codec_context
        return Extent(3 * picture.width * picture.height * min(video.frames, shape[1]), video.seconds)


EXTENTS: dict[str, Callable[[Path, tuple[int, ...]], Extent]] = {
    "photo": _photo,
    "sound": _sound,
    "volume": _volume,
    "video": _video,
}
