"""How figures are written: in which formats, and how large."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wavelens.whole_numbers import is_whole

if TYPE_CHECKING:  # matplotlib: only once there is something to draw
    from matplotlib.figure import Figure

FORMATS = ("png", "pdf", "svg")
WITH_PIXELS = ("png",)
MIN_WIDTH, MAX_WIDTH = 200, 20_000  # pixels


@dataclass(frozen=True)
class Figures:
    """The `formats` of each figure, and the `width` of those with pixels; without one 100 pixels per inch.

    >>> from wavelens.explaining.figures import Figures
    >>> Figures(("png", "pdf"), width=2400).suffixes
    ('.png', '.pdf')
    """

    formats: tuple[str, ...] = ("png",)
    width: int | None = None

    def __post_init__(self) -> None:
        wrong = [one for one in self.formats if one not in FORMATS]
        if wrong or not self.formats or len(set(self.formats)) < len(self.formats):
            got = ",".join(self.formats) or "none"
            raise ValueError(f"--format takes {', '.join(FORMATS)}, separated by commas, each once; got {got}.")
        if self.width is None:
            return
        if not set(WITH_PIXELS) & set(self.formats):
            raise ValueError(
                f"--size is the width of PNG pictures in pixels; --format {','.join(self.formats)} has no pixels. "
                "Leave --size out, or add png."
            )
        if not is_whole(self.width, MIN_WIDTH, MAX_WIDTH):
            raise ValueError(
                f"--size must be a width in pixels, a whole number from {MIN_WIDTH} to {MAX_WIDTH}; got {self.width}."
            )

    @property
    def suffixes(self) -> tuple[str, ...]:
        """What the names of the files end in."""
        return tuple(f".{one}" for one in self.formats)

    def write(self, figure: Figure, base: Path) -> Iterator[Path]:
        """Write a figure in each format, called `base` and the format: each path once it is there."""
        from wavelens import plots  # matplotlib: only once there is something to draw

        inches = figure.get_size_inches()[0]
        for suffix in self.suffixes:
            path = base.with_name(base.name + suffix)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # characters that the font lacks are drawn as boxes
                if self.width is None:
                    plots.save(figure, path)
                else:
                    plots.save(figure, path, dpi=self.width / inches)
            yield path


PNG = Figures()
