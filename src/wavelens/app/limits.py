"""What a stranger's file may cost: its size on the disk, and what it unpacks to, known before it is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wavelens.explaining.kinds import Kind


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
            raise ValueError(f"limits must be above 0; got {', '.join(wrong)}.")


def check_upload(path: Path, kind: Kind, shape: tuple[int, ...], limits: Limits) -> None:
    """`ValueError` for a file that is none of its kind or beyond the limits; `shape` is that of the model's input."""
    if not kind.reads(path):
        raise ValueError(f"{kind.one} must be a file ending in {', '.join(kind.suffixes)}; got {path.name}.")
    size = path.stat().st_size / 1e6
    if not size:
        raise ValueError(f"{path.name} is empty, so it is not {kind.one}. Get a fresh copy.")
    if size > limits.megabytes:
        raise ValueError(f"a file has at most {limits.megabytes:g} MB here; {path.name} has {size:.0f}.")
    assert kind.size is not None, "Served checks it"
    unpacked = kind.size(path, shape)
    if unpacked.seconds > limits.seconds:
        raise ValueError(
            f"{kind.one} lasts at most {limits.seconds:g} seconds here; {path.name} lasts {unpacked.seconds:.0f}. "
            "Cut out the part that matters."
        )
    if unpacked.values > limits.values:
        raise ValueError(
            f"{kind.one} has at most {limits.values:.3g} numbers here; {path.name} has {unpacked.values:.3g}. "
            "Make it smaller first."
        )
