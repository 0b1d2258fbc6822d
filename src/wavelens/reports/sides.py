"""A text beside its signal: coloured words, where each is answered, and which scale it counts with."""

from __future__ import annotations

from typing import Any

from wavelens import accounts, maps
from wavelens.pairs import BothSides, WordsByScale
from wavelens.pairs.maps import heats_of
from wavelens.pairs.telling import sentences
from wavelens.reports.entry import Entry
from wavelens.reports.markup import Html, tag
from wavelens.reports.packing import reduced, signs
from wavelens.reports.tables import headings
from wavelens.reports.views.view import array

SHOWN_AXES = 2  # of a signal whose maps by word are shown
ACCOUNT = (
    "Signal and words lie on one path: from an empty signal and a text whose words say nothing to both as they are. A "
    "word is the sum of its tokens, and signal and words together add up to f(x) − f(x₀)."
)
MAPS = (
    "Point at a word to see where the signal answers it: what word and place share in the score, orange where they "
    "fit, striped blue where they do not. Without a word it is that of all."
)
TABLE = (
    "Shapley values of words and scales, which together add up to f(x) − f(x₀), and how each pair interacts: above "
    "zero a word and a scale count together, below zero one stands in for the other."
)


def sides_card(both: BothSides) -> Html:
    """The text with its words coloured by what each adds; below it maps, which the page's script draws, and a table."""
    return tag(
        "section",
        tag(
            "div",
            tag("h3", "The words"),
            _text(both),
            *(tag("p", text, class_="reading") for text in sentences(both)),
            tag("p", ACCOUNT, class_="hint"),
            _table(both.by_scale) if both.by_scale is not None else None,
        ),
        tag("div", tag("p", MAPS, class_="hint"), class_="answered") if both.maps is not None else None,
        class_="card sided",
    )


def packed_sides(entry: Entry, room: int) -> dict[str, Any]:
    """Signed maps of each word and of all together, for the page's script; none of signals that it cannot draw."""
    both = entry.sides
    assert both is not None
    word_maps = both.maps
    if word_maps is None or len(word_maps.layout.signal_shape) > SHOWN_AXES or not maps.has_places(word_maps.layout):
        return {"maps": []}
    heats = heats_of(word_maps)
    heats = reduced(heats, room // len(heats), (1.0,) * (heats.ndim - 1))
    from wavelens.plots.parts import scale_end  # matplotlib: only once there is something to draw

    end = scale_end(array(heats.abs()))
    return {"maps": [signs(array(one)) for one in heats], "shape": [*heats.shape[1:]], "end": end}


def _text(both: BothSides) -> Html:
    account = both.account
    values = account.values.tolist()
    top = max(map(abs, values), default=0.0) or 1.0
    texts = accounts.aligned(values)
    pieces = [
        tag(
            "button",
            word,
            tag("small", text),
            type="button",
            class_=f"term {'for' if value >= 0 else 'against'}",
            style=f"--part:{100 * abs(value) / top:.0f}%",
            data_term=str(k),
        )
        for k, (word, value, text) in enumerate(zip(account.words, values, texts, strict=True))
    ]
    return tag("p", *pieces, class_="terms")


def _table(by_scale: WordsByScale) -> Html:
    """A row per word: its Shapley value, and its interaction with each scale."""
    table, values = by_scale.interaction, by_scale.word_values.tolist()
    top = max(float(table.abs().max()), *map(abs, values)) or 1.0
    texts = accounts.aligned(table.T.flatten().tolist(), values)
    ends, count = accounts.aligned(values, values), len(by_scale.scales)
    rows = [
        tag(
            "tr",
            tag("th", word, scope="row"),
            *(_cell(float(table[i, k]), texts[count * k + i], top) for i in range(count)),
            tag("td", ends[k], class_="end"),
            data_term=str(k),
        )
        for k, word in enumerate(by_scale.words)
    ]
    return tag(
        "div",
        tag("h3", "Which word counts with which scale"),
        tag(
            "table", tag("thead", headings("", *by_scale.scales, "Shapley value")), tag("tbody", *rows), class_="pairs"
        ),
        tag("p", TABLE, class_="hint"),
        class_="matrix",
    )


def _cell(value: float, text: str, top: float) -> Html:
    side = "for" if value > 0 else "against"
    return tag("td", text, class_=f"pair {side}", style=f"--part:{100 * abs(value) / top:.0f}%")
