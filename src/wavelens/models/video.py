"""Video classifiers: which frames of a video they are given, those of torchvision, and those of transformers."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from wavelens.frontends.video import Video, VideoFile
from wavelens.grid import Grid
from wavelens.models.image import Geometry, Normalized, check_trained
from wavelens.models.loaded import Parts, Variant
from wavelens.models.naming import read_call
from wavelens.models.weights import Around, unavailable
from wavelens.optional import optional

CLIP = 16  # frames that most video classifiers were trained on
LONGER = {"s3d": 128, "swin3d": 32}  # by the start of the name in torchvision


@dataclass(frozen=True)
class VideoGeometry:
    """Takes `frames` of a video and resizes and crops each as a photo: `(1, 3, frames, *crop)` in [0, 1].

    Frames lie `stride` apart around the middle of the video. Without a stride it is the largest that fits, so that they
    cover the whole video evenly. A video that is too short is a `ValueError`: no frame is made up or shown twice.
    """

    frames: int = CLIP
    stride: int | None = None
    picture: Geometry = field(default_factory=Geometry)
    kind: ClassVar[str] = "video"

    def __post_init__(self) -> None:
        if self.frames < 1 or (self.stride is not None and self.stride < 1):
            raise ValueError(f"frames and stride are from 1; got {self.frames} and {self.stride}.")

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
        taken = video.take(first, self.frames, stride).data
        return torch.stack([self.picture(taken[:, :, k]) for k in range(self.frames)], 2)

    def _window(self, video: Video | VideoFile) -> tuple[int, int]:
        """The first frame and the stride."""
        if not isinstance(video, Video | VideoFile):
            raise TypeError(f"a video is a Video or a VideoFile; got {type(video).__name__}. Try open_video(path).")
        stride = self.stride or max((video.frames - 1) // max(self.frames - 1, 1), 1)
        span = (self.frames - 1) * stride + 1
        if span > video.frames:
            raise ValueError(
                f"the model takes {self.frames} frames, {stride} apart, of a video; this one has {video.frames} and "
                f"needs {span}. Give a longer one{', or a smaller stride' if stride > 1 else ''}."
            )
        return (video.frames - span) // 2, stride


class FramesFirst(Around):
    """A module that takes `(batch, time, channel, height, width)`, as those of transformers do."""

    def forward(self, x: Tensor) -> Any:
        return self.module(x.movedim(1, 2))


def from_torchvision(text: str, variant: Variant) -> Parts:
    """A classifier of torchvision, of videos or of photos, with the preparation that its weights were trained with.

    `text` is a name such as 'resnet50', or one with arguments: 'resnet50(classes=5)'. What is given beside `classes`
    goes to torchvision's constructor.
    """
    name, given = read_call("torchvision", text)
    models = optional("torchvision.models", "vision")
    videos = models.list_models(module=optional("torchvision.models.video", "vision"))
    known = [*videos, *models.list_models(module=models)]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "See torchvision.models.list_models()."
        raise ValueError(f"torchvision: takes the name of a classifier of torchvision; got {name!r}. {hint}")
    weights = models.get_model_weights(name).DEFAULT
    classes = given.pop("classes", variant.classes)
    if variant.pretrained:
        check_trained(f"torchvision:{text}", classes, len(labels_of(weights)))
    elif classes is not None:
        given["num_classes"] = classes
    try:
        module = models.get_model(name, weights=weights if variant.pretrained else None, **given)
    except Exception as error:  # what a download raises
        raise unavailable(f"torchvision:{name}", error) from error
    trained = weights.transforms()
    geometry = _geometry(trained)
    frames = next((count for start, count in LONGER.items() if name.startswith(start)), CLIP)
    preparation = VideoGeometry(frames, picture=geometry) if name in videos else geometry
    labels = labels_of(weights)
    own = labels if classes in (None, len(labels)) else ()
    return Parts(Normalized(module, tuple(trained.mean), tuple(trained.std)), preparation, own)


def labels_of(weights: Any) -> tuple[str, ...]:
    return tuple(weights.meta["categories"])


def _geometry(trained: Any) -> Geometry:
    """Of torchvision's own transforms; one number means the shorter side."""
    resize, crop = trained.resize_size, trained.crop_size
    sides = tuple(resize) if len(resize) == 2 else (resize[0],) * 2
    window = tuple(crop) if len(crop) == 2 else (crop[0],) * 2
    return Geometry(sides, window, len(resize) == 2, trained.interpolation.value)


def is_video(config: Any) -> bool:
    """Whether transformers has a video classifier for this configuration."""
    auto = optional("transformers.models.auto.modeling_auto", "hf")
    return bool(config.model_type in auto.MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING_NAMES)


def filmed(logits: Around, picture: Geometry, scaling: Any, frames: int, labels: tuple[str, ...]) -> Parts:
    """A video classifier of transformers behind its normalisation; its frames cover the whole video evenly."""
    return Parts(Normalized(FramesFirst(logits), *scaling), VideoGeometry(frames, picture=picture), labels)
