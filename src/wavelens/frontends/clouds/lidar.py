"""LAS and LAZ, the formats of laser scanning; laspy reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wavelens.frontends.clouds.cloud import MAX_POINTS, Cloud, CloudError, cloud_of, reading_errors
from wavelens.frontends.clouds.survey_units import Lengths, survey_lengths
from wavelens.optional import optional

LIDAR = (".las", ".laz")
UNIT = "m"  # of nearly all surveys
METRES = Lengths(1.0, 1.0, ("metre",))


def read_lidar(path: Path) -> Cloud:
    """The points of a LAS or LAZ file, in metres from a whole one near their middle; feet become metres."""
    laspy = optional("laspy", "points")
    with reading_errors(path, "LAS or LAZ"):
        with laspy.open(str(path)) as file:
            count = int(file.header.point_count)
            if count > MAX_POINTS:
                raise CloudError(f"a cloud has at most {MAX_POINTS:,} points; {path} has {count:,}. Thin it out first.")
            read = file.read()
        points = np.stack([np.asarray(one, dtype=np.float64) for one in (read.x, read.y, read.z)], 1)
        lengths = survey_lengths(path, read.header)
    across = METRES.across if lengths is None else lengths.across
    if across is not None:
        up = METRES.up if lengths is None else lengths.up
        points *= (across, across, up)
    return cloud_of(path, points, "" if across is None else UNIT, note=_note(lengths))


def _note(lengths: Lengths | None) -> str:
    """How the unit came about, unless the file says metres."""
    if lengths is None:
        return "it names no coordinate system, so its lengths are taken for metres"
    names = " and ".join(lengths.names)
    if lengths.across is None:
        return f"the unit of its coordinate system ({names}) is not known (--spacing 0.3048 says feet)"
    is_metric = lengths.across == lengths.up == 1
    return "" if is_metric else f"its lengths were turned into metres (from {names})"


def lidar_points(path: Path) -> int:
    """How many points the header says that there are."""
    laspy = optional("laspy", "points")
    with reading_errors(path, "LAS or LAZ"), laspy.open(str(path)) as file:
        return int(file.header.point_count)
