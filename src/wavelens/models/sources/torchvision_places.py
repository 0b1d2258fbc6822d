"""Detectors and segmenters of torchvision, by name or as modules, each with its own preparation."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from wavelens.models.answers import Objects, Regions
from wavelens.models.detectors.one_stage import OneStage
from wavelens.models.detectors.two_stage import TwoStage
from wavelens.models.loaded import Parts, Preparation, Variant
from wavelens.models.preparations.fitted import Fitted
from wavelens.models.preparations.image import Geometry, Normalized
from wavelens.models.weights import Around, check_trained, unavailable
from wavelens.optional import optional

KINDS = ("detection", "segmentation")


class Out(Around):
    """A segmenter of torchvision that returns its logits alone."""

    def forward(self, x: Tensor) -> Any:
        return self.module(x)["out"]


def names_of_places() -> list[str]:
    """The names of torchvision's detectors and segmenters."""
    models = optional("torchvision.models", "vision")
    return [name for kind in KINDS for name in models.list_models(module=getattr(models, kind))]


def parts_of_places(text: str, name: str, given: dict[str, Any], variant: Variant) -> Parts:
    """A detector or a segmenter by its name, with arguments for its constructor.

    `classes` counts all outputs, as torchvision does: of a Faster R-CNN with the background. `threshold` is the
    probability from which objects count.
    """
    models = optional("torchvision.models", "vision")
    weights = models.get_model_weights(name).DEFAULT
    threshold = given.pop("threshold", None)
    categories = tuple(weights.meta["categories"])
    classes = given.pop("classes", variant.classes)
    if variant.pretrained:
        check_trained(f"torchvision:{text}", classes, len(categories))
        given["weights"] = weights
    else:
        given |= {"weights": None, "weights_backbone": None, "num_classes": classes or len(categories)}
    try:
        module = models.get_model(name, **given)
    except Exception as error:  # what a download raises
        raise unavailable(f"torchvision:{name}", error) from error
    labels = categories if classes in (None, len(categories)) else tuple(f"class {k}" for k in range(classes))
    if is_detector(module):
        return detector_parts(module, labels, threshold)
    if threshold is not None:
        raise ValueError(f"threshold is for detectors; torchvision:{text} is none. Leave it out.")
    trained = weights.transforms()
    preparation = Fitted(trained.resize_size[0], None, trained.interpolation.value)
    return Parts(
        Normalized(Out(module), tuple(trained.mean), tuple(trained.std)), preparation, labels, answer=Regions()
    )


def is_detector(module: nn.Module) -> bool:
    """Whether a module is a detector of torchvision."""
    return any(cls.__module__.startswith("torchvision.models.detection.") for cls in type(module).__mro__)


def unnamed(module: Any) -> tuple[str, ...]:
    """A name for each class of a detector: 'class 0' …"""
    if hasattr(module, "roi_heads"):
        count = module.roi_heads.box_predictor.cls_score.out_features
    else:
        head = module.head.classification_head
        count = getattr(head, "num_classes", None) or head.num_columns
    return tuple(f"class {k}" for k in range(count))


def detector_parts(module: Any, labels: tuple[str, ...], threshold: float | None = None) -> Parts:
    """A detector of torchvision, with what its own transform says of the preparation."""
    two_stages = hasattr(module, "roi_heads")
    own = module.roi_heads if two_stages else module
    answer = Objects(own.score_thresh if threshold is None else threshold, own.nms_thresh)
    transform = module.transform
    around = TwoStage(module) if two_stages else OneStage(module)
    normalized = Normalized(around, tuple(transform.image_mean), tuple(transform.image_std))
    around.training = normalized.training = module.training
    return Parts(normalized, _preparation(transform), labels, answer=answer)


def _preparation(transform: Any) -> Preparation:
    if transform.fixed_size is None:
        return Fitted(transform.min_size[-1], transform.max_size)
    width, height = transform.fixed_size
    return Geometry((height, width), (height, width), squash=True, interpolation="bilinear")
