"""Clouds: points to turn, with the attribution of each scale on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from wavelens import maps
from wavelens.points import k_d_order
from wavelens.reports.packing import magnitudes, picture, reduced, signs, words_of
from wavelens.reports.views.view import THUMB, ReportView, View, array, asset, scale_names

if TYPE_CHECKING:  # an entry knows its view
    from wavelens.reports.entry import Entry

NUMBERS_PER_POINT = 2  # of each map: how much, and for and against


def show_cloud(entry: Entry, room: int) -> View:
    """The points and the map of each scale on them; of many, the means of those that lie together in a k-d tree."""
    from wavelens.plots import common_scale  # matplotlib: only once there is something to draw
    from wavelens.plots.cloud import picture_of

    a, points = entry.attribution, entry.x[0, :3].detach().cpu().double()
    order = k_d_order(points.T[None])[0][0]
    count = max(1, room // (3 + NUMBERS_PER_POINT * len(scale_names(entry))))
    placed = reduced(points[:, order], count, (1.0,))
    low, side = placed.amin(1, keepdim=True), float((placed.amax(1) - placed.amin(1)).max()) or 1.0
    payload: dict[str, Any] = {
        "unit": "point",
        "end": common_scale(a),
        "total": points.shape[1],
        "points": words_of(array(((placed - low) / side).T.contiguous())),
        "middle": ((placed.amax(1) - placed.amin(1)) / side / 2).tolist(),
        "side": side * entry.place.spacing[0],
        "length": entry.place.units[0],
        "maps": _packed(entry, order, count),
    }
    whole = array(maps.spatial_map(a)[0])
    return View(payload, picture(picture_of(array(points), whole, THUMB * 2), THUMB * 2))


def _packed(entry: Entry, order: Tensor, count: int) -> dict[str, Any]:
    """As `packed_maps`, of points in this order."""
    a, names, labels = entry.attribution, scale_names(entry), entry.scale_labels
    kinds = (False,) if a.data.is_complex() else (False, True)
    several = {
        sign: {"all scales": maps.spatial_map(a, signed=sign), **maps.scale_maps(a, signed=sign)} for sign in kinds
    }
    small = {
        sign: [reduced(heat[name][0].cpu()[order], count, (1.0,)) for name in names] for sign, heat in several.items()
    }
    return {
        "shape": list(small[False][0].shape),
        "scales": [{"name": name, "label": labels.get(name, "")} for name in names],
        "magnitude": [magnitudes(array(values)) for values in small[False]],
        "signed": [signs(array(values)) for values in small.get(True, [])],
    }


CLOUD_VIEW = ReportView("cloud", 1, show_cloud, asset("cloud.js"))
"""How a report shows clouds of points."""
