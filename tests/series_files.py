"""One recording of three channels in every format of time series, written here."""

import csv
from pathlib import Path

import numpy as np

RATE, SAMPLES, NAMES, UNITS = 100.0, 300, ("I", "II", "V1"), ("mV", "mV", "mV")


def recording() -> np.ndarray:
    """A beat, a slow wave and a tone, `(3, 300)` in mV."""
    t = np.arange(SAMPLES) / RATE
    beat = np.exp(-(((t - 1.2) / 0.03) ** 2))
    return np.stack([beat, -0.5 * beat + 0.1 * np.sin(2 * np.pi * t), 0.2 * np.sin(2 * np.pi * 12 * t)])


def write_csv(path: Path, values: np.ndarray, time: str = "time (s)", stamps=None, delimiter: str = ",") -> Path:
    stamps = [f"{k / RATE:.3f}" for k in range(values.shape[1])] if stamps is None else stamps
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, delimiter=delimiter)
        rows.writerow([time, *(f"{name} ({unit})" for name, unit in zip(NAMES, UNITS, strict=True))])
        rows.writerows([stamp, *map(repr, column)] for stamp, column in zip(stamps, values.T.tolist(), strict=True))
    return path


def write_npz(path: Path, values: np.ndarray) -> Path:
    np.savez(path, signal=values.astype(np.float32), rate=RATE, channels=np.array(NAMES))
    return path


def write_parquet(path: Path, values: np.ndarray) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"time": np.arange(values.shape[1]) / RATE} | dict(zip(NAMES, values, strict=True))
    pq.write_table(pa.table(columns), path)
    return path


def write_wfdb(path: Path, values: np.ndarray) -> Path:
    import wfdb

    wfdb.wrsamp(
        path.stem,
        fs=RATE,
        units=list(UNITS),
        sig_name=list(NAMES),
        p_signal=values.T,
        fmt=["16"] * len(NAMES),
        write_dir=str(path.parent),
    )
    return path


def write_edf(path: Path, values: np.ndarray, counts=None) -> Path:
    """EDF (16 bits) or BDF (24) of whole records of a second, by the definition of Kemp et al. (1992)."""
    width = 3 if path.suffix == ".bdf" else 2
    top = 2 ** (8 * width - 1) - 1
    counts = counts or [int(RATE)] * len(values)
    seconds = values.shape[1] // int(RATE)
    fields = [
        [f"{name:16}" for name in NAMES],
        [" " * 80] * 3,
        [f"{'mV':8}"] * 3,
        [f"{-2:8}"] * 3,
        [f"{2:8}"] * 3,
        [f"{-top - 1:8}"] * 3,
        [f"{top:8}"] * 3,
        [" " * 80] * 3,
        [f"{count:8}" for count in counts],
        [" " * 32] * 3,
    ]
    head = f"{0:8}{'x':80}{'x':80}01.01.2001.00.00{256 * 4:8}{'':44}{seconds:8}{1:8}{3:4}"
    head = f"{'0' if width == 2 else chr(255) + 'BIOSEMI':8}{'X X X X':80}{'Startdate X X X X':80}01.01.0100.00.00"
    head += f"{256 * 4:<8}{'':44}{seconds:<8}{1:<8}{3:<4}"
    text = head + "".join("".join(field) for field in fields)
    digital = np.round((values + 2) / 4 * (2 * top + 1) - top - 1).clip(-top - 1, top).astype("<i4")
    body = b""
    for second in range(seconds):
        for channel, count in zip(digital, counts, strict=True):
            part = channel[second * int(RATE) :][: int(RATE)][:: int(RATE) // count]
            body += part.astype("<i4").view("u1").reshape(-1, 4)[:, :width].tobytes()
    path.write_bytes(text.encode("latin-1") + body)
    return path


def write_fif(path: Path, values: np.ndarray) -> Path:
    import mne

    info = mne.create_info(list(NAMES), RATE, "eeg", verbose="ERROR")
    raw = mne.io.RawArray(values * 1e-3, info, verbose="ERROR")
    places = {name: [0.01 * k, 0.05, 0.08] for k, name in enumerate(NAMES)}
    raw.set_montage(mne.channels.make_dig_montage(places, coord_frame="head"), verbose="ERROR")
    raw.save(path, verbose="ERROR", fmt="double")
    return path


def stream_of(values: np.ndarray):
    import obspy

    heads = [{"network": "XX", "station": "AAA", "channel": f"HH{c}", "sampling_rate": RATE} for c in "ENZ"]
    return obspy.Stream([obspy.Trace(v.astype(np.float32), h) for v, h in zip(values, heads, strict=True)])


def write_miniseed(path: Path, values: np.ndarray) -> Path:
    stream_of(values).write(str(path), format="MSEED")
    return path


def write_sac(path: Path, values: np.ndarray) -> Path:
    """A folder with a file for each component."""
    path.mkdir()
    for trace in stream_of(values):
        trace.write(str(path / f"{trace.stats.channel}.sac"), format="SAC")
    return path
