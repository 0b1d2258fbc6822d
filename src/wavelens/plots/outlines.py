"""Outlines over a picture: solid and orange around what is explained, dashed and white around what stands beside it."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from wavelens.outlines import Outline
from wavelens.plots.parts import INK, POSITIVE, literal

TEXT_SIZE = 9.0


def draw_outlines(ax: Axes, outlines: Sequence[Outline], *, texts: bool = True) -> None:
    """Draw outlines over an image whose samples are one apart, with their texts; each line has a dark edge."""
    for outline in outlines:
        lines = [[(x - 0.5, y - 0.5) for y, x in segment] for segment in outline.segments]
        width, inner, edge = (2.4, POSITIVE, "white") if outline.explained else (1.1, "white", INK)
        style = "solid" if outline.explained else "dashed"
        for colour, thickness, dashes in ((edge, width + 1.4, "solid"), (inner, width, style)):
            drawn = LineCollection(
                lines,
                colors=colour,
                linewidths=thickness,
                linestyles=dashes,
                capstyle="butt" if dashes == "dashed" else "projecting",
            )
            ax.add_collection(drawn, autolim=False)
    for outline in outlines if texts else ():
        if outline.text:
            _write(ax, outline)


def _write(ax: Axes, outline: Outline) -> None:
    """The text on a plate inside the upper left corner, which may lie outside the picture."""
    y, x = outline.corner
    bottom, top = ax.get_ylim()  # the first row is on top
    left, right = ax.get_xlim()
    ax.annotate(
        literal(outline.text),
        (min(max(x - 0.5, left), right), min(max(y - 0.5, top), bottom)),
        (2, -2),
        textcoords="offset points",
        size=TEXT_SIZE,
        va="top",
        color="white",
        weight="bold" if outline.explained else "normal",
        annotation_clip=False,
        clip_on=True,
        bbox={"boxstyle": "square,pad=0.15", "fc": POSITIVE if outline.explained else INK, "ec": "none", "alpha": 0.85},
        zorder=4 if outline.explained else 3,
    )
