"""Photos, rasters by their bands, and any signal with two axes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from wavelens import maps, masks
from wavelens.core import Coefficients
from wavelens.frontends.raster import composites
from wavelens.outlines import Outline
from wavelens.reports.packing import Array, picture, reduced
from wavelens.reports.views.view import (
    THUMB,
    ReportView,
    View,
    array,
    asset,
    glowing,
    packed_maps,
    packed_mosaic,
    packed_rose,
    packed_sums,
)

if TYPE_CHECKING:  # an entry knows its view
    from wavelens.reports.entry import Entry

PARTS = (0.01, 0.05, 0.2)  # of the coefficients, that pictures are rebuilt from


def show_photo(entry: Entry, room: int) -> View:
    """The picture with the map of each scale over it, the mosaic, and what the strongest coefficients leave of it.

    Channels that have names are bands: they are seen in true and false colour, with the sums by band and scale.
    """
    from wavelens.plots import common_scale  # matplotlib: only once there is something to draw

    looks = composites(entry.x, entry.channels) if entry.channels else {"": in_unit_range(entry.x)}
    shown, end = next(iter(looks.values())), common_scale(entry.attribution)
    as_it_is = torch.equal(shown, entry.x.detach().float().cpu())
    height, width = shown.shape[-2:]
    side = math.isqrt(room)  # pixels, at most, of the input's sides
    payload: dict[str, Any] = {
        "unit": "px",
        "end": end,
        "size": [width, height],
        "looks": [{"name": name, "input": picture(array(look[0]), side)} for name, look in looks.items()],
        "maps": packed_maps(entry, room, (1.0, 1.0)),
        "mosaic": packed_mosaic(entry.attribution, room // 12),
        "rose": packed_rose(entry.attribution),
        "parts": _parts(entry, shown, side // 3),
        "outlines": [_outline(one, width, height) for one in entry.outlines],
        "rebuilt": _rebuilt(entry.attribution, entry.x, side // 4) if as_it_is else [],
        **(packed_sums(entry, range(len(entry.channels)), "band") if len(entry.channels) > 1 else {}),
    }
    heat = maps.spatial_map(entry.attribution) * maps.has_places(entry.attribution.layout)
    return View(payload, picture(thumbnail(shown, heat, end), THUMB))


def _outline(one: Outline, width: int, height: int) -> dict[str, Any]:
    """An outline in shares of the picture's width and height: `lines` of x, y, x, y."""
    lines = [[round(share, 4) for y, x in pair for share in (x / width, y / height)] for pair in one.segments]
    y, x = one.corner
    return {"lines": lines, "corner": [x / width, y / height], "text": one.text, "explained": one.explained}


def in_unit_range(x: Tensor) -> Tensor:
    """`(1, 1 or 3, height, width)` in [0, 1]: other channels by their mean, other values by their own range."""
    x = x.detach().float().cpu()
    x = x if x.shape[1] in (1, 3) else x.mean(1, keepdim=True)
    low, high = x.amin(), x.amax()
    return x if low >= 0 and high <= 1 else (x - low) / (high - low or 1)


def _parts(entry: Entry, shown: Tensor, side: int) -> list[str]:
    """The input, then what each scale holds of it, in domains whose coefficients have no places; else nothing."""
    if maps.has_places(entry.attribution.layout):
        return []
    from wavelens.plots.parts import scale_parts  # matplotlib: only once there is something to draw

    parts = scale_parts(entry.attribution.layout, shown.double()).values()
    return [picture(part, side) for part in (array(shown[0]), *parts)]


def _rebuilt(a: Coefficients, x: Tensor, side: int) -> list[dict[str, Any]]:
    """The picture from the strongest coefficients alone, for each of `PARTS`."""
    left = [(part, masks.top(a, part).apply(x)) for part in PARTS]
    return [{"part": part, "input": picture(array(one[0]), side)} for part, one in left]


def thumbnail(x: Tensor, heat: Tensor, end: float) -> Array:
    """The picture with the map of all scales over it, few enough pixels for a thumbnail."""
    step = (1.0, 1.0)
    both = torch.cat([x, heat[None].to(x)], 1)[0]
    small = array(reduced(both, THUMB * THUMB, step))
    return glowing(small[:-1], small[-1], end)


PHOTO_VIEW = ReportView("photo", 2, show_photo, asset("photo.js"))
"""How a report shows pictures."""
