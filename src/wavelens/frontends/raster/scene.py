"""`Scene`: bands of several resolutions over one piece of ground, each resolution a raster of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wavelens.frontends.raster.raster import RasterFile


@dataclass(frozen=True, eq=False)
class Scene:
    """The rasters in a folder by resolution, of which only the headers are read: 'm10', 'm20' and 'm60'.

    >>> scene = wl.frontends.Scene(Path("S2"), {})
    >>> scene.path.name
    'S2'
    """

    path: Path
    parts: Mapping[str, RasterFile]
