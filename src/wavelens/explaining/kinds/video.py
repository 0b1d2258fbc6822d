"""Videos."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from wavelens.attribution import Attribution
from wavelens.core import Domain
from wavelens.domains import DWT
from wavelens.explaining.kinds.input import Input
from wavelens.explaining.kinds.kind import FileSize, Kind
from wavelens.frontends.video import SUFFIXES, VideoFile, open_video, write_video
from wavelens.models import Geometry, VideoGeometry
from wavelens.optional import optional
from wavelens.reports import VIDEO_VIEW

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


def _own_frames(video: VideoFile) -> VideoGeometry:
    """All frames at their own size."""
    height, width = video.take(0, 1).data.shape[-2:]
    return VideoGeometry(video.frames, 1, Geometry((height, width), (height, width), squash=True))


def _size(path: Path, shape: tuple[int, ...]) -> FileSize:
    """The frames that the model is given: no others are decoded."""
    video = open_video(path)
    with optional("av", "video").open(str(path)) as container:
        picture = container.streams.video[0].codec_context
        return FileSize(3 * picture.width * picture.height * min(video.frames, shape[1]), video.seconds)


VIDEO = Kind(
    "video",
    SUFFIXES,
    open_video,
    units=("s", "px", "px"),
    domain=_domain,
    sigma=0.25,
    start="a black video",
    panel=_panel,
    view=VIDEO_VIEW,
    size=_size,
    as_is=_own_frames,
    extras=_extras,
    outputs={".mp4": "a video"},
    models="torchvision:NAME, hf:NAME",
)
