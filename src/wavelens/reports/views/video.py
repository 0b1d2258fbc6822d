"""Videos: frames in time, then height and width."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from wavelens import maps
from wavelens.reports.numerals import unbroken
from wavelens.reports.packing import picture
from wavelens.reports.views.photo import in_unit_range
from wavelens.reports.views.view import THUMB, ReportView, View, array, asset, glowing, packed_maps

if TYPE_CHECKING:  # an entry knows its view
    from wavelens.reports.entry import Entry

TIME = 1e6  # pixels that a frame counts as where maps are reduced: time is reduced last


def show_video(entry: Entry, room: int) -> View:
    """Frames with the map of each scale over them, and the course of each scale of time."""
    from wavelens.plots import common_scale  # matplotlib: only once there is something to draw

    a, shown, end = entry.attribution, in_unit_range(entry.x)[0], common_scale(entry.attribution)
    side = max(64, math.isqrt(2 * room // shown.shape[1]))
    whole = array(maps.spatial_map(a)[0])
    first = int(whole.sum((1, 2)).argmax())
    payload: dict[str, Any] = {
        "unit": "sample",
        "end": end,
        "size": list(shown.shape[1:]),
        "step": entry.place.spacing[0],
        "axis": entry.place.units[0],
        "at": first,
        "frames": [picture(array(frame), side) for frame in shown.unbind(1)],
        "maps": packed_maps(entry, 2 * room, (TIME, 1.0, 1.0)),
        "courses": _courses(entry),
    }
    return View(payload, picture(glowing(array(shown[:, first]), whole[first], end), THUMB))


def _courses(entry: Entry) -> list[dict[str, Any]]:
    """|γ| of each scale of time in each frame, whatever its scale in space; 'a' is what stays."""
    labels = {
        name: unbroken(entry.place.label_along(0, scale.extent[0])) if scale.is_detail else "what stays"
        for name, scale in maps.along(entry.attribution.layout, 0).items()
    }
    return [
        {"name": name, "label": labels[name], "values": [float(v) for v in values[0].tolist()]}
        for name, values in maps.courses(entry.attribution, 0).items()
    ]


VIDEO_VIEW = ReportView("video", 3, show_video, asset("video.js"))
"""How a report shows videos."""
