"""What each scale contributes, in the input's own look: the picture rebuilt from its important coefficients.

Two rows per attribution: what is there so far, from the coarsest scale to the finest, and each scale alone. Details
alone are shown around middle grey, with one contrast in the whole figure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from torch import Tensor

from wavelens.core import Coefficients, one_item
from wavelens.grid import Grid
from wavelens.maps import spatial_map
from wavelens.masks import Decomposed, decompose, magnitude, top
from wavelens.masks.ranking import Reduce
from wavelens.plots.figure import Figure
from wavelens.plots.parts import (
    DPI,
    GAP,
    HEADER,
    INK,
    MARGIN,
    SHARE,
    WIDTH,
    Array,
    Frame,
    add_axes,
    array,
    title_of,
    write_header,
)
from wavelens.wording import in_words

UPPER, LOWER = 0.3, 0.52  # inches above a picture for a caption of one line or two
NAME = 0.45  # inches above the rows of an attribution, for what it is
STRONG = 99.5  # percentile of the details' values that is black or white
MAX_COLUMNS = 9  # pictures in a row; more scales go on below
WINDOW = (0.5, 99.5)  # percentiles of a volume's values that are black and white


class Look(NamedTuple):
    """How values are shown: `low` is black and `high` white; details are `gain` times as strong, around grey."""

    low: float
    high: float
    gain: float

    def whole(self, values: Array) -> Array:
        shown: Array = ((values - self.low) / (self.high - self.low)).clip(0, 1)
        return shown

    def detail(self, values: Array) -> Array:
        shown: Array = (0.5 + self.gain * values / (self.high - self.low)).clip(0, 1)
        return shown


def decomposed(
    attributions: Coefficients | Sequence[Coefficients],
    x: Tensor,
    fraction: float | Fraction = 0.02,
    *,
    item: int = 0,
    title: str = "",
    grid: Grid | None = None,
    reduce: Reduce = magnitude,
) -> Figure:
    """The input rebuilt from its `fraction` most important coefficients, scale after scale, for each attribution.

    `attributions` differ in their wavelet or in their method; `wavelens.attribute(…, domain=[…])` gives several from
    one pass. `x` is what was explained, `(batch, channel, *axes)`: photos with 1 or 3 channels and values in [0, 1];
    volumes and videos are shown by the plane across their first axis that holds most of the first attribution's |γ|.
    The upper row of each has what is there so far, the lower one each scale alone and, below the input, what was
    dropped: the lower row adds up to the input. More than eight scales go on in further pairs of rows.
    `reduce` says what is ranked, as in `masks.top`.
    """
    several = [attributions] if isinstance(attributions, Coefficients) else list(attributions)
    check_pictures(several, x)
    ranked, one = [one_item(a, item) for a in several], x[item][None]
    parts = [decompose(one, top(c, fraction, reduce=reduce)) for c in ranked]
    place = plane(ranked[0])
    look = _look(one, parts, place)
    counts = [1 + len(part.alone) for part in parts]
    lines = [-(-count // MAX_COLUMNS) for count in counts]
    columns = max(-(-count // rows) for count, rows in zip(counts, lines, strict=True))
    side = (WIDTH - 2 * MARGIN - GAP * (columns - 1)) / columns
    height = side * min(max(x.shape[-2] / x.shape[-1], 0.3), 2.0)
    line = UPPER + LOWER + 2 * height
    blocks = [NAME + rows * line for rows in lines]
    figure = Figure((WIDTH, HEADER + sum(blocks) + GAP), dpi=DPI, facecolor="white")
    write_header(figure, title or title_of(several[0]), _account(fraction, look, place, x))
    for k, (a, part) in enumerate(zip(several, parts, strict=True)):
        head = HEADER + sum(blocks[:k])
        _name(
            figure, " · ".join(in_words(value) for value in (a.layout.domain, getattr(a, "method", "")) if value), head
        )
        titles = (grid or Grid.plain(x.ndim - 2)).titles(a.layout)
        for number, pictures in enumerate(_columns(part, titles, flat(one, place), look, place)):
            row, column = divmod(number, columns)
            left, first = MARGIN + column * (side + GAP), head + NAME + row * line + UPPER
            for above, (caption, shown) in zip((first, first + height + LOWER), pictures, strict=True):
                _draw(figure, Frame(left, above, side, height), caption, shown)
    return figure


def _columns(
    part: Decomposed, titles: dict[str, str], signal: Array, look: Look, place: int | None
) -> Iterator[tuple[tuple[str, Array], tuple[str, Array]]]:
    """The upper and the lower picture of each column, each with its caption."""
    details = all(
        part.scales[name].is_detail or float(kept) == 1 for name, kept in part.kept.items()
    )  # all that is dropped
    dropped = (look.detail if details else look.whole)(flat(part.dropped, place))
    yield ("input", look.whole(signal)), ("dropped", dropped)
    plus = ""
    for name, so_far in part.so_far.items():
        show = look.detail if part.scales[name].is_detail else look.whole
        caption = f"{titles[name]}\n{100 * float(part.kept[name]):.3g} % of it kept"
        yield (f"{plus}{name}", look.whole(flat(so_far, place))), (caption, show(flat(part.alone[name], place)))
        plus = "… + "


def _draw(figure: Figure, box: Frame, caption: str, shown: Array) -> None:
    ax = add_axes(figure, box, "")
    ax.set_title(caption, size=min(11, 110 * box.width / max(map(len, caption.split("\n")))), loc="left", color=INK)
    ax.imshow(shown if shown.shape[-1] == 3 else shown[..., 0], cmap="gray", vmin=0, vmax=1, aspect="auto")


def check_pictures(several: list[Coefficients], x: Tensor) -> None:
    if not several:
        raise ValueError(
            "attributions must be one attribution or several; got none. Take them from wavelens.attribute."
        )
    for a in several:
        axes = a.layout.signal_shape
        if a.data.ndim != 3 or len(axes) not in (2, 3):
            raise ValueError(
                f"pictures are drawn of attributions (batch, channel, size) with 2 or 3 axes; got "
                f"{tuple(a.data.shape)} with axes {axes}. For other signals there is masks.decompose."
            )
        if tuple(x.shape[2:]) != axes or len(x) != len(a.data):
            raise ValueError(
                f"x must be the explained signal ({len(a.data)}, channel, {', '.join(map(str, axes))}); got "
                f"{tuple(x.shape)}. Pass the x that was attributed, at the resolution that the model saw."
            )


def plane(c: Coefficients) -> int | None:
    """The plane across the first of three axes that holds most of |γ|."""
    heat = spatial_map(c)[0]
    return int(heat.flatten(1).sum(1).argmax()) if heat.ndim == 3 else None


def flat(x: Tensor, place: int | None) -> Array:
    """The picture of one item, `(height, width, 1 or 3)`."""
    values = array(x[0] if place is None else x[0, :, place])
    return np.moveaxis(values if len(values) == 3 else values.mean(0, keepdims=True), 0, -1)


def _look(x: Tensor, parts: list[Decomposed], place: int | None) -> Look:
    low, high = window(array(x), place)
    shown = [flat(one, place) for part in parts for name, one in part.alone.items() if part.scales[name].is_detail]
    sizes = np.concatenate([np.abs(one[one != 0]) for one in shown]) if shown else np.empty(0)
    strong = float(np.percentile(sizes, STRONG)) if sizes.size else 0.0
    return Look(low, high, max(1.0, 0.5 * (high - low) / strong) if strong else 1.0)


def window(values: Array, place: int | None) -> tuple[float, float]:
    """What is black and what is white: of photos 0 and 1, of volumes what nearly all values lie between."""
    low, high = (0.0, 1.0) if place is None else map(float, np.percentile(values, WINDOW))
    return (low, high) if high > low else (float(values.min()), float(values.max()) + float(np.ptp(values) == 0))


def _account(fraction: float | Fraction, look: Look, place: int | None, x: Tensor) -> str:
    plane = [] if place is None else [f"plane {place + 1} of {x.shape[2]} across axis 1"]
    kept = f"{100 * float(fraction):.3g} % of the coefficients, those with the largest |γ|"
    return " · ".join([kept, f"details alone: contrast × {look.gain:.2g} around grey", *plane])


def _name(figure: Figure, text: str, top: float) -> None:
    width, height = figure.get_size_inches()
    figure.text(MARGIN / width, 1 - (top + 0.25) / height, text, size=12, va="center", color=SHARE)
