"""Volumes: scans and arrays with three axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from wavelens import maps
from wavelens.reports.packing import Array, bytes_of, picture, reduced
from wavelens.reports.views.view import THUMB, ReportView, View, array, asset, glowing, packed_maps, packed_mosaic

if TYPE_CHECKING:  # an entry knows its view
    from wavelens.reports.entry import Entry


def show_volume(entry: Entry, room: int) -> View:
    """Three slices that meet in a voxel, with the map of each scale over them, and the mosaic."""
    from wavelens.plots import common_scale  # matplotlib: only once there is something to draw
    from wavelens.plots.volume import fullest, grey_values

    a, step = entry.attribution, entry.place.spacing
    whole, end = array(maps.spatial_map(a)[0]), common_scale(a)
    grey = grey_values(array(entry.x[0]).mean(0))
    small = array(reduced(torch.from_numpy(grey)[None], room, step)[0])
    at = fullest(whole)
    payload: dict[str, Any] = {
        "unit": "voxel",
        "end": end,
        "size": list(grey.shape),
        "step": list(step),
        "units": list(entry.place.units),
        "at": list(at),
        "grey": {"shape": list(small.shape), "u8": bytes_of(small)},
        "maps": packed_maps(entry, room, step),
        "mosaic": packed_mosaic(a, room // 12),
    }
    return View(payload, picture(_small(grey, whole, at[2], end), THUMB * 2))


def _small(grey: Array, heat: Array, place: int, end: float) -> Array:
    """The slice across the last axis, the second axis upwards, with the map of all scales over it."""
    behind, over = (np.ascontiguousarray(values[:, :, place].T[::-1]) for values in (grey, heat))
    return glowing(behind[None], over, end)


VOLUME_VIEW = ReportView("volume", 3, show_volume, asset("volume.js"), wide=True)
