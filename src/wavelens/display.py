"""How a notebook shows the result of a cell: attributions, profiles, verdicts, explanations, entries.

They cannot draw themselves, since drawing stands above them; so `install` gives them their display from here.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

from wavelens import maps
from wavelens.attribution import Attribution
from wavelens.checks.verdict import Findings, Verdict
from wavelens.core import Coefficients
from wavelens.explaining.answer import Explanation
from wavelens.reports.entry import Entry, per_target
from wavelens.reports.markup import Html, joined, tag
from wavelens.reports.numerals import percent, signed
from wavelens.reports.page import page, section
from wavelens.reports.tables import headings
from wavelens.reports.text import account
from wavelens.wording import in_words, target_in_words

MAX_SHOWN = 3  # items and targets that are shown
MAX_ROWS = 20  # items of a profile
INLINE_HEIGHT = 760  # pixels of a report in a cell


def install() -> None:
    """Lets results show themselves in notebooks, as HTML, attributions as a picture too."""
    Attribution._repr_html_ = html  # type: ignore[attr-defined]
    Attribution._repr_png_ = png  # type: ignore[attr-defined]
    maps.Profile._repr_html_ = profile_html  # type: ignore[attr-defined]
    Findings._repr_html_ = findings_html  # type: ignore[attr-defined]
    Verdict._repr_html_ = verdict_html  # type: ignore[attr-defined]
    Entry._repr_html_ = report_html  # type: ignore[attr-defined]
    Explanation._repr_html_ = explanation_html  # type: ignore[attr-defined]


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


def profile_html(profile: maps.Profile) -> str:
    """The signed sum and the share of each scale, one row per item, or per item and channel."""
    sums, shares = (values.detach().flatten(0, -2) for values in (profile.signed, profile.share))
    channels = profile.signed.shape[1] if profile.signed.ndim == 3 else 1
    rows = []
    for k, (own, parts) in enumerate(zip(sums[:MAX_ROWS].tolist(), shares[:MAX_ROWS].tolist(), strict=True)):
        where = f"item {k // channels}" + (f", channel {k % channels}" if channels > 1 else "")
        cells = [f"{signed(total)} ({percent(part)})" for total, part in zip(own, parts, strict=True)]
        rows.append([where, *cells])
    rest = len(sums) - len(rows)
    more = tag("p", f"… and {rest} more; to_frame() has all.") if rest else None
    return joined(_table(["signed sum (share of |γ|)", *profile.names], rows), more)


def findings_html(findings: Findings) -> str:
    """One row per verdict: its status, what was found and what to do."""
    rows = [[one.status, one.check, one.finding, one.remedy] for one in findings.verdicts]
    return _table(["verdict", "check", "finding", "remedy"], rows)


def verdict_html(verdict: Verdict) -> str:
    """The row of one verdict."""
    return findings_html(Findings((verdict,)))


def report_html(entry: Entry) -> str:
    """The report of an entry, in a frame of its own."""
    style = f"width:100%;height:{INLINE_HEIGHT}px;border:0"
    return tag("iframe", srcdoc=str(page([section(entry)])), sandbox="allow-scripts", style=style, title=entry.name)


def explanation_html(explanation: Explanation) -> str:
    """The report of an explanation, in a frame of its own."""
    return report_html(explanation.entry())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    body = [tag("tr", *(tag("td", cell) for cell in row)) for row in rows]
    return tag("table", tag("thead", headings(*head)), tag("tbody", *body), class_="wavelens")


def _piece(a: Attribution, item: int, count: int) -> str:
    profile = maps.profile(a)
    shares = zip(profile.names, profile.share[item].tolist(), profile.signed[item].tolist(), strict=True)
    text = "; ".join(f"{name}: {percent(share)} of |γ|, signed sum {signed(total)}" for name, share, total in shares)
    which = f", item {item + 1} of {count}" if count > 1 else ""
    picture = "data:image/png;base64," + base64.b64encode(_drawn(a, item)).decode()
    return joined(
        tag(
            "p",
            tag("b", f"target {target_in_words(a.item(item).target)}{which}"),
            f" · {in_words(a.method)} · {in_words(a.domain)}",
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
