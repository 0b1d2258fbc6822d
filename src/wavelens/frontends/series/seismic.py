"""miniSEED and SAC, of seismology: ObsPy reads them, each by the reader of its own format."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wavelens.frontends.series.series import Series, SeriesError, check_length, one_rate, reading_errors, series_of
from wavelens.optional import optional
from wavelens.untrusted import check_file

MINISEED, SAC = (".mseed", ".miniseed", ".ms"), (".sac",)
MAX_FILE_BYTES = 2**33
MAX_RATIO = 16  # samples per byte that miniSEED's compression can hold, at most: Steim-2 has 7 in 4 bytes


def read_seismogram(path: Path) -> Series:
    """The components in a miniSEED or SAC file, or in a folder of SAC files, over the time that all have.

    Pieces that follow each other are joined; a gap is a `ValueError`.
    """
    obspy = optional("obspy", "series")
    with reading_errors(path, "a seismogram"):
        stream = obspy.Stream([trace for file in seismogram_files(path) for trace in _traces(obspy, file)])
        stream.merge(method=-1)
        stream.sort(keys=["network", "station", "location", "channel", "starttime"])
        return _series(path, stream)


def seismogram_cost(path: Path) -> tuple[int, float]:
    """Numbers of 4 bytes that reading takes, and seconds, by the headers."""
    obspy = optional("obspy", "series")
    with reading_errors(path, "a seismogram"):
        traces = [trace for file in seismogram_files(path) for trace in _headers(obspy, file)]
        return 2 * sum(int(trace.stats.npts) for trace in traces), max(
            trace.stats.npts / trace.stats.sampling_rate for trace in traces
        )


def seismogram_files(path: Path) -> list[Path]:
    """The file, or the SAC files in a folder."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.name.lower().endswith(SAC))


def _traces(obspy: Any, path: Path) -> Any:
    """With their samples, once their headers promise no more of them than the file can hold."""
    _headers(obspy, path)
    return _read(obspy, path, False)


def _headers(obspy: Any, path: Path) -> Any:
    traces = _read(obspy, path, True)
    samples = sum(int(trace.stats.npts) for trace in traces)
    if samples > MAX_RATIO * path.stat().st_size:
        raise SeriesError(f"{path} is damaged: its headers promise {samples} samples. Get a fresh copy.")
    return traces


def _read(obspy: Any, path: Path, headers: bool) -> Any:
    """From bytes, never from a name: ObsPy would follow a pattern or an address, and unpack archives."""
    try:
        check_file(path, "seismogram")  # of a folder nothing is checked yet
    except (ValueError, OSError) as error:
        raise SeriesError(str(error)) from error
    if path.stat().st_size > MAX_FILE_BYTES:
        raise SeriesError(f"a seismogram has at most {MAX_FILE_BYTES} bytes; {path} has {path.stat().st_size}. Cut it.")
    form = "SAC" if path.name.lower().endswith(SAC) else "MSEED"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks on record lengths
        return obspy.read(io.BytesIO(path.read_bytes()), format=form, headonly=headers)


def _series(path: Path, stream: Any) -> Series:
    traces = list(stream)
    if not traces:
        raise SeriesError(f"a seismogram has samples; {path} has none. Name another.")
    names = [trace.id for trace in traces]
    if twice := [name for k, name in enumerate(names) if name in names[:k]]:
        before, after = [trace for trace in traces if trace.id == twice[0]][:2]
        raise SeriesError(
            f"a series has no gaps; {path} has one in {twice[0]}, from {before.stats.endtime} to "
            f"{after.stats.starttime}. Cut it there, or fill the gap."
        )
    rate = one_rate(path, [float(trace.stats.sampling_rate) for trace in traces], names)
    first = max(trace.stats.starttime for trace in traces)
    offsets = [round((first - trace.stats.starttime) * rate) for trace in traces]
    length = min(len(trace.data) - offset for trace, offset in zip(traces, offsets, strict=True))
    if length < 1:
        raise SeriesError(f"components of a series are of one time; those of {path} share none. Name one record.")
    check_length(path, length, len(traces))
    values = np.stack([
        np.asarray(trace.data[k : k + length], dtype=np.float32) for trace, k in zip(traces, offsets, strict=True)
    ])  # fmt: skip
    return series_of(path, torch.from_numpy(values), rate, names, begin=str(first))
