"""What a notebook shows of an attribution that a cell ends with.

An attribution cannot draw itself, since drawing stands above it; so `install` gives it its display from here.
"""

from __future__ import annotations

import base64
import io

from wavelens import maps
from wavelens.attribution import Attribution
from wavelens.core import Coefficients
from wavelens.reports.entry import per_target
from wavelens.reports.markup import joined, tag
from wavelens.reports.numerals import percent, signed
from wavelens.reports.text import account

MAX_SHOWN = 3  # items and targets that are shown


def install() -> None:
    """Lets attributions show themselves in notebooks, as HTML and as a picture."""
    for name, shown in (("_repr_html_", html), ("_repr_png_", png)):
        setattr(Attribution, name, shown)


def html(a: Attribution) -> str:
    """The mosaic, the profile and what it adds up to, for the first items and targets."""
    shown = [(one, item) for one in per_target(a) for item in range(len(one.data))]
    pieces = [_piece(one, item, len(one.data)) for one, item in shown[:MAX_SHOWN]]
    more = len(shown) - len(pieces)
    rest = tag("p", f"… and {more} more; wl.plots and wl.report show them.") if more else None
    return tag("div", *pieces, rest, class_="wavelens")


def png(a: Attribution) -> bytes:
    """The mosaic and the profile of the first item and target."""
    return _drawn(per_target(a)[0], 0)


def _piece(a: Attribution, item: int, count: int) -> str:
    profile = maps.profile(a)
    shares = zip(profile.names, profile.share[item].tolist(), profile.signed[item].tolist(), strict=True)
    text = "; ".join(f"{name}: {percent(share)} of |γ|, signed sum {signed(total)}" for name, share, total in shares)
    which = f", item {item + 1} of {count}" if count > 1 else ""
    picture = "data:image/png;base64," + base64.b64encode(_drawn(a, item)).decode()
    return joined(
        tag(
            "p",
            tag("b", f"target {a.item(item).target}{which}"),
            f" · {a.method} · {a.domain!r}",
            tag("br"),
            account(a, item),
        ),
        tag("img", src=picture, alt=text, style="max-width:100%"),
    )


def _drawn(a: Coefficients, item: int) -> bytes:
    from wavelens import plots  # matplotlib: only once there is something to draw

    file = io.BytesIO()
    plots.thumbnail(a, item).savefig(file, format="png")
    return file.getvalue()
