"""EDF, BDF and FIF files, of EEG, MEG and sleep: MNE reads them, after their headers were compared with their sizes."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wavelens.frontends.series.series import Series, SeriesError, check_length, one_rate, reading_errors, series_of
from wavelens.optional import optional

EDF, FIF = (".edf", ".bdf"), (".fif",)
UNITS = {  # of what MNE gives, by its channel types
    **dict.fromkeys(("eeg", "ecg", "eog", "emg", "seeg", "ecog", "dbs"), "V"),
    "mag": "T",
    "grad": "T/m",
}
LEFT_OUT = ("stim", "syst", "exci", "ias")  # triggers and the machine's own channels
HEAD_BYTES, SIGNAL_BYTES = 256, 256  # of an EDF header, and of each signal in it
MIN_TEMPLATE = 4  # channels with the names of electrodes, from which on a file has a cap of them
Position = tuple[float, float, float]
NOWHERE: Position = (math.nan, math.nan, math.nan)
ANNOTATIONS = ("EDF Annotations", "BDF Annotations")


@dataclass(frozen=True)
class EdfHeader:
    """What an EDF or BDF header says: seconds of a data record, their number, and (name, samples in one) by signal."""

    seconds: float
    records: int
    signals: tuple[tuple[str, int], ...]
    bytes_per_sample: int

    @property
    def data(self) -> tuple[tuple[str, int], ...]:
        """The signals without annotations."""
        return tuple((name, count) for name, count in self.signals if name not in ANNOTATIONS)


def read_edf(path: Path) -> Series:
    """The signals of an EDF or BDF file in the SI units that MNE gives them; triggers and annotations are left out."""
    header = edf_header(path)
    names = [name for name, _ in header.data]
    one_rate(path, [count / header.seconds for _, count in header.data], names)
    check_length(path, header.records * header.data[0][1], len(names))
    mne = optional("mne", "series")
    with reading_errors(path, f"an {path.suffix[1:].upper()} file"), _quiet():
        reader = mne.io.read_raw_bdf if path.suffix.lower() == ".bdf" else mne.io.read_raw_edf
        raw = reader(str(path), preload=False, verbose="ERROR")
        return _series(path, mne, raw)


def edf_cost(path: Path) -> tuple[int, float]:
    """Numbers of 4 bytes that reading takes, MNE's float64 among them, and seconds."""
    header = edf_header(path)
    return 4 * header.records * sum(count for _, count in header.signals), header.records * header.seconds


def edf_header(path: Path) -> EdfHeader:
    """What the header says; `ValueError` where it cannot be, or promises more than the file holds."""
    total = path.stat().st_size
    with path.open("rb") as file, reading_errors(path, f"an {path.suffix[1:].upper()} file"):
        head = file.read(HEAD_BYTES).decode("latin-1")
        if head[0] not in "0\xff" or len(head) < HEAD_BYTES:
            raise ValueError("it begins with no header")
        header_bytes, records, seconds, count = (head[184:192], head[236:244], head[244:252], head[252:256])
        signals = int(count)
        if signals < 1 or int(header_bytes) != HEAD_BYTES + SIGNAL_BYTES * signals:
            raise ValueError(f"its header says {signals} signals in {header_bytes.strip()} bytes")
        text = file.read(SIGNAL_BYTES * signals).decode("latin-1")
        names = [text[16 * k : 16 * (k + 1)].strip() for k in range(signals)]
        counts = [int(text[216 * signals + 8 * k : 216 * signals + 8 * (k + 1)]) for k in range(signals)]
        width = 3 if path.suffix.lower() == ".bdf" else 2
        each = width * sum(counts)
        if min(counts) < 1 or not (math.isfinite(float(seconds)) and float(seconds) > 0):
            raise ValueError(f"its header says {counts} samples in {seconds.strip()} seconds")
        held = (total - int(header_bytes)) // each
        number = int(records) if int(records) >= 0 else held  # -1 while it is being recorded
    if number < 1 or number > held:
        raise SeriesError(
            f"{path} is damaged: its header promises {number} records of {each} bytes, and it holds {held}. "
            "Get a fresh copy."
        )
    header = EdfHeader(float(seconds), number, tuple(zip(names, counts, strict=True)), width)
    if not header.data:
        raise SeriesError(f"a series has channels; {path} has annotations alone. Name another.")
    return header


