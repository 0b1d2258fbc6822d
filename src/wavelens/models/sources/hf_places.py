"""Detectors and segmenters of transformers, as parts of a model by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from wavelens.models.answers import Objects, Regions
from wavelens.models.detectors.queries import Queries
from wavelens.models.loaded import Parts, Preparation
from wavelens.models.preparations.image import Normalized

THRESHOLD = 0.5  # that of transformers' own post-processing
Scaling = tuple[tuple[float, ...], tuple[float, ...]]


def is_detector(config: Any) -> bool:
    """Whether a configuration is of a detector with classes of its own."""
    return _is_for(config, "ForObjectDetection")


def is_segmenter(config: Any) -> bool:
    """Whether a configuration is of a model that gives a class at each place."""
    return _is_for(config, "ForSemanticSegmentation")


def _is_for(config: Any, task: str) -> bool:
    return any(name.endswith(task) for name in config.architectures or ())


def detector_parts(
    module: Any, file_names: Mapping[str, str], preparation: Preparation, scaling: Scaling, threshold: float | None
) -> Parts:
    """A detector with its boxes in pixels; each object is named once, so that nothing is suppressed."""
    answer = Objects(THRESHOLD if threshold is None else threshold, overlap=None)
    labels = tuple(module.config.id2label[k] for k in range(module.config.num_labels))
    return Parts(Normalized(Queries(module, file_names), *scaling), preparation, labels, answer=answer)


def segmenter_parts(module: nn.Module, preparation: Preparation, scaling: Scaling, labels: tuple[str, ...]) -> Parts:
    """A segmenter that gives logits."""
    return Parts(Normalized(module, *scaling), preparation, labels, answer=Regions())
