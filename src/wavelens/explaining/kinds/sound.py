"""Sounds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from wavelens.attribution import Attribution
from wavelens.core import Domain
from wavelens.domains import DWT
from wavelens.explaining.kinds.input import Input
from wavelens.explaining.kinds.kind import Kind
from wavelens.frontends.audio import SUFFIXES, open_audio, software_of, write_audio
from wavelens.reports import sounds

if TYPE_CHECKING:  # matplotlib: only once there is something to draw
    from matplotlib.figure import Figure

WRITER = "wavelens"  # noted in the sounds that are written
LOWEST_HZ = 31.0  # octaves are told apart down to about here


def _domain(axes: tuple[int, ...]) -> Domain:
    """Octaves from half the rate to `LOWEST_HZ`: a preparation's shape is a second of sound, or more."""
    return DWT("db4", levels=max(0, int(math.log2(min(axes) / (2 * LOWEST_HZ)))))


def _panel(a: Attribution, shown: Input, title: str) -> Figure:
    from wavelens import plots  # matplotlib: only once there is something to draw

    return plots.sound(a, shown.x, _rate(shown), title=title)


def _rate(shown: Input) -> int:
    return round(1 / shown.grid.spacing[0])


def _extras(a: Attribution, shown: Input, label: str, base: Path) -> Iterator[Path]:
    """What the model was given, what mattered of it, that by octaves, and the residue, as wav files in a folder."""
    folder = base.with_name(f"{base.name}-sounds")
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.wav"):  # of an earlier run: stems of another domain would not add up
        if old.is_file() and software_of(old).startswith(WRITER):
            old.unlink()
    for name, sound in sounds(a, shown.x, _rate(shown)):
        path = folder / f"{name}.wav"
        write_audio(path, sound, _rate(shown), software=WRITER)
        del sound  # it makes room for the next one
        yield path


SOUND = Kind("sound", SUFFIXES, open_audio, _domain, "silence", _panel, _extras, models="yamnet, micro-acdnet, hf:NAME")
