"""What all views share: `ReportView`, and the maps of the scales, packed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from torch import Tensor

from wavelens import maps
from wavelens.core import Band, Coefficients
from wavelens.reports.packing import Array, magnitudes, reduced, signs

if TYPE_CHECKING:  # an entry knows its view
    from wavelens.reports.entry import Entry

THUMB = 112  # pixels of the longer side of a picture in the index


class View(NamedTuple):
    """What the page's script draws, and a small picture of it for the index as a data URI."""

    payload: dict[str, Any]
    thumb: str


@dataclass(frozen=True, eq=False)
class ReportView:
    """How a report shows the entries of one kind of signal, which have `axes` axes.

    `show(entry, room)` gives the `View` of an entry, in about `room` numbers. `script` is JavaScript that sets
    `VIEWS.name` to a function `(data, state, place, more)`: it fills the element `place`, and `more` below it, from
    the view's payload `data`, with what the assets `base.js`, `overlay.js`, `mosaic.js`, `panes.js` and `sums.js` have.
    Its names are its own. A `wide` view takes the whole width of the page.
    """

    name: str
    axes: int
    show: Callable[[Entry, int], View]
    script: str = field(repr=False)
    wide: bool = False

    def __post_init__(self) -> None:
        if not re.search(rf"\bVIEWS(\.|\[[\"'`]){re.escape(self.name)}\b", self.script):
            raise ValueError(
                f"the script of a view sets VIEWS.{self.name} to a function (data, state, place, more); this one does "
                "not."
            )
        if "</script" in self.script.lower():
            raise ValueError("a script inside a page cannot hold '</script'. Write '<\\/script' in its texts.")


def asset(name: str) -> str:
    """A file of `reports/assets`."""
    return (files("wavelens.reports") / "assets" / name).read_text(encoding="utf-8").strip()


def scale_names(entry: Entry) -> list[str]:
    """All scales together, then each, coarsest first; one alone is all there is."""
    names = list(entry.attribution.layout.scales())
    return ["all scales", *names] if len(names) > 1 else names


def packed_maps(entry: Entry, room: int, step: tuple[float, ...]) -> dict[str, Any]:
    """`maps.scale_maps` of |γ| and with signs, and their sums, by the names of the scales."""
    a = entry.attribution
    kinds = (False,) if a.data.is_complex() else (False, True)
    heat = {sign: {"all scales": maps.spatial_map(a, signed=sign), **maps.scale_maps(a, signed=sign)} for sign in kinds}
    names, labels = scale_names(entry), entry.scale_labels
    points = room // (2 * len(names))
    small = {sign: [reduced(heat[sign][name][0], points, step) for name in names] for sign in heat}
    return {
        "shape": list(small[False][0].shape),
        "scales": [{"name": name, "label": labels.get(name, "")} for name in names],
        "magnitude": [magnitudes(array(values)) for values in small[False]],
        "signed": [signs(array(values)) for values in small.get(True, [])],
    }


def packed_mosaic(a: Coefficients, room: int) -> dict[str, Any] | None:
    """The mosaic of |γ| for each sample, the largest value along axes before the last two, and where its bands lie.

    Bands without detail along the last two axes lie behind the others and are not named. None in domains without one.
    """
    if not maps.has_mosaic(a.layout):
        return None
    whole = maps.mosaic(maps.density(a))[0, 0]
    whole = whole.reshape(-1, *whole.shape[-2:]).amax(0)
    values = reduced(whole, room, (1.0, 1.0))
    places, bands = maps.mosaic_slices(a.layout), {}
    for scale, members in a.layout.scales().items():
        for band in members:
            if "d" in band.key[-2:] or not band.is_detail:
                rows, columns = places[band][-2:]
                box = (columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
                bands[box] = {"name": str(Band(band.level, band.key[-2:], ())), "scale": scale, "box": box}
    return {"shape": [*values.shape], "whole": [*whole.shape], "bands": [*bands.values()], **magnitudes(array(values))}


def packed_sums(entry: Entry, shown: Sequence[int], noun: str) -> dict[str, Any]:
    """The signed sum of each scale in each channel that is shown, of complex gradients its share of Σ|γ|."""
    a, profile = entry.attribution, maps.profile(entry.attribution, by_channel=True)
    sums = (profile.share if a.data.is_complex() else profile.signed)[0, list(shown)]
    names = entry.channels or tuple(f"{noun} {k + 1}" for k in range(entry.x.shape[1]))
    return {
        "noun": noun,
        "channels": [names[k] for k in shown],
        "total": len(names),
        "sums": [[float(f"{value:.4g}") for value in row] for row in sums.tolist()],
        "shares": a.data.is_complex(),
    }


def packed_rose(a: Coefficients) -> dict[str, Any] | None:
    """Shares of |γ| by the orientation of lines, in place of a mosaic; None in domains that know none."""
    if maps.has_mosaic(a.layout) or not maps.has_rose(a.layout):
        return None
    from wavelens.plots.parts import scale_shades  # matplotlib: only once there is something to draw

    shares = maps.rose(a)
    shades = ["#" + "".join(f"{round(255 * part):02x}" for part in shade) for shade in scale_shades(len(shares.names))]
    share = [[round(value, 6) for value in row] for row in shares.share[0].tolist()]
    return {"names": list(shares.names), "shades": shades, "share": share}


def array(values: Tensor) -> Array:
    result: Array = values.detach().cpu().double().numpy()
    return result


def glowing(x: Array, heat: Array, end: float) -> Array:
    """A picture `(channel, height, width)` with a map over it, `(3, height, width)`, as in the panels."""
    from wavelens.plots.parts import glow  # matplotlib: only once there is something to draw

    return np.moveaxis(glow(x, np.sqrt((heat / end).clip(0, 1))), -1, 0)
