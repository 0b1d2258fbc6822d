"""Video classifiers of transformers."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from wavelens.models.loaded import Parts
from wavelens.models.preparations.image import Geometry, Normalized
from wavelens.models.preparations.video import VideoGeometry
from wavelens.models.weights import Around
from wavelens.optional import optional


class FramesFirst(Around):
    """A module that takes `(batch, time, channel, height, width)`, as those of transformers do."""

    def forward(self, x: Tensor) -> Any:
        return self.module(x.movedim(1, 2))


def is_video(config: Any) -> bool:
    """Whether transformers has a video classifier for this configuration."""
    auto = optional("transformers.models.auto.modeling_auto", "hf")
    return bool(config.model_type in auto.MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING_NAMES)


def video_parts(logits: Around, picture: Geometry, scaling: Any, frames: int, labels: tuple[str, ...]) -> Parts:
    """A video classifier of transformers behind its normalisation; its frames cover the whole video evenly."""
    return Parts(Normalized(FramesFirst(logits), *scaling), VideoGeometry(frames, picture=picture), labels)
