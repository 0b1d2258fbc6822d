"""What several domains say together, as a card of a report: shares with their spread, and where the maps agree."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from torch import Tensor

from wavelens import maps
from wavelens.core import Coefficients
from wavelens.counts import with_minus
from wavelens.marginal import short_names
from wavelens.reports.entry import Entry
from wavelens.reports.markup import Html, tag
from wavelens.reports.numerals import percent, unbroken
from wavelens.reports.packing import Array, picture
from wavelens.reports.tables import bar, headings
from wavelens.reports.views.photo import in_unit_range
from wavelens.reports.views.view import array, glowing

SIDE, COLUMNS, HEIGHT = 480, 400, 60  # pixels of a picture, points of a course, its height in the points' unit


def marginal_card(entry: Entry) -> Html:
    """The marginal account over the domains of an entry, or why there is none."""
    several = [entry.attribution, *entry.further]
    title = tag("h3", f"{len(several)} domains together")
    try:
        account = maps.marginal(several)
    except ValueError as error:
        return tag("section", title, tag("p", f"There is no common account: {error}", class_="hint"), class_="card")
    return tag(
        "section",
        title,
        tag(
            "table",
            tag("thead", headings("scale", "share of |γ|, mean ± spread", "signed sum, mean ± spread")),
            tag("tbody", *_rows(entry, account, several)),
            class_="profile together",
        ),
        tag("div", *_pictures(entry, account), class_="strip wide"),
        tag(
            "p",
            "Spread is the standard deviation from one domain to another: how much of a share is due to the domain. "
            "Scales that some domains do not separate are added up.",
            class_="hint",
        ),
        class_="card",
    )


def _rows(entry: Entry, account: maps.Marginal, several: Sequence[Coefficients]) -> list[Html]:
    share, spread, total, wide = (
        values[0].tolist() for values in (account.share, account.share_spread, account.signed, account.signed_spread)
    )
    largest = max((abs(value) for value in total if not math.isnan(value)), default=0.0) or 1.0
    names = short_names([c.layout.domain for c in several])
    rows = []
    for k, (name, extent) in enumerate(zip(account.names, account.extents, strict=True)):
        own = ", ".join(
            f"{one} {percent(float(account.shares[j, 0, k]))}".replace(" ", "\N{NO-BREAK SPACE}")
            for j, one in enumerate(names)
        )
        side = "for" if total[k] >= 0 else "against"
        rows.append(
            tag(
                "tr",
                tag("th", tag("b", name), " ", tag("small", unbroken(entry.place.label(extent))), scope="row"),
                tag(
                    "td",
                    bar(share[k], max(share)),
                    tag("span", f"{percent(share[k])} ± {100 * spread[k]:.2g}"),
                    tag("small", own),
                    class_="measure",
                ),
                tag(
                    "td",
                    bar(total[k], largest, side),
                    tag("span", "—" if math.isnan(total[k]) else with_minus(f"{total[k]:+.3g} ± {wide[k]:.2g}")),
                    class_="measure",
                ),
            )
        )
    return rows


def _pictures(entry: Entry, account: maps.Marginal) -> list[Html]:
    """The mean of the maps and their spread: over pictures, or as courses along one axis."""
    mean, spread = array(account.place[0]), array(account.place_spread[0])
    if entry.place.scattered:
        pairs = (("maps, mean", mean), ("maps, spread", spread))
        return [captioned(tag("img", src=cloud_picture(entry.x, heat), alt=name), name) for name, heat in pairs]
    if mean.ndim == 1:
        return [captioned(course(mean, spread), "mean of the maps over time, and one spread around it")]
    if mean.ndim > 3 or not mean.any():
        return []
    from wavelens.plots.parts import scale_end  # matplotlib: only once there is something to draw

    place = int(mean.sum((1, 2)).argmax()) if mean.ndim == 3 else None
    x = array(in_unit_range(entry.x)[0])
    behind, where = (x, "") if place is None else (x[:, place], f", plane {place + 1} across axis 1")
    end = scale_end(mean)
    return [
        captioned(
            tag("img", src=picture(glowing(behind, heat if place is None else heat[place], end), SIDE), alt=name), name
        )
        for name, heat in ((f"maps, mean{where}", mean), (f"maps, spread{where}", spread))
    ]


def cloud_picture(x: Tensor, heat: Array) -> str:
    """A map of the points of a cloud `(1, channel, points)`, as a data URI."""
    from wavelens.plots.cloud import picture_of  # matplotlib: only once there is something to draw

    return picture(picture_of(array(x[0, :3]), heat, SIDE), SIDE)


def captioned(inside: Html, caption: str) -> Html:
    """A picture with a line below it."""
    return tag("figure", inside, tag("small", caption), class_="tile")


def course(mean: Array, spread: Array) -> Html:
    """A line with a band, in the colours of the page."""
    low, high, middle = (_binned(values) for values in (mean - spread, mean + spread, mean))
    top = float(high.max()) or 1.0
    across = np.linspace(0, COLUMNS, len(middle))
    outline = [*zip(across, high, strict=True), *zip(across[::-1], low[::-1].clip(0), strict=True)]
    return tag(
        "svg",
        tag("polygon", points=_points(outline, top), class_="band"),
        tag("polyline", points=_points(zip(across, middle, strict=True), top), class_="line"),
        viewBox=f"0 0 {COLUMNS} {HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label="mean and spread of the maps",
        class_="course-of",
    )


def _binned(values: Array) -> Array:
    """Means over at most `COLUMNS` even stretches."""
    starts = np.unique(np.linspace(0, len(values), min(len(values), COLUMNS), endpoint=False).astype(int))
    means: Array = np.add.reduceat(values, starts) / np.diff([*starts, len(values)])
    return means


def _points(places: Iterable[tuple[float, float]], top: float) -> str:
    return " ".join(f"{x:.1f},{HEIGHT * (1 - y / top):.1f}" for x, y in places)
