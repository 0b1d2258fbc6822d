"""A text beside its signal: coloured words, where each is answered, and which scale it counts with."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Any

from wavelens import accounts, maps
from wavelens.pairs import BothSides, PairAccount, TextAccount, WordsByScale
from wavelens.pairs.maps import heats_of
from wavelens.pairs.telling import sentences
from wavelens.reports.entry import Entry
from wavelens.reports.markup import Html, tag
from wavelens.reports.numerals import signed
from wavelens.reports.packing import reduced, signs
from wavelens.reports.tables import bar, headings, matrix_class
from wavelens.reports.views.view import array

SHOWN_AXES = 2  # of a signal whose maps by word are shown
ACCOUNT = (
    "Signal and words lie on one path, from an empty signal and a text of neutral words to both as they are. A word "
    "is the sum of its tokens, and signal and words together add up to f(x) − f(x₀)."
)
MAPS = (
    "Point at a word to see where the signal answers it: what word and place share in the score, orange where they "
    "fit, striped blue where they do not. Without one, all words are shown."
)
AGAINST = (
    "The score is the difference of two texts' scores. A word of the text against it counts with what it adds to that "
    "difference."
)
PARTS = (
    "What sentences, phrases, words and pieces of words tell apart, as far as the text has them; “document” is what "
    "all its words have in common. Point at a scale to see the words in its colours: a coefficient lies evenly over "
    "the words that it is of."
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
            *_texts(both.account),
            *(tag("p", text, class_="reading") for text in sentences(both)),
            tag("p", ACCOUNT, class_="hint"),
            _table(both.by_scale, both.account) if both.by_scale is not None else None,
            _parts(both.account) if len(both.account.parts) > 1 else None,
        ),
        tag("div", tag("p", MAPS, class_="hint"), class_="answered") if both.maps is not None else None,
        class_="card sided",
    )


def packed_sides(entry: Entry, room: int) -> dict[str, Any]:
    """For the page's script: what each scale of the text adds over its words, and signed maps of each and all words.

    There are no maps of signals that it cannot draw.
    """
    both = entry.sides
    assert both is not None
    word_maps = both.maps
    parts = {"parts": _part_values(both.account)}
    if word_maps is None or len(word_maps.layout.signal_shape) > SHOWN_AXES or not maps.has_places(word_maps.layout):
        return {**parts, "maps": []}
    heats = heats_of(word_maps)
    heats = reduced(heats, room // len(heats), (1.0,) * (heats.ndim - 1))
    from wavelens.plots.parts import scale_end  # matplotlib: only once there is something to draw

    end = scale_end(array(heats.abs()))
    return {**parts, "maps": [signs(array(one)) for one in heats], "shape": [*heats.shape[1:]], "end": end}


def _part_values(account: PairAccount) -> dict[str, list[float]]:
    """What each scale of the texts adds over each of the words; 0 where a text has no such scale."""
    return {
        name: [v for one in account.texts for v in one.by_part.get(name, one.values.new_zeros(len(one.words))).tolist()]
        for name in account.parts
    }


def _texts(account: PairAccount) -> list[Html]:
    """The words, and below a line those of a text against it."""
    top, texts = float(account.values.abs().max()) or 1.0, accounts.aligned(account.values.tolist())
    starts = pairwise(accumulate((len(one.words) for one in account.texts), initial=0))
    shown = [_text(one, start, texts, top) for one, (start, _) in zip(account.texts, starts, strict=True)]
    if not account.against:
        return shown
    return [shown[0], tag("p", "against", class_="versus"), shown[1], tag("p", AGAINST, class_="hint")]


def _text(one: TextAccount, start: int, texts: list[str], top: float) -> Html:
    """The words of a text, of which the first has the number `start`; the strongest colour is of `top`."""
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
        for k, (word, value) in enumerate(zip(one.words, one.values.tolist(), strict=True), start)
        for text in [texts[k]]
    ]
    return tag("p", *pieces, class_="terms")


def _parts(account: PairAccount) -> Html:
    """A row per scale of the text: its signed sum, and that of the text against it."""
    parts = account.parts
    top = max(abs(value) for values in parts.values() for value in values)
    rows = [
        tag(
            "tr",
            tag("th", tag("button", name, type="button", data_part=name), scope="row"),
            *(
                tag("td", bar(v, top, "for" if v >= 0 else "against"), tag("span", signed(v)), class_="measure")
                for v in values
            ),
        )
        for name, values in parts.items()
    ]
    titles = ["signed sum", *["of the text against it"] * bool(account.against)]
    return tag(
        "div",
        tag("h3", "The text scale by scale"),
        tag("table", tag("thead", headings("scale", *titles)), tag("tbody", *rows), class_="profile"),
        tag("p", PARTS, class_="hint"),
        class_="matrix",
    )


def _table(by_scale: WordsByScale, account: PairAccount) -> Html:
    """A row per word: its Shapley value, and its interaction with each scale; words of a text against it come last."""
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
    own, head = len(account.texts[0].words), tag("thead", headings("", *by_scale.scales, "Shapley value"))
    bodies = [tag("tbody", *part) for part in (rows[:own], rows[own:]) if part]
    return tag(
        "div",
        tag("h3", "Which word counts with which scale"),
        tag("table", head, *bodies, class_=matrix_class(by_scale.scales)),
        tag("p", TABLE, class_="hint"),
        class_="matrix",
    )


def _cell(value: float, text: str, top: float) -> Html:
    side = "for" if value > 0 else "against"
    return tag("td", text, class_=f"pair {side}", style=f"--part:{100 * abs(value) / top:.0f}%")
