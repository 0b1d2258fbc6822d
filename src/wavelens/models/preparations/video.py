"""Which frames of a video a network is given, and how each of them is prepared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from wavelens.field_types import check_fields
from wavelens.frontends.video import Video, VideoFile
from wavelens.grid import Grid
from wavelens.models.preparations.image import Geometry

USUAL_FRAMES = 16  # frames that most video classifiers were trained on


@dataclass(frozen=True)
class VideoGeometry:
    """Takes `frames` of a video and resizes and crops each as a photo: `(1, 3, frames, *crop)` in [0, 1].

    Frames lie `stride` apart around the middle of the video. Without a stride it is the largest that fits, so that they
    cover the whole video evenly. A video that is too short is a `ValueError`: no frame is made up or shown twice.
    """

    frames: int = USUAL_FRAMES
    stride: int | None = None
    picture: Geometry = field(default_factory=Geometry)
    kind: ClassVar[str] = "video"

    def __post_init__(self) -> None:
        check_fields(self)
        if self.frames < 1 or (self.stride is not None and self.stride < 1):
            raise ValueError(f"frames and stride must be at least 1; got {self.frames} and {self.stride}.")

    @property
    def shape(self) -> tuple[int, ...]:
        return (3, self.frames, *self.picture.crop)

    def grid(self, video: Video | VideoFile) -> Grid:
        """Seconds between the frames that are taken, and pixels of the prepared ones, as `Geometry.grid` has them."""
        _, stride = self._window(video)
        known = self.picture.spacing is not None
        picture = self.picture.grid(video.take(0, 1).data[:, :, 0]) if known else Grid.plain(2)
        return Grid((stride / video.fps, *picture.spacing), ("s", *picture.units))

    def adapted(self, **changes: Any) -> VideoGeometry:
        """The same with each frame prepared as `Geometry.adapted` says."""
        return replace(self, picture=self.picture.adapted(**changes))

    def spaced(self, spacing: Sequence[float], unit: str) -> VideoGeometry:
        """The same for videos whose pixels lie `spacing` apart, one number or two."""
        return replace(self, picture=self.picture.spaced(spacing, unit))

    def __call__(self, video: Video | VideoFile) -> Tensor:
        first, stride = self._window(video)
        frames = video.take(first, self.frames, stride).data
        return torch.stack([self.picture(frames[:, :, k]) for k in range(self.frames)], 2)

    def _window(self, video: Video | VideoFile) -> tuple[int, int]:
        """The first frame and the stride."""
        if not isinstance(video, Video | VideoFile):
            raise TypeError(
                f"a video must be a Video or a VideoFile; got {type(video).__name__}. Try open_video(path)."
            )
        stride = self.stride or max((video.frames - 1) // max(self.frames - 1, 1), 1)
        span = (self.frames - 1) * stride + 1
        if span > video.frames:
            raise ValueError(
                f"the model takes {self.frames} frames, {stride} apart, of a video; this one has {video.frames} and "
                f"needs {span}. Give a longer one{', or a smaller stride' if stride > 1 else ''}."
            )
        return (video.frames - span) // 2, stride
