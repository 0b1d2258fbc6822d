"""LAS and LAZ, the formats of laser scanning; laspy reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wavelens.frontends.clouds.cloud import MAX_POINTS, Cloud, CloudError, cloud_of, reading_errors
from wavelens.optional import optional

LIDAR = (".las", ".laz")
UNIT = "m"  # of nearly all surveys; the standard leaves it to the coordinate system


def read_lidar(path: Path) -> Cloud:
    """The points of a LAS or LAZ file, in metres from a whole one near their middle."""
    laspy = optional("laspy", "points")
    with reading_errors(path, "LAS or LAZ"):
        with laspy.open(str(path)) as file:
            count = int(file.header.point_count)
            if count > MAX_POINTS:
                raise CloudError(f"a cloud has at most {MAX_POINTS:,} points; {path} has {count:,}. Thin it out first.")
            read = file.read()
        points = np.stack([np.asarray(one, dtype=np.float64) for one in (read.x, read.y, read.z)], 1)
    return cloud_of(path, points, UNIT)


def lidar_points(path: Path) -> int:
    """How many points the header says that there are."""
    laspy = optional("laspy", "points")
    with reading_errors(path, "LAS or LAZ"), laspy.open(str(path)) as file:
        return int(file.header.point_count)
