"""Classifiers of photos from timm, each with its own preparation."""

from __future__ import annotations

from typing import Any

from wavelens.models.loaded import Parts, Variant
from wavelens.models.naming import read_call, unknown_name
from wavelens.models.preparations.image import Geometry, Normalized
from wavelens.models.preparations.raster import Bands
from wavelens.models.weights import check_trained, unavailable
from wavelens.optional import optional


def from_timm(text: str, variant: Variant) -> Parts:
    """A classifier of the package timm, with its own normalisation inside.

    `text` is a name such as 'resnet50', or one with arguments: 'resnet50(classes=5)'. What is given beside `classes`
    goes to timm's constructor. With `in_chans` other than 3 it takes the bands of a raster, as many pixels as it was
    made for, whose values are not normalised.
    """
    timm = optional("timm", "vision")
    name, given = read_call("timm", text)
    classes = given.pop("classes", variant.classes)
    known = timm.list_models()
    if ":" not in name and name.split(".")[0] not in known:
        raise unknown_name("timm", name, known, "timm.list_models() has all.")
    architecture, _, tag = name.partition(".")
    if tag and ":" not in name and name not in (tagged := timm.list_pretrained(f"{architecture}.*")):
        weights = ", ".join(tagged) or "none"
        raise ValueError(f"timm has no weights {tag!r} for {architecture}. It has {weights}.")
    try:
        module = timm.create_model(name, pretrained=variant.pretrained, **_timm_arguments(classes, variant), **given)
    except Exception as error:  # timm and its hub client share no base class
        raise unavailable(f"timm:{name}", error) from error
    if variant.pretrained:
        check_trained(f"timm:{text}", classes, module.pretrained_cfg["num_classes"])
    config = timm.data.resolve_model_data_config(module)
    if (bands := given.get("in_chans", 3)) != 3:
        height, width = config["input_size"][1:]
        return Parts(module, Bands((bands, height, width)), _timm_labels(module))
    return Parts(Normalized(module, config["mean"], config["std"]), _timm_geometry(config), _timm_labels(module))


def _timm_arguments(classes: int | None, variant: Variant) -> dict[str, Any]:
    overlay = {"pretrained_cfg_overlay": {"input_size": (3, *variant.input_size)}} if variant.input_size else {}
    return overlay | ({} if classes is None else {"num_classes": classes})


def _timm_labels(module: Any) -> tuple[str, ...]:
    """The checkpoint's own labels, or those of the larger ImageNet that its outputs stand for."""
    data = optional("timm.data", "vision")
    own = module.pretrained_cfg.get("label_names") or ()
    subset = data.infer_imagenet_subset(module)
    if own or subset is None:
        return tuple(own) if len(own) == module.num_classes else ()
    info = data.ImageNetInfo(subset)
    return tuple(info.index_to_description(i) for i in range(info.num_classes()))


def _timm_geometry(config: dict[str, Any]) -> Geometry:
    height, width = config["input_size"][1:]
    resize = (int(height / config["crop_pct"]), int(width / config["crop_pct"]))
    return Geometry(resize, (height, width), config["crop_mode"] == "squash", config["interpolation"])
