"""Series in tables, one column per channel: CSV, TSV and Parquet, with a column of times or without."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wavelens.frontends.series.series import Series, check_length, reading_errors, series_of, whole_rate
from wavelens.optional import optional
from wavelens.untrusted import excerpt

Array = NDArray[Any]

TIME_NAMES = ("time", "t", "timestamp", "date", "datetime", "seconds", "sec", "elapsed time")
TIME_UNITS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0, "h": 3600.0, "hours": 3600.0}
MAX_COLUMNS = 10_000
NAMED = re.compile(r"(?P<name>.*?)\s*[\[(](?P<unit>[^\])]*)[\])]\s*")  # 'II (mV)', 'time [ms]'


def read_text_table(path: Path) -> Series:
    """The series in a CSV or TSV file: a row per sample, names in the first row where that holds no numbers."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            rows = [row for row in csv.reader(file, delimiter=_delimiter(first, path)) if row]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no table in UTF-8: {error}. Save it as UTF-8 with commas or tabs.") from None
    if not rows:
        raise ValueError(f"a table has a row per sample; {path} has none. Name another.")
    header = [] if _is_number(rows[0][-1]) else [cell.strip() for cell in rows.pop(0)]
    width = len(header) or len(rows[0])
    if not 0 < width <= MAX_COLUMNS or not rows:
        raise ValueError(f"a series has samples and up to {MAX_COLUMNS} columns; {path} has {len(rows)} rows.")
    odd = next((k for k, row in enumerate(rows) if len(row) != width), None)
    if odd is not None:
        raise ValueError(
            f"rows of a table have equally many cells; row {odd + 1 + bool(header)} of {path} has {len(rows[odd])} "
            f"cells and the first {width}. Correct it, or leave it out."
        )
    time = _time_column(header)
    columns = [k for k in range(width) if k != time]
    values = np.stack([_numbers([row[k] for row in rows], header[k] if header else f"{k + 1}", path) for k in columns])
    times = None if time is None else _times([row[time] for row in rows], header[time], path)
    return _series(path, values, [header[k] for k in columns] if header else [], times)


def read_parquet(path: Path) -> Series:
    """The series in a Parquet file, whose columns are channels; PyArrow reads it."""
    parquet = optional("pyarrow.parquet", "series")
    with reading_errors(path, "a Parquet table"):
        file = parquet.ParquetFile(str(path))
        check_length(path, file.metadata.num_rows, file.metadata.num_columns)
        table = file.read()
        header = [str(name) for name in table.column_names]
        columns = [table.column(k).to_numpy() for k in range(len(header))]
    time = next((k for k, one in enumerate(columns) if one.dtype.kind == "M"), _time_column(header))
    chosen = [k for k in range(len(header)) if k != time]
    if not chosen or not len(columns[0]):
        raise ValueError(f"a series has samples and channels; {path} has {table.shape} rows and columns. Name another.")
    if texts := [header[k] for k in chosen if columns[k].dtype.kind not in "buif"]:
        raise ValueError(f"columns of a series are numbers; {', '.join(texts)} of {path} is not. Leave it out.")
    values = np.stack([columns[k].astype(np.float64) for k in chosen])
    times = None if time is None else _stamps(columns[time], header[time])
    return _series(path, values, [header[k] for k in chosen], times)


def write_series(path: str | PathLike[str], series: Series) -> None:
    """Write a series as CSV that `read_series` reads: a row per sample, a column of seconds where the rate is known.

    >>> wl.frontends.write_series("two.csv", wl.frontends.Series(torch.ones(1, 2, 3), 250.0, ("I", "II"), ("mV", "mV")))
    >>> wl.frontends.read_series("two.csv").channels
    ('I', 'II')
    """
    path, rate = Path(path), series.rate
    if path.suffix.lower() != ".csv":
        raise ValueError(f"a series must be written as .csv; got {path.name!r}.")
    units = series.units or ("",) * len(series.names)
    header = [f"{name} ({unit})" if unit else name for name, unit in zip(series.names, units, strict=True)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*([] if rate is None else ["time (s)"]), *header])
        for k, row in enumerate(series.data[0].detach().float().cpu().T.tolist()):
            writer.writerow([*([] if rate is None else [f"{k / rate:.9g}"]), *(f"{value:.9g}" for value in row)])


