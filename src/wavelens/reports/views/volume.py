"""Volumes: scans and arrays with three axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from wavelens import anatomy, maps
from wavelens.reports.packing import Array, bytes_of, magnitudes, picture, reduced, signs
from wavelens.reports.views.view import (
    THUMB,
    ReportView,
    View,
    array,
    asset,
    glowing,
    packed_maps,
    packed_mosaic,
    packed_sums,
)

if TYPE_CHECKING:  # an entry knows its view
    from wavelens.reports.entry import Entry

MAX_CHANNELS = 8  # that are shown: of more, those that matter most


def show_volume(entry: Entry, room: int) -> View:
    """Three slices that meet in a voxel, with the map of each scale over them, the channels apart, and the mosaic."""
    from wavelens.plots import common_scale  # matplotlib: only once there is something to draw
    from wavelens.plots.shown_volume import fullest, grey_of

    a, step = entry.attribution, entry.place.spacing
    whole, end = array(maps.spatial_map(a)[0]), common_scale(a)
    grey = grey_of(array(entry.x[0]))
    at = fullest(whole)
    payload: dict[str, Any] = {
        "unit": "voxel",
        "end": end,
        "size": list(grey.shape),
        "step": list(step),
        "units": list(entry.place.units),
        "patient": _patient(entry),
        "at": list(at),
        "grey": _greys(grey, room, step),
        "region": None if entry.region is None else _greys(array(entry.region), room, step),
        "maps": packed_maps(entry, room, step),
        "mosaic": packed_mosaic(a, room // 12),
        **_channels(entry, room, step),
    }
    return View(payload, picture(_small(grey, whole, at[2], end), THUMB * 2))


def _greys(values: Array, room: int, step: tuple[float, ...]) -> dict[str, Any]:
    """Values in [0, 1] as bytes."""
    small = array(reduced(torch.from_numpy(values)[None], room, step)[0])
    return {"shape": list(small.shape), "u8": bytes_of(small)}


def _patient(entry: Entry) -> dict[str, Any] | None:
    """The letters at the ends of the axes, the planes across them, and where voxels lie in mm; None if not known."""
    place = entry.place
    if place.affine is None:
        return None
    rows = [[float(f"{value:.6g}") for value in row] for row in place.affine[:3]]
    return {"ends": anatomy.letters(place), "planes": anatomy.planes(place), "affine": rows}


def _channels(entry: Entry, room: int, step: tuple[float, ...]) -> dict[str, Any]:
    """Of several channels each one's greys and map, and the sums by channel and scale; nothing of one."""
    from wavelens.plots.series import strongest_channels  # matplotlib: only once there is something to draw
    from wavelens.plots.shown_volume import grey_values

    a, count = entry.attribution, entry.x.shape[1]
    if count < 2:
        return {"behind": [], "apart": None}
    shown = strongest_channels(a, MAX_CHANNELS)
    points, sums = room // (4 * len(shown)), packed_sums(entry, shown, "channel")
    heat = {
        sign: reduced(maps.spatial_map(a, signed=sign, by_channel=True)[0, shown], points, step)
        for sign in ((False,) if a.data.is_complex() else (False, True))
    }
    return {
        **sums,
        "behind": [_greys(grey_values(array(entry.x[0, k])), room // len(shown), step) for k in shown],
        "apart": {
            "scales": [{"name": name, "label": ""} for name in sums["channels"]],
            "shape": list(heat[False].shape[1:]),
            "magnitude": [magnitudes(array(one)) for one in heat[False]],
            "signed": [signs(array(one)) for one in heat.get(True, ())],
        },
    }


def _small(grey: Array, heat: Array, place: int, end: float) -> Array:
    """The slice across the last axis, the second axis upwards, with the map of all scales over it."""
    behind, over = (np.ascontiguousarray(values[:, :, place].T[::-1]) for values in (grey, heat))
    return glowing(behind[None], over, end)


VOLUME_VIEW = ReportView("volume", 3, show_volume, asset("volume.js"), wide=True)
"""How a report shows volumes."""
