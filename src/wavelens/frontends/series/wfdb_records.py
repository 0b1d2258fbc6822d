"""WFDB records, PhysioNet's format: a header in text, and the signals in files beside it; `wfdb` reads them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from wavelens.frontends.series.series import Series, SeriesError, check_length, one_rate, reading_errors, series_of
from wavelens.optional import optional

MAX_HEADER_BYTES = 2**20
MAX_SIGNALS = 10_000
BITS = {
    8: 8,
    16: 16,
    24: 24,
    32: 32,
    61: 16,
    80: 8,
    160: 16,
    212: 12,
    310: 32 / 3,
    311: 32 / 3,
}  # per sample, by format
DEFAULT_RATE = 250.0  # Hz, where a header says none (WFDB applications guide, header(5))
NUMBER = re.compile(r"[\d.]+")


@dataclass(frozen=True)
class Signal:
    """A line of a header: in which file a signal lies, in which format, and how often it is sampled in a frame."""

    file: str
    form: int
    per_frame: int
    offset: int
    name: str


@dataclass(frozen=True)
class Header:
    """What a header says: the rate of frames in Hz, their number, the signals, and the segments of a long record."""

    rate: float
    frames: int
    signals: tuple[Signal, ...]
    segments: tuple[str, ...]


def read_wfdb(path: Path) -> Series:
    """The record whose header lies at `path`, in physical units; several files or segments are one series."""
    header = wfdb_header(path)
    signals = header.signals or wfdb_header(_segment(path, header.segments[0])).signals
    one_rate(path, [header.rate * one.per_frame for one in signals], [one.name for one in signals])
    check_length(path, header.frames * signals[0].per_frame, len(signals))
    wfdb = optional("wfdb", "series")
    with reading_errors(path, "a WFDB record"):
        record = wfdb.rdrecord(str(path.absolute().with_suffix("")), smooth_frames=True)
        values = np.asarray(record.p_signal, dtype=np.float32).T
        begin = "" if record.base_datetime is None else record.base_datetime.isoformat()
        names, units = list(map(str, record.sig_name)), list(map(str, record.units))
    rate = header.rate * signals[0].per_frame
    return series_of(path, torch.from_numpy(np.ascontiguousarray(values)), rate, names, units, begin)


def wfdb_files(path: Path) -> list[Path]:
    """The files of a record: its header, the files of its signals, and those of its segments."""
    header = wfdb_header(path)
    own = [path, *(path.with_name(name) for name in dict.fromkeys(one.file for one in header.signals))]
    return own + [file for name in header.segments for file in wfdb_files(_segment(path, name))]


def wfdb_cost(path: Path) -> tuple[int, float]:
    """Numbers of 4 bytes that reading takes, the largest on the way, and seconds."""
    header = wfdb_header(path)
    signals = header.signals or wfdb_header(_segment(path, header.segments[0])).signals
    return 4 * sum(header.frames * one.per_frame for one in signals), header.frames / header.rate


def wfdb_header(path: Path) -> Header:
    """What the header at `path` says, compared with the files that it names; `ValueError` for what cannot be."""
    if path.stat().st_size > MAX_HEADER_BYTES:
        raise SeriesError(f"a WFDB header is a short text; {path} has {path.stat().st_size} bytes.")
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    with reading_errors(path, "a WFDB header"):
        header = _parsed(path, lines)
    for one in header.signals:
        _check_signal(path, one, header)
    return header


def _parsed(path: Path, lines: list[list[str]]) -> Header:
    name, count, *rest = lines[0]
    rate = float(_first_number(rest[0])) if rest else DEFAULT_RATE
    frames = int(rest[1]) if len(rest) > 1 else 0
    number = int(count)
    if not (0 < number <= MAX_SIGNALS and math.isfinite(rate) and rate > 0 and frames > 0):
        raise ValueError(f"it says {number} signals, {frames} frames and {rate:g} Hz")
    if "/" in name:
        segments = [(words[0], int(words[1])) for words in lines[1:] if words[0] != "~"]
        if any(words[0] == "~" for words in lines[1:]):
            raise SeriesError(f"{path} has gaps between its segments. Cut the record there.")
        if segments and segments[0][1] == 0:  # a layout of a record whose segments differ
            raise SeriesError(f"{path} has segments with different signals. Read one of its segments.")
        for segment, _ in segments:
            _check_name(path, segment)
        if not segments or not all(_segment(path, segment).is_file() for segment, _ in segments):
            raise SeriesError(f"{path} has segments whose headers are not beside it. Get the whole record.")
        if any("/" in _name_of(_segment(path, segment)) for segment, _ in segments):
            raise ValueError("segments of a segment")
        return Header(rate, frames, (), tuple(segment for segment, _ in segments))
    rows = lines[1 : number + 1]
    if len(rows) < number:
        raise ValueError(f"it says {number} signals and describes {len(rows)}")
    return Header(rate, frames, tuple(_signal(k, words) for k, words in enumerate(rows)), ())


def _signal(number: int, words: list[str]) -> Signal:
    form = words[1]
    per_frame = re.search(r"x(\d+)", form)
    offset = re.search(r"\+(\d+)", form)
    name = " ".join(words[8:]) or f"signal {number + 1}"
    return Signal(
        words[0],
        int(re.split(r"[x:+]", form)[0]),
        int(per_frame[1]) if per_frame else 1,
        int(offset[1]) if offset else 0,
        name,
    )


def _check_signal(path: Path, one: Signal, header: Header) -> None:
    """`ValueError` for a signal's file that is not beside the header, or holds fewer samples than the header says."""
    _check_name(path, one.file)
    file = path.with_name(one.file)
    if not file.is_file():
        raise SeriesError(f"{path} names {one.file} for its signals, which is not beside it. Get the whole record.")
    if one.per_frame < 1:
        raise SeriesError(f"{path} is damaged: signal {one.name} has {one.per_frame} samples in a frame.")
    together = sum(other.per_frame for other in header.signals if other.file == one.file)
    needed = one.offset + math.floor(header.frames * together * BITS.get(one.form, 0) / 8)
    if needed > file.stat().st_size:
        raise SeriesError(
            f"{path} is damaged: its header promises {header.frames} frames, {needed} bytes, and {one.file} has "
            f"{file.stat().st_size}. Get a fresh copy."
        )


def _check_name(path: Path, name: str) -> None:
    """Files of a record lie beside its header: a name that leads elsewhere is not followed."""
    if name != Path(name).name or name in ("", ".", "..") or "\\" in name or ":" in name:
        raise SeriesError(f"files of a WFDB record lie beside its header; {path} names {name!r}. Mend the header.")


def _segment(path: Path, name: str) -> Path:
    return path.with_name(f"{name}.hea")


def _name_of(path: Path) -> str:
    """The first word of a header."""
    return path.read_text(encoding="utf-8", errors="replace")[:200].split()[0]


def _first_number(text: str) -> str:
    match = NUMBER.match(text)
    if match is None:
        raise ValueError(f"its rate is {text!r}")
    return match[0]
