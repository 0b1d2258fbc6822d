"""Series by the suffix of their files: how each format is read, what it costs, and which files belong to a record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from wavelens.frontends.scans.arrays import ARRAYS
from wavelens.frontends.series.arrays import array_cost, read_array
from wavelens.frontends.series.brain import EDF, FIF, edf_cost, fif_cost, fif_files, read_edf, read_fif
from wavelens.frontends.series.seismic import (
    MINISEED,
    SAC,
    read_seismogram,
    seismogram_cost,
    seismogram_files,
)
from wavelens.frontends.series.series import Series
from wavelens.frontends.series.tables import read_parquet, read_text_table
from wavelens.frontends.series.wfdb_records import read_wfdb, wfdb_cost, wfdb_files
from wavelens.untrusted import check_file

TEXT_VALUES_PER_BYTE = 4  # numbers of 4 bytes that a text table takes while it is read: Python's texts are large
PARQUET_VALUES_PER_BYTE = 1000  # a column of equal values is packed so


def itself(path: Path) -> list[Path]:
    """A record in one file."""
    return [path]


@dataclass(frozen=True)
class Format:
    """How files of a format are read; `cost` gives numbers of 4 bytes and seconds, `files` all of a record."""

    suffixes: tuple[str, ...]
    read: Callable[[Path], Series]
    cost: Callable[[Path], tuple[int, float]]
    files: Callable[[Path], list[Path]] = itself


FORMATS = (
    Format((".csv", ".tsv"), read_text_table, lambda path: (TEXT_VALUES_PER_BYTE * path.stat().st_size, 0.0)),
    Format((".parquet",), read_parquet, lambda path: (PARQUET_VALUES_PER_BYTE * path.stat().st_size, 0.0)),
    Format(ARRAYS, read_array, array_cost),
    Format((".hea",), read_wfdb, wfdb_cost, wfdb_files),
    Format(EDF, read_edf, edf_cost),
    Format(FIF, read_fif, fif_cost, fif_files),
    Format((*MINISEED, *SAC), read_seismogram, seismogram_cost, seismogram_files),
)
FOLDER_SUFFIXES = (".hea",)  # of files that name others
SUFFIXES = tuple(suffix for form in FORMATS for suffix in form.suffixes)


def read_series(path: str | PathLike[str]) -> Series:
    r"""The series at `path`, its channels in float32, with their names, units and rate as the file has them.

    CSV, TSV and Parquet have a column per channel, and a column called time for the rate; .npy and .npz an array
    `(samples,)` or `(channel, samples)`, .npz beside it `rate` and `channels`. The extra `series` brings WFDB (the path
    is the header's, .hea), EDF, BDF and FIF (MNE), miniSEED and SAC (ObsPy; a folder of SAC files is one record).

    A path without a file is a `FileNotFoundError`; damage, values that are missing or not finite, an empty channel,
    channels of several rates and uneven times are a `ValueError`; a missing package is an `ImportError`.

    >>> from pathlib import Path
    >>> _ = Path("tides.csv").write_text("time (h),height (m)\n0,0.5\n1,0.8\n2,0.9\n")
    >>> series = wl.frontends.read_series("tides.csv")
    >>> series.data.shape, series.channels, series.units, series.grid.units
    (torch.Size([1, 1, 3]), ('height',), ('m',), ('h',))
    """
    path = Path(path)
    return _format(path).read(path)


def series_cost(path: Path) -> tuple[int, float]:
    """What reading takes in numbers of 4 bytes, and the length in seconds where a header says it."""
    return _format(path).cost(path)


def series_files(path: Path) -> list[Path]:
    """The files of the record at `path`; itself where it cannot be read."""
    try:
        return _format(path).files(path)
    except (ValueError, OSError, ImportError):
        return [path]


def series_inside(folder: Path) -> list[Path]:
    """The series in a folder: segments belong to their record, and SAC files of one time are one, the folder."""
    files = sorted(path for path in folder.iterdir() if path.name.lower().endswith(SUFFIXES) and path.is_file())
    parts = {part for path in files for part in series_files(path)[1:]}
    sac = [path for path in files if path.name.lower().endswith(SAC)]
    together = set(sac) if len(sac) > 1 else set()
    return [path for path in files if path not in parts | together] + [folder] * bool(together)


def _format(path: Path) -> Format:
    """The format of a path, by its suffix; a folder is one of SAC files."""
    if path.is_dir():
        if not seismogram_files(path):
            raise ValueError(f"the folder {path} has no series ({', '.join(SUFFIXES)}). Name another.")
        return FORMATS[-1]
    check_file(path, "series")
    for form in FORMATS:
        if path.name.lower().endswith(form.suffixes):
            return form
    raise ValueError(f"a series must be a file ending in {', '.join(SUFFIXES)}; got {path}. Rename or convert it.")