def _delimiter(line: str, path: Path) -> str:
    """A tab in a TSV file; else of comma, semicolon and tab the one that the first line has most of."""
    return "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=line.count)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return not text.strip()
    return True


def _time_column(header: Sequence[str]) -> int | None:
    """The first column that is called time."""
    for k, cell in enumerate(header):
        name = _named(cell)[0].casefold()
        if name in TIME_NAMES or (name.rpartition("_")[0] in TIME_NAMES and name.rpartition("_")[2] in TIME_UNITS):
            return k
    return None


def _named(cell: str) -> tuple[str, str]:
    """'II (mV)' as a name and its unit."""
    match = NAMED.fullmatch(cell)
    return (match["name"], match["unit"].strip()) if match and match["name"] else (cell.strip(), "")


def _numbers(cells: Sequence[str], name: str, path: Path) -> Array:
    """A column as float64; an empty cell is NaN, which the series refuses with its place."""
    try:
        return np.array([cell.strip() or "nan" for cell in cells], dtype=np.float64)
    except ValueError:
        row = next(k for k, cell in enumerate(cells) if not _is_number(cell))
        raise ValueError(
            f"columns of a series are numbers; column {name} of {path} has {excerpt(cells[row], 40)!r} in sample "
            f"{row}. Leave the column out, or mend it."
        ) from None


def _times(cells: Sequence[str], name: str, path: Path) -> Array:
    """Seconds of a time column: numbers in its unit, or dates and times as ISO 8601 has them."""
    if _is_number(cells[0]):
        return _numbers(cells, name, path) * _unit_seconds(name)
    try:
        stamps = [datetime.fromisoformat(cell.strip()) for cell in cells]
        return np.array([(one if one.tzinfo else one.replace(tzinfo=UTC)).timestamp() for one in stamps])
    except ValueError as error:
        raise ValueError(
            f"times are numbers, or written like 2024-05-01T12:00:00; column {name} of {path}: {error}. Mend it, or "
            "leave the column out and give --rate."
        ) from None


def _stamps(values: Array, name: str) -> Array:
    if values.dtype.kind == "M":
        return values.astype("datetime64[ns]").astype(np.int64) / 1e9
    return values.astype(np.float64) * _unit_seconds(name)


def _unit_seconds(name: str) -> float:
    base, unit = _named(name)
    return TIME_UNITS.get((unit or base.rpartition("_")[2]).casefold(), 1.0)


def _series(path: Path, values: Array, header: Sequence[str], times: Array | None) -> Series:
    named = [_named(cell) for cell in header]
    rate = None if times is None else _rate(path, times)
    begin = ""
    if times is not None and times[0] > 1e8:  # an epoch: seconds that begin with the recording are fewer
        begin = datetime.fromtimestamp(float(times[0]), UTC).isoformat()
    names, units = [name for name, _ in named], [unit for _, unit in named]
    return series_of(path, torch.from_numpy(values), rate, names, units, begin)


def _rate(path: Path, times: Array) -> float | None:
    """The rate of evenly spaced times; `ValueError` where one is more than half a step off."""
    if len(times) < 2:
        return None
    step = (times[-1] - times[0]) / (len(times) - 1)
    off = np.abs(times - times[0] - step * np.arange(len(times)))
    if not (np.isfinite(times).all() and step > 0 and off.max() <= 0.5 * step):
        late = int(np.nanargmax(off)) if np.isfinite(off).any() else 0
        raise ValueError(
            f"samples of a series are evenly spaced in time; those of {path} are not: sample {late} lies "
            f"{off[late]:.3g} s off an even spacing of {step:.3g} s. Resample them, or cut the series at its gap."
        )
    return whole_rate(times)
