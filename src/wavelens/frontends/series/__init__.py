"""Time series: channels over time, from the formats of cardiology, neurology, seismology, tables and arrays."""

from wavelens.frontends.series.arrays import is_series_array
from wavelens.frontends.series.reading import (
    FOLDER_SUFFIXES,
    SUFFIXES,
    read_series,
    series_cost,
    series_files,
    series_inside,
)
from wavelens.frontends.series.series import SLOW_UNITS, Series, series_grid
from wavelens.frontends.series.tables import write_series

__all__ = [
    "FOLDER_SUFFIXES",
    "SLOW_UNITS",
    "SUFFIXES",
    "Series",
    "is_series_array",
    "read_series",
    "series_cost",
    "series_files",
    "series_grid",
    "series_inside",
    "write_series",
]
