"""Models by name: a module from a signal to logits, the names of its classes, and how its input is prepared."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wavelens.models.acdnet import micro_acdnet
from wavelens.models.hf import from_transformers
from wavelens.models.image import EMBEDDED, Geometry, embedded, from_timm, imagenet_labels
from wavelens.models.loaded import LoadedModel, Parts
from wavelens.models.monai import from_monai
from wavelens.models.video import from_torchvision
from wavelens.models.volume import resnet3d
from wavelens.models.weights import fill
from wavelens.models.yamnet import yamnet

NAMED: dict[str, Callable[[bool], Parts]] = {  # name: loader(pretrained)
    EMBEDDED: embedded,
    "yamnet": yamnet,
    "micro-acdnet": micro_acdnet,
    "resnet3d": resnet3d,
}
PREFIXES: dict[str, Callable[[str, bool], Parts]] = {
    "timm": from_timm,
    "torchvision": from_torchvision,
    "hf": from_transformers,
    "monai": from_monai,
}
_OWN = [*NAMED, *(f"{prefix}:NAME" for prefix in PREFIXES)]
FORMS = f"{', '.join(_OWN)}, a TorchScript file (.pt, .ts) or package.module:function"


def load(name: str = EMBEDDED, *, weights: str | Path | None = None, any_output: bool = False) -> LoadedModel:
    """The classifier called `name`, with `weights` from a checkpoint file instead of its own where given.

    Names: 'efficientnet-lite0' (ImageNet weights from an installed package), 'timm:NAME', 'hf:NAME_OR_FOLDER'
    (transformers), 'monai:NAME' (for volumes; see `models.monai`), 'resnet3d' (volumes of 28³), 'yamnet' and
    'micro-acdnet' (sounds; with `weights`), a TorchScript file ending in .pt or .ts, and 'package.module:function',
    whose function returns a module or a `LoadedModel`. A TorchScript file and a function's module take pixels in
    [0, 1], 224 × 224; wrap one that wants them normalised in `Normalized` first. Checkpoints are safetensors files or
    what `torch.save` wrote of a state dict; no code in them is run.

    With `any_output` a model may return anything, as segmenters and detectors do; its target is then a function.

    A model with 1000 classes and no labels of its own gets the names of ImageNet. Raises `ValueError` for a name
    that means nothing or weights that do not fit, `OSError` for files or downloads that cannot be had, and
    `ImportError` for a package that is missing; each says what to do.
    """
    if weights is not None and not Path(weights).is_file():
        raise FileNotFoundError(f"no such weights: {weights}. Give a .safetensors or .pth file.")
    parts = _built(name, pretrained=weights is None)
    if weights is not None:
        fill(parts.module, Path(weights))
    parts.module.eval()
    classes = _classes(parts, name, any_output)
    if parts.labels and len(parts.labels) != classes and classes:
        raise ValueError(f"labels name each class; {name} has {len(parts.labels)} labels and {classes} outputs.")
    link = "sigmoid" if classes == 1 else parts.link  # the softmax of a lone logit is 1 whatever it is
    return LoadedModel(parts.module, parts.labels or _names(classes), parts.preprocess, name, link)


def _built(name: str, *, pretrained: bool) -> Parts:
    prefix, _, rest = name.partition(":")
    if name in NAMED:
        return NAMED[name](pretrained)
    if Path(name).suffix in (".pt", ".ts"):
        return _torchscript(Path(name))
    if prefix in PREFIXES and rest:
        return PREFIXES[prefix](rest, pretrained)
    if is_function(name):
        return _function(name)
    raise ValueError(f"a model is {FORMS}; got {name!r}.{_did_you_mean(name)}")


def _did_you_mean(name: str) -> str:
    near = difflib.get_close_matches(name, [*NAMED, f"timm:{name}"], n=1, cutoff=0.5)
    return f" Did you mean {near[0]}?" if near else ""


def _torchscript(path: Path) -> Parts:
    if not path.is_file():
        raise FileNotFoundError(f"no such model: {path}. A model is {FORMS}.")
    try:
        return Parts(torch.jit.load(path, map_location="cpu"), Geometry())
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"a model file is TorchScript; got {path}, which torch.jit.load refuses. "
            "A checkpoint goes to weights, beside the name of its architecture."
        ) from error


def is_function(name: str) -> bool:
    """Whether a name is written package.module:function."""
    module, colon, function = name.partition(":")
    return bool(colon) and all(part.isidentifier() for part in (*module.split("."), function))


def function_called(name: str) -> Any:
    """What 'package.module:function' names; `ImportError` or `AttributeError` where there is nothing."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def _function(name: str) -> Parts:
    try:
        function = function_called(name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"a model is {FORMS}; got {name!r}, and {error}.") from error
    made = function()
    if isinstance(made, LoadedModel):
        return Parts(made.module, made.preprocess, made.labels, made.link)
    if isinstance(made, nn.Module):
        return Parts(made, Geometry())
    raise ValueError(f"{name} returns an nn.Module or a LoadedModel; got {type(made).__name__}.")


@torch.no_grad()
def _classes(parts: Parts, name: str, any_output: bool) -> int:
    """How many logits one empty input gives; the check that the module is a classifier, where it need be (else 0)."""
    shape = parts.preprocess.shape
    try:
        logits = parts.module(torch.zeros(1, *shape))
    except Exception as error:  # whatever the caller's module raises
        reason = " ".join(str(error).split())[-300:]
        raise ValueError(
            f"a model takes a {parts.preprocess.kind} (batch, {', '.join(map(str, shape))}); {name} fails on it: "
            f"{reason} Return a LoadedModel with its own preparation from a function."
        ) from error
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != 1:
        if any_output:
            return 0
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(
            f"a classifier returns logits (batch, classes); {name} returned {got}. Wrap it in one that does."
        )
    return logits.shape[1]


def _names(classes: int) -> tuple[str, ...]:
    return imagenet_labels() if classes == 1000 else tuple(f"class {i}" for i in range(classes))
