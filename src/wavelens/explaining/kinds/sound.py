"""Sounds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from wavelens.attribution import Attribution
from wavelens.core import Domain
from wavelens.domains import DWT
from wavelens.explaining.kinds.input import Input
from wavelens.explaining.kinds.kind import FileSize, Kind, Writer
from wavelens.frontends.audio import SUFFIXES, AudioFile, open_audio, software_of, write_audio
from wavelens.models.preparations.audio import Sampling
from wavelens.reports import SOUND_VIEW, sounds
from wavelens.reports.sounds import is_heard

if TYPE_CHECKING:  # matplotlib: only once there is something to draw
    from matplotlib.figure import Figure

MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 384_000  # of sounds that the app takes
FULL = 0.99  # of full scale, the peak of what is normalised
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
    """What the model was given, what of it supports the target, that by octaves, and the residue, as wav files.

    What supports it is there twice, the second time as loud as a file can be; octaves that are silent are left out.
    """
    folder = base.with_name(f"{base.name}-sounds")
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.wav"):  # of an earlier run: stems of another domain would not add up
        if old.is_file() and software_of(old).startswith(WRITER):
            old.unlink()
    loudest = _peak(shown.x)
    for name, sound in sounds(a, shown.x, _rate(shown)):
        peak = _peak(sound)
        if not is_heard(name, peak, loudest):
            continue
        yield _written(sound, folder / f"{name}.wav", shown)
        if name == "heard" and peak > 0:
            yield _written(sound.mul_(FULL / peak), folder / "heard-normalised.wav", shown)  # nobody needs it any more
        del sound  # it makes room for the next one


def _peak(x: Tensor) -> float:
    """The largest size, without a copy of a long sound."""
    return float(max(x.max(), -x.min()))


def _written(sound: Tensor, path: Path, shown: Input) -> Path:
    write_audio(path, sound, _rate(shown), software=WRITER)
    return path


def _write(shown: Input, x: Tensor, path: Path) -> None:
    write_audio(path, x, _rate(shown))


def _own_rate(file: AudioFile) -> Sampling:
    """The clip at its own rate, with its own channels."""
    return Sampling(file.rate, file.channels)


def _size(path: Path, shape: tuple[int, ...]) -> FileSize:
    file = open_audio(path)
    if not MIN_RATE_HZ <= file.rate <= MAX_RATE_HZ:
        raise ValueError(f"a sound has {MIN_RATE_HZ} to {MAX_RATE_HZ} samples per second; {path.name} has {file.rate}.")
    return FileSize(file.samples * file.channels, file.seconds)


SOUND = Kind(
    "sound",
    SUFFIXES,
    open_audio,
    units=("Hz",),
    domain=_domain,
    sigma=0.001,
    start="silence",
    panel=_panel,
    view=SOUND_VIEW,
    size=_size,
    as_is=_own_rate,
    extras=_extras,
    outputs={".wav": "a sound"},
    writer=Writer(".wav", _write),
    models="yamnet, micro-acdnet, hf:NAME",
)