def read_fif(path: Path) -> Series:
    """The channels of a raw FIF file in SI units, with their positions; triggers are left out."""
    mne = optional("mne", "series")
    with reading_errors(path, "a raw FIF file"), _quiet():
        raw = mne.io.read_raw_fif(str(path), preload=False, verbose="ERROR", on_split_missing="raise")
        check_length(path, raw.n_times, len(raw.ch_names))
        return _series(path, mne, raw)


def fif_cost(path: Path) -> tuple[int, float]:
    """Numbers of 4 bytes that reading takes, MNE's float64 among them, and seconds, by the header."""
    mne = optional("mne", "series")
    with reading_errors(path, "a raw FIF file"), _quiet():
        raw = mne.io.read_raw_fif(str(path), preload=False, verbose="ERROR", on_split_missing="raise")
        return 4 * raw.n_times * len(raw.ch_names), raw.n_times / raw.info["sfreq"]


def fif_files(path: Path) -> list[Path]:
    """A FIF file and those that it is continued in."""
    mne = optional("mne", "series")
    with reading_errors(path, "a raw FIF file"), _quiet():
        raw = mne.io.read_raw_fif(str(path), preload=False, verbose="ERROR", on_split_missing="raise")
        return [Path(name) for name in raw.filenames]


def _series(path: Path, mne: Any, raw: Any) -> Series:
    types = raw.get_channel_types()
    picks = [k for k, kind in enumerate(types) if kind not in LEFT_OUT]
    if not picks:
        raise SeriesError(f"a series has channels; {path} has triggers alone. Name another.")
    values = torch.from_numpy(raw.get_data(picks=picks).astype(np.float32))
    names = [raw.ch_names[k] for k in picks]
    places = _positions(raw, picks) or _template(mne, names)
    begin = raw.info["meas_date"]
    return series_of(
        path,
        values,
        float(raw.info["sfreq"]),
        names,
        [UNITS.get(types[k], "") for k in picks],
        "" if begin is None else begin.isoformat(),
        places,
    )


def _positions(raw: Any, picks: Sequence[int]) -> list[Position]:
    """Where the file says that electrodes are, in metres, NaN for those that it leaves out; none where it says none."""
    places = [_position(raw.info["chs"][k]["loc"][:3]) for k in picks]
    known = [place if any(place) and all(map(math.isfinite, place)) else NOWHERE for place in places]
    return [] if all(place is NOWHERE for place in known) else known


def _template(mne: Any, names: Sequence[str]) -> list[Position]:
    """Where electrodes of these names are on an average head, of the 10-05 system; none for fewer than four."""
    montage = mne.channels.make_standard_montage("standard_1005").get_positions()["ch_pos"]
    heads = {name.casefold(): _position(place) for name, place in montage.items()}
    places = [heads.get(_electrode(name), NOWHERE) for name in names]
    return places if sum(place is not NOWHERE for place in places) >= MIN_TEMPLATE else []


def _position(place: Any) -> Position:
    x, y, z = (float(value) for value in place)
    return x, y, z


def _electrode(name: str) -> str:
    """The electrode in a channel's name, as 'fc5' of 'EEG Fc5.' and 'Fc5-REF'; '' of a difference of two."""
    short = re.sub(r"^eeg[ _]|[-_](ref|le|a1|a2|m1|m2|avg|ar)$|[. ]+$", "", name.strip().casefold())
    return "" if "-" in short else short


@contextmanager
def _quiet() -> Iterator[None]:
    """MNE's remarks on names and filters of files are none of the caller's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
