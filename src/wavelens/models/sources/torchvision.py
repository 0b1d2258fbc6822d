"""Models of torchvision by name: classifiers of videos and photos, detectors and segmenters, with their preparation."""

from __future__ import annotations

from typing import Any

from wavelens.models.loaded import Parts, Variant
from wavelens.models.naming import read_call, unknown_name
from wavelens.models.preparations.image import Geometry, Normalized
from wavelens.models.preparations.video import USUAL_FRAMES, VideoGeometry
from wavelens.models.sources.torchvision_places import names_of_places, parts_of_places
from wavelens.models.weights import check_trained, unavailable
from wavelens.optional import optional

FRAMES_BY_NAME = {"s3d": 128, "swin3d": 32}  # by the start of the name in torchvision


def from_torchvision(text: str, variant: Variant) -> Parts:
    """A model of torchvision with the preparation that its weights were trained with.

    It is a classifier of videos or of photos, a detector or a segmenter.

    `text` is a name such as 'resnet50', or one with arguments: 'resnet50(classes=5)'. What is given beside `classes`
    goes to torchvision's constructor.
    """
    name, given = read_call("torchvision", text)
    models = optional("torchvision.models", "vision")
    if name in (places := names_of_places()):
        return parts_of_places(text, name, given, variant)
    videos = models.list_models(module=optional("torchvision.models.video", "vision"))
    known = [*videos, *models.list_models(module=models)]
    if name not in known:
        raise unknown_name("torchvision", name, [*known, *places], "torchvision.models.list_models() has all.")
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
    frames = next((count for start, count in FRAMES_BY_NAME.items() if name.startswith(start)), USUAL_FRAMES)
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
