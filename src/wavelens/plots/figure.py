"""`Figure`: a Matplotlib figure that shows itself in a notebook."""

from __future__ import annotations

import io

from matplotlib.figure import Figure as AnyFigure


class Figure(AnyFigure):
    """A figure that a cell may end with; IPython draws Matplotlib's own only where pyplot was imported."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()


def extended(figure: AnyFigure, inches: float) -> AnyFigure:
    """Make a figure that much higher, with the new room below what it shows, which stays as large as it is."""
    width, before = figure.get_size_inches()
    after = before + inches
    figure.set_size_inches(width, after)
    for ax in figure.axes:
        left, bottom, across, up = ax.get_position(original=True).bounds
        ax.set_position((left, (bottom * before + inches) / after, across, up * before / after))
    for text in figure.texts:
        x, y = text.get_position()
        text.set_position((x, (y * before + inches) / after))
    return figure
