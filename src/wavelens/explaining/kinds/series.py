"""Time series: electrocardiograms, encephalograms, seismograms, and tables with a column per channel."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from wavelens.attribution import Attribution
from wavelens.core import Domain
from wavelens.domains import DWT
from wavelens.explaining.kinds.input import Input, channel_names
from wavelens.explaining.kinds.kind import FileSize, Kind, Writer
from wavelens.frontends.scans.arrays import ARRAYS
from wavelens.frontends.series import (
    FOLDER_SUFFIXES,
    SUFFIXES,
    Series,
    is_series_array,
    read_series,
    series_cost,
    series_files,
    series_inside,
    write_series,
)
from wavelens.models.preparations.series import as_series
from wavelens.reports import SERIES_VIEW

if TYPE_CHECKING:  # matplotlib: only once there is something to draw
    from matplotlib.figure import Figure

MAX_LEVELS = 6
COARSEST_SAMPLES = 4  # places that the coarsest scale has, at least
LONG_SAMPLES = 64  # from which on a filter of eight taps does not wrap round


def _domain(axes: tuple[int, ...]) -> Domain:
    """Octaves from half the rate down; of Haar where a series is short."""
    (samples,) = axes
    levels = max(0, min(MAX_LEVELS, int(math.log2(max(samples / COARSEST_SAMPLES, 1)))))
    return DWT("db4" if samples >= LONG_SAMPLES else "haar", levels=levels)


def _panel(a: Attribution, shown: Input, title: str) -> Figure:
    from wavelens import plots  # matplotlib: only once there is something to draw

    return plots.traces(
        a,
        shown.x,
        title=title,
        grid=shown.grid,
        channels=channel_names(shown),
        marks=shown.marks,
        positions=shown.positions,
    )


def _note(path: Path) -> str:
    """Where a record has several files, how many."""
    files = series_files(path)
    return f"one record of {len(files)} files" if len(files) > 1 else ""


def _holds(path: Path) -> bool:
    return is_series_array(path) if path.name.lower().endswith(ARRAYS) else True


def _write(shown: Input, x: Tensor, path: Path) -> None:
    step, unit = shown.grid.spacing[0], shown.grid.units[0]
    write_series(path, Series(x, 1 / step if unit == "Hz" else None, channel_names(shown)))


def _size(path: Path, shape: tuple[int, ...]) -> FileSize:
    """One file by its header; a record that names others is turned away, for anyone may send its header alone."""
    if path.name.lower().endswith(FOLDER_SUFFIXES):
        raise ValueError(f"a series is one file here; {path.name} names others. Send it as .csv, .edf or .npz.")
    return FileSize(*series_cost(path))


SERIES = Kind(
    "series",
    SUFFIXES,
    read_series,
    units=("Hz",),
    domain=_domain,
    sigma=0.1,
    start="a flat line",
    panel=_panel,
    view=SERIES_VIEW,
    size=_size,
    as_is=as_series,
    gather=series_inside,
    speaks=_holds,
    holds=_holds,
    files=series_files,
    channels=channel_names,
    note=_note,
    writer=Writer(".csv", _write),
    spacing_unit="s",
    models="phasenet, seisbench:NAME, braindecode:NAME",
)
