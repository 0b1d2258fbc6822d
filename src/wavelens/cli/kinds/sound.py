"""Sounds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from wavelens.cli.kinds.kind import Answer, Job, Kind
from wavelens.core import Domain
from wavelens.domains import DWT
from wavelens.frontends.audio import SUFFIXES, open_audio, software_of, write_audio
from wavelens.reports import sounds

WRITER = "wavelens"  # noted in the sounds that are written
LOWEST = 31.0  # Hz: octaves are told apart down to about here


def _domain(axes: tuple[int, ...]) -> Domain:
    """Octaves from half the rate to `LOWEST`: a preparation's shape is a second of sound, or more."""
    return DWT("db4", levels=max(0, int(math.log2(min(axes) / (2 * LOWEST)))))


def _draw(job: Job, answer: Answer, title: str, path: Path) -> None:
    from wavelens import plots  # matplotlib: only once there is something to draw

    plots.save(plots.sound(answer.attribution, answer.x, _rate(answer), title=title), path)


def _rate(answer: Answer) -> int:
    return round(1 / answer.grid.spacing[0])


def _extras(job: Job, answer: Answer, base: Path) -> Iterator[Path]:
    """What the model was given, what mattered of it, that by octaves, and the residue, as wav files in a folder."""
    folder = base.with_name(f"{base.name}-sounds")
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.wav"):  # of an earlier run: stems of another domain would not add up
        if old.is_file() and software_of(old).startswith(WRITER):
            old.unlink()
    for name, sound in sounds(answer.attribution, answer.x, _rate(answer)):
        path = folder / f"{name}.wav"
        write_audio(path, sound, _rate(answer), software=WRITER)
        del sound  # it makes room for the next one
        yield path


SOUND = Kind("sound", SUFFIXES, open_audio, _domain, "silence", _draw, _extras, models="yamnet, micro-acdnet, hf:NAME")
