"""A tiled scene: the picture in true colour with the stitched map of each scale over it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from wavelens import maps
from wavelens.reports.packing import picture
from wavelens.reports.views.photo import thumbnail
from wavelens.reports.views.view import THUMB, ReportView, View, array, asset, packed_maps

if TYPE_CHECKING:  # an entry knows its view
    from wavelens.reports.entry import Entry


def show_tiles(entry: Entry, room: int) -> View:
    """The scene `x` `(1, 3, rows, columns)` in [0, 1] with the maps over it; coefficients of tiles are not shown."""
    from wavelens.plots import common_scale  # matplotlib: only once there is something to draw

    a, x, end = entry.attribution, entry.x.detach().float().cpu(), common_scale(entry.attribution)
    height, width = x.shape[-2:]
    payload: dict[str, Any] = {
        "unit": "px",
        "end": end,
        "size": [width, height],
        "looks": [{"name": "", "input": picture(array(x[0]), math.isqrt(room))}],
        "maps": packed_maps(entry, room, (1.0, 1.0)),
        "mosaic": None,
        "rose": None,
        "parts": [],
        "outlines": [],
        "rebuilt": [],
    }
    return View(payload, picture(thumbnail(x, maps.spatial_map(a), end), THUMB))


TILES_VIEW = ReportView("photo", 2, show_tiles, asset("photo.js"))
