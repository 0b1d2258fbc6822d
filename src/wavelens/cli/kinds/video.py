"""Videos."""

from __future__ import annotations

import math
from pathlib import Path

from wavelens.cli.kinds.kind import Answer, Job, Kind
from wavelens.core import Domain
from wavelens.domains import DWT
from wavelens.frontends.video import SUFFIXES, open_video, write_video

MOST = (3, 5)  # levels in time and in space


def _domain(axes: tuple[int, ...]) -> Domain:
    """Haar, in time as deep as 8 frames and in space as 32 pixels, where the axes allow."""
    time, *space = [int(math.log2(n)) for n in axes]
    deep = min(MOST[1], *space)
    return DWT("haar", levels=(min(MOST[0], time), *[deep] * len(space)))


def _draw(job: Job, answer: Answer, title: str, path: Path) -> None:
    from wavelens import plots  # matplotlib: only once there is something to draw

    plots.save(plots.film(answer.attribution, answer.x, title=title, grid=answer.grid), path)


def _extras(job: Job, answer: Answer, base: Path) -> list[Path]:
    """The frames that the model was given with the map of all scales over them, as a video."""
    from wavelens import plots

    path = base.with_name(f"{base.name}-overlay.mp4")
    write_video(path, plots.overlay(answer.attribution, answer.x), 1 / answer.grid.spacing[0])
    return [path]


VIDEO = Kind(
    "video", SUFFIXES, open_video, _domain, "a black video", _draw, _extras, models="torchvision:NAME, hf:NAME"
)
