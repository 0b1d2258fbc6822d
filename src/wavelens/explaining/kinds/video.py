"""Videos."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from wavelens.attribution import Attribution
from wavelens.core import Domain
from wavelens.domains import DWT
from wavelens.explaining.kinds.input import Input
from wavelens.explaining.kinds.kind import Kind
from wavelens.frontends.video import SUFFIXES, open_video, write_video

if TYPE_CHECKING:  # matplotlib: only once there is something to draw
    from matplotlib.figure import Figure

MAX_LEVELS = (3, 5)  # in time and in space


def _domain(axes: tuple[int, ...]) -> Domain:
    """Haar, in time as deep as 8 frames and in space as 32 pixels, where the axes allow."""
    time, *space = [int(math.log2(n)) for n in axes]
    deep = min(MAX_LEVELS[1], *space)
    return DWT("haar", levels=(min(MAX_LEVELS[0], time), *[deep] * len(space)))


def _panel(a: Attribution, shown: Input, title: str) -> Figure:
    from wavelens import plots  # matplotlib: only once there is something to draw

    return plots.film(a, shown.x, title=title, grid=shown.grid)


def _extras(a: Attribution, shown: Input, label: str, base: Path) -> list[Path]:
    """The frames that the model was given with the map of all scales over them, as a video."""
    from wavelens import plots

    path = base.with_name(f"{base.name}-overlay.mp4")
    write_video(path, plots.overlay(a, shown.x), 1 / shown.grid.spacing[0])
    return [path]


VIDEO = Kind(
    "video", SUFFIXES, open_video, _domain, "a black video", _panel, _extras, models="torchvision:NAME, hf:NAME"
)
