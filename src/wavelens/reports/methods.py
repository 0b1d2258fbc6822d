"""Methods and explainers side by side, as a card of a report: where each finds the decision, and by which scales."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wavelens import maps
from wavelens.core import Coefficients
from wavelens.own import text_of
from wavelens.reports.entry import Entry
from wavelens.reports.marginal import SIDE, captioned, cloud_picture, course
from wavelens.reports.markup import Html, joined, tag
from wavelens.reports.numerals import percent
from wavelens.reports.packing import picture
from wavelens.reports.tables import headings
from wavelens.reports.views.photo import in_unit_range
from wavelens.reports.views.view import array, glowing


def methods_card(entry: Entry) -> Html:
    """The maps of the entry's method and of its further ones; shares by scale where the domain is the same."""
    several = [entry.attribution, *entry.further_methods]
    return tag(
        "section",
        tag("h3", "Methods side by side"),
        tag("div", *(_picture(entry, one) for one in several), class_="strip wide"),
        _shares(several),
        tag(
            "p",
            "Each map shows |γ| of one method on its own colour scale, since methods have different units. Brightness "
            "can be compared within a map, but not between maps.",
            class_="hint",
        ),
        class_="card",
    )


def _picture(entry: Entry, one: Coefficients) -> Html:
    """The map of a method over the input: a picture, the fullest plane across the first axis, or a course."""
    heat = array(maps.spatial_map(one)[0])
    caption = joined(tag("b", _name(one)), f" in {text_of(one.layout.domain)}")
    if not maps.has_places(one.layout):
        return captioned(joined(), joined(caption, ", whose coefficients have no places"))
    if entry.place.scattered:
        return captioned(tag("img", src=cloud_picture(entry.x, heat), alt=_name(one)), caption)
    if heat.ndim == 1:
        return captioned(course(heat, np.zeros_like(heat)), caption)
    if heat.ndim > 3:
        return captioned(joined(), caption)
    from wavelens.plots.parts import scale_end  # matplotlib: only once there is something to draw

    x = array(in_unit_range(entry.x)[0])
    if heat.ndim == 3:
        place = int(heat.sum((1, 2)).argmax())
        x, heat = x[:, place], heat[place]
    return captioned(tag("img", src=picture(glowing(x, heat, scale_end(heat)), SIDE), alt=_name(one)), caption)


def _shares(several: Sequence[Coefficients]) -> Html | None:
    """The share of each scale by each method in the domain of the first; None where no other method has it."""
    first = several[0]
    alike = [one for one in several if tuple(one.layout.scales()) == tuple(first.layout.scales())]
    if len(alike) < 2 or len(first.layout.scales()) < 2:
        return None
    shares = [maps.profile(one).share[0].tolist() for one in alike]
    rows = [
        tag("tr", tag("th", name, scope="row"), *(tag("td", percent(share[k]), class_="number") for share in shares))
        for k, name in enumerate(first.layout.scales())
    ]
    return tag(
        "table",
        tag("thead", headings("share of |γ|", *map(_name, alike))),
        tag("tbody", *rows),
        class_="methods",
    )


def _name(one: Coefficients) -> str:
    """The method without its options."""
    return str(getattr(one, "method", "")).partition("(")[0] or "attribution"
