"""How far apart the pixels of a georeferenced raster lie on the ground, in metres."""

from __future__ import annotations

import math
from typing import Any

from wavelens.frontends.raster.raster import Transform
from wavelens.optional import optional

EQUATOR_M, SQUARED_ECCENTRICITY = 6378137.0, 0.00669437999014  # of the ellipsoid WGS 84
MAX_DISTORTION = 0.05  # of lengths on a map; beyond it they are measured on the ellipsoid


def ground_spacing(transform: Transform, size: tuple[int, int], crs: Any) -> tuple[float, float] | None:
    """Metres between rows and between columns, at the raster's centre; None where a system has no place on Earth.

    `crs` is a `rasterio.crs.CRS`. A projection's own lengths hold where they are true to `MAX_DISTORTION`, as those of
    UTM are; degrees, and the lengths of Web Mercator far from the equator, are measured on the ellipsoid.
    """
    a, b, _, d, e, _ = transform
    steps = ((b, e), (a, d))  # of a row and of a column, along x and y
    own = None
    if crs.is_projected:
        factor = float(crs.linear_units_factor[1])
        own = (math.hypot(*steps[0]) * factor, math.hypot(*steps[1]) * factor)
    true = _on_the_ellipsoid(transform, size, crs)
    if own is None or true is None:
        return own or true
    distorted = any(abs(one / other - 1) > MAX_DISTORTION for one, other in zip(own, true, strict=True))
    return true if distorted else own


def _on_the_ellipsoid(transform: Transform, size: tuple[int, int], crs: Any) -> tuple[float, float] | None:
    """Metres from the central pixel to the one below it and to the one beside it."""
    a, b, c, d, e, f = transform
    row, column = size[0] / 2, size[1] / 2
    corners = [(column, row), (column, row + 1), (column + 1, row)]
    places = [(a * i + b * j + c, d * i + e * j + f) for i, j in corners]
    warp = optional("rasterio.warp", "geo")
    try:
        longitudes, latitudes = warp.transform(crs, "EPSG:4326", *zip(*places, strict=True))
    except Exception:  # a local system, of a building site say
        return None
    points = list(zip(longitudes, latitudes, strict=True))
    lengths = [_metres(points[0], point) for point in points[1:]]
    return (lengths[0], lengths[1]) if all(math.isfinite(n) and n > 0 for n in lengths) else None


def _metres(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Between two near places (longitude, latitude) in degrees, by the ellipsoid's radii there."""
    latitude = math.radians((one[1] + other[1]) / 2)
    shrunk = 1 - SQUARED_ECCENTRICITY * math.sin(latitude) ** 2
    north = EQUATOR_M * (1 - SQUARED_ECCENTRICITY) / shrunk**1.5
    east = EQUATOR_M / math.sqrt(shrunk) * math.cos(latitude)
    return math.hypot(math.radians(other[1] - one[1]) * north, math.radians(other[0] - one[0]) * east)
