"""Time series: a row per channel over the attribution, channel × scale, and time × frequency, in one window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wavelens import maps, scalp
from wavelens.reports.packing import Array, magnitudes, picture, reduced, signs
from wavelens.reports.views.sound import placed_rows
from wavelens.reports.views.view import THUMB, ReportView, View, array, asset, packed_sums, scale_names

if TYPE_CHECKING:  # an entry knows its view
    from wavelens.reports.entry import Entry

MAX_CHANNELS = 32  # that are shown: of more, those that matter most
MAP_COLUMNS, WAVE_POINTS, FREQUENCY_COLUMNS = 2000, 8000, 800
HEAD_PIXELS = 96  # of a side of a map of the scalp


def show_series(entry: Entry, room: int) -> View:
    """Traces, the attribution of each channel by scale, sums by channel and scale, and the scalogram."""
    from wavelens.plots.parts import scale_end  # matplotlib: only once there is something to draw
    from wavelens.plots.series import channel_map, strongest_channels

    a, count = entry.attribution, entry.x.shape[-1]
    shown = strongest_channels(a, MAX_CHANNELS)
    labels, scales, step = entry.scale_labels, scale_names(entry), entry.place.spacing[0]
    end = scale_end(np.abs(array(channel_map(a)[0])))
    points = max(50, min(MAP_COLUMNS, room // (2 * len(shown) * len(scales))))
    payload: dict[str, Any] = {
        "unit": "sample",
        "end": end,
        "samples": count,
        "step": step,
        "axis": "s" if entry.place.units == ("Hz",) else entry.place.units[0],
        **packed_sums(entry, shown, "channel"),
        "marks": [list(span) for span in entry.marks],
        "waves": [_wave(array(entry.x[0, k]), room // (2 * len(shown))) for k in shown],
        "maps": {
            "scales": [{"name": name, "label": labels.get(name, "")} for name in scales],
            **_channel_maps(entry, shown, points),
        },
        "frequencies": _frequencies(entry),
        "scalp": _scalp(entry),
    }
    return View(payload, picture(_small(entry, shown, end), THUMB))


def _wave(wave: Array, points: int) -> dict[str, Any]:
    """The samples; of more than there is room for, the least and the greatest of each stretch, in turn."""
    most = max(100, min(points, WAVE_POINTS))
    if len(wave) <= most:
        return {"each": 1, **signs(wave)}
    starts = np.unique(np.linspace(0, len(wave), most // 2, endpoint=False).astype(int))
    low, high = np.minimum.reduceat(wave, starts), np.maximum.reduceat(wave, starts)
    return {"each": 2, **signs(np.stack([low, high], 1).ravel())}


def _channel_maps(entry: Entry, shown: list[int], points: int) -> dict[str, Any]:
    """γ over time of each channel, `(channel, columns)`: of all scales together, then of each; |γ| of complex ones."""
    a, signed = entry.attribution, not entry.attribution.data.is_complex()
    several = maps.scale_maps(a, signed=signed, by_channel=True)
    all_scales = maps.spatial_map(a, signed=signed, by_channel=True)
    heat = [all_scales, *several.values()] if len(several) > 1 else list(several.values())
    small = [reduced(one[0, shown], points, (1.0,)) for one in heat]
    packed = [signs(array(one)) for one in small]
    return {"shape": list(small[0].shape), "signed": packed, "magnitude": []}


def _frequencies(entry: Entry) -> dict[str, Any] | None:
    """|γ| over time and frequency, of all channels; None where the domain knows no frequencies."""
    from wavelens.plots.parts import scale_end  # matplotlib: only once there is something to draw
    from wavelens.plots.scalogram import has_frequencies

    a, labels = entry.attribution, entry.scale_labels
    if not has_frequencies(a.layout):
        return None
    rows = maps.time_frequency(a, FREQUENCY_COLUMNS)
    values = array(rows.values[0])
    return {
        "end": scale_end(array(rows.cells()[0][0])),
        "shape": list(values.shape),
        "scales": [{"name": name, "label": labels.get(name, "")} for name in scale_names(entry)],
        **placed_rows(rows, 1 / entry.place.spacing[0], list(a.layout.scales())),
        "magnitude": [magnitudes(values)],
        "signed": [],
    }


def _scalp(entry: Entry) -> dict[str, Any] | None:
    """Maps of the scalp for all scales and each, and where the electrodes lie; None where that is not known."""
    if not scalp.located(entry.positions):
        return None
    from wavelens.plots.scalp import REACH, scalp_sums  # matplotlib: only once there is something to draw

    rays, sums, _, shown = scalp_sums(entry.attribution, entry.positions)
    labels, names = entry.scale_labels, scale_names(entry)
    heads = np.nan_to_num(scalp.picture(rays, sums, HEAD_PIXELS, REACH))
    return {
        "end": float(np.abs(sums).max()) or 1.0,
        "reach": REACH,
        "electrodes": np.round(scalp.flattened(rays), 4).tolist(),
        "names": [entry.channels[k] if entry.channels else f"channel {k + 1}" for k in shown],
        "shape": [HEAD_PIXELS, HEAD_PIXELS],
        "scales": [{"name": name, "label": labels.get(name, "")} for name in names],
        "signed": [signs(head) for head in heads],
        "magnitude": [],
    }


def _small(entry: Entry, shown: list[int], end: float) -> Array:
    """Channels under each other, coloured by what supports and what opposes the target, `(3, height, width)`."""
    from wavelens.plots.series import channel_map
    from wavelens.plots.tints import tinted

    heat = array(reduced(channel_map(entry.attribution)[0, shown], THUMB * len(shown), (1.0,)))
    rows = np.repeat(tinted(heat, end), max(1, THUMB // len(shown)), 0)
    return np.moveaxis(rows, -1, 0)


SERIES_VIEW = ReportView("series", 1, show_series, asset("series.js"))
"""How a report shows time series."""
