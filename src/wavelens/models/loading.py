"""Models by name: a module from a signal to logits, the names of its classes, and how its input is prepared."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wavelens.models.black_box import BlackBox, black_box
from wavelens.models.checkpoints import read_checkpoint
from wavelens.models.labels import imagenet_labels, read_class_names
from wavelens.models.loaded import LoadedModel, Parts, Preparation, Variant, called_by
from wavelens.models.module_kinds import exported_shape, set_evaluation
from wavelens.models.named_functions import imported, is_function
from wavelens.models.networks.acdnet import micro_acdnet
from wavelens.models.networks.efficientnet_lite import EMBEDDED, embedded
from wavelens.models.networks.phasenet import phasenet
from wavelens.models.networks.pointnet import pointnet
from wavelens.models.networks.resnet3d import resnet3d
from wavelens.models.networks.yamnet import yamnet
from wavelens.models.options import Options, options_of
from wavelens.models.pairs import NeedsText, Pair
from wavelens.models.preparations.fitted import Fitted
from wavelens.models.preparations.image import Geometry, geometry_of, renormalized
from wavelens.models.preparations.video import VideoGeometry
from wavelens.models.prompts import PromptHead, prompted_parts
from wavelens.models.runnable import InBatches
from wavelens.models.sources.braindecode import from_braindecode
from wavelens.models.sources.hf import from_transformers
from wavelens.models.sources.monai import from_monai
from wavelens.models.sources.onnx import from_onnx, is_onnx, says_preparation
from wavelens.models.sources.open_clip import from_open_clip
from wavelens.models.sources.seisbench import from_seisbench
from wavelens.models.sources.timm import from_timm
from wavelens.models.sources.torchvision import from_torchvision
from wavelens.models.sources.ultralytics import from_ultralytics
from wavelens.models.trust import check_trust, importable_working_folder
from wavelens.models.weights import CheckpointWarning, class_count, fill, match, state_for
from wavelens.models.writers import Writer
from wavelens.untrusted import check_regular

NETWORKS: dict[str, Callable[[Variant], Parts]] = {
    EMBEDDED: embedded,
    "yamnet": yamnet,
    "micro-acdnet": micro_acdnet,
    "resnet3d": resnet3d,
    "phasenet": phasenet,
    "pointnet": pointnet,
}
PREFIXES: dict[str, Callable[[str, Variant], Parts]] = {
    "timm": from_timm,
    "torchvision": from_torchvision,
    "hf": from_transformers,
    "monai": from_monai,
    "seisbench": from_seisbench,
    "braindecode": from_braindecode,
    "ultralytics": from_ultralytics,
    "open_clip": from_open_clip,
}
PROGRAMS = (".pt", ".ts", ".pt2")  # the endings of files of TorchScript and of torch.export
UNSAID = Geometry()  # of a module that says nothing of its input, as long as nobody else does
NAMES_REMEDY = "Give one name per output in class_names (--class-names), in their order."
PROBABILITY_ROUNDING = 1e-3  # of a sum that is 1, in half precision
_OWN = [*NETWORKS, *(f"{prefix}:NAME" for prefix in PREFIXES)]
FORMS = (
    f"{', '.join(_OWN)}, a TorchScript file (.pt, .ts), an exported program (.pt2), an ONNX file "
    "(.onnx, or FILE.onnx::OUTPUT) or package.module:function"
)
"""The names that `load` takes, as help and errors list them."""


def load(
    name: str = EMBEDDED,
    *,
    weights: str | Path | None = None,
    trust: bool = False,
    class_names: str | Path | Sequence[str] | Mapping[Any, Any] | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    input_size: int | Sequence[int] | None = None,
    crop: float | str | None = None,
    interpolation: str | None = None,
    preparation: Preparation | None = None,
    bands: str | Sequence[str] | None = None,
    windows: bool = False,
    template: str | None = None,
    prompts: Sequence[str] | None = None,
    question: str | None = None,
    any_output: bool = False,
    bare: Callable[[], Preparation] | None = None,
) -> LoadedModel:
    """The model called `name`, with `weights` from a checkpoint file instead of its own where given.

    Names: 'efficientnet-lite0' (ImageNet weights from an installed package), 'timm:NAME', 'hf:NAME_OR_FOLDER'
    (transformers), 'ultralytics:NAME' (YOLO detectors), 'monai:NAME' (volumes), 'resnet3d' (volumes of 28³), 'yamnet'
    and 'micro-acdnet' (sounds; with `weights`), 'phasenet' (seismograms; with `weights`), 'pointnet' (point clouds;
    with `weights`), 'seisbench:NAME' and 'braindecode:NAME(…)' (time series), a TorchScript file ending in .pt or .ts,
    a program of `torch.export` ending in .pt2, an ONNX file ending in .onnx ('net.onnx::probs' for another output than
    the first), and 'package.module:function', whose function returns a module, a `LoadedModel` or a function of arrays.
    Such files and a function's module take pixels in [0, 1], 224 × 224 or what a file was made for. An ONNX file and a
    function of arrays give values alone, so methods that need no gradient explain them.
    'timm:NAME(classes=5)' builds a network with five outputs; with `weights` their number is taken from the file.

    `weights` are safetensors files or what `torch.save` wrote, alone or inside a checkpoint, whose tensors beside the
    network's are left out with a warning; 'file.pth::key' chooses one of several state dicts. No code in them is run.
    TorchScript files, exported programs and models with code of their own are programs: those from outside the working
    folder are loaded with `trust` only.

    For a network that was tuned to other classes: `class_names` is a sequence, a mapping or a file of them (one per
    line, or JSON). For photos and videos that are prepared in another way than the name says: `mean` and `std` of
    pixels in [0, 1], one value or one per channel; `input_size` in pixels, one value or height and width; `crop`, the
    share of the resized photo's side that is kept, or 'squash' to resize to the input size without a crop;
    `interpolation`, the filter.

    `preparation` makes the model's input in place of its own: a TorchScript file on seismograms takes
    `preparation=models.Traces((3, 3000), rate=100)`. `bands` names the bands of a raster that the model takes, in its
    order.

    A model that writes about pictures, or writes down what a sound says, is asked a `question` if it takes one; its
    classes are the tokens that it may write first. `explain(target="answer:a red bus")` explains a whole text.

    A text of more tokens than a model takes is refused, unless it is read in `windows`, whose logits are averaged.

    Detectors and segmenters of torchvision, transformers and ultralytics say so as `answer`, and have objects and
    regions as targets; 'torchvision:NAME(threshold=0.3)' says from which probability objects count.

    A pair of a signal and a text ('hf:NAME' of CLIP, SigLIP, SigLIP 2, BLIP's matching and CLAP, 'open_clip:NAME', or a
    function that returns a `Pair`) is a classifier of texts: of `class_names`, each put into `template` in place of {},
    and of `prompts`, which are whole texts.

    With `any_output` a model may return anything, as segmenters and detectors do; its target is then a function.
    `bare` makes the preparation for a module of a function that comes without one, in place of a photo's.

    A model with 1000 classes and no labels of its own gets the names of ImageNet. Raises `ValueError` for an unknown
    name or weights that do not fit, `OSError` for files or downloads that are unavailable, and
    `ImportError` for a package that is missing; each says what to do.

    >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    >>> torch.jit.script(net.eval()).save("net.pt")
    >>> loaded = wl.models.load("net.pt")
    >>> loaded.module(torch.zeros(1, 3, 224, 224)).shape
    torch.Size([1, 2])
    """
    if not isinstance(name, str):
        raise TypeError(_not_a_name(name))
    options = options_of(
        weights=weights,
        trust=trust,
        class_names=class_names,
        mean=mean,
        std=std,
        input_size=input_size,
        crop=crop,
        interpolation=interpolation,
        preparation=preparation,
        bands=bands,
        windows=windows,
        template=template,
        prompts=prompts,
        question=question,
    )
    parts, left_out = _filled(name, options, bare)
    if left_out:
        warnings.warn(_beside(options, left_out), CheckpointWarning, stacklevel=2)
    parts = _adapted(parts, name, options)
    _evaluate(parts.module)
    classes, probable = _classes(parts, name, any_output)
    by_texts = options.class_names is None or isinstance(parts.module, PromptHead)
    names = parts.labels if by_texts else read_class_names(options.class_names or ())
    if names and len(names) != classes and classes:
        remedy = "" if options.class_names is None else f" {NAMES_REMEDY}"
        raise ValueError(f"{name} has {classes} outputs and {len(names)} class names.{remedy}")
    lone = classes == 1 and parts.link == "softmax"  # that of a lone logit is 1 whatever it is
    link = "sigmoid" if lone else parts.link
    if probable and parts.link == "softmax" and black_box(parts.module):
        link = "identity"
    return LoadedModel(parts.module, names or _names(classes), parts.preprocess, name, link, options, parts.answer)


def _not_a_name(value: object) -> str:
    is_loaded = isinstance(value, LoadedModel)
    remedy = "Leave load out" if is_loaded else "Wrap a module in models.LoadedModel(module, names, preparation, title)"
    return f"load takes the name of a model; got {type(value).__name__}. {remedy}."


def _filled(name: str, options: Options, bare: Callable[[], Preparation] | None) -> tuple[Parts, tuple[str, ...]]:
    """The parts with their weights, and what is left out of the checkpoint."""
    if options.prompts is not None or options.template is not None:
        return prompted_parts(name, options), ()
    try:
        return _classifier(name, options, bare)
    except NeedsText:
        if options.class_names is None:
            raise
        return prompted_parts(name, options), ()


def _classifier(name: str, options: Options, bare: Callable[[], Preparation] | None) -> tuple[Parts, tuple[str, ...]]:
    """The same, of what is no pair."""
    variant = Variant(
        options.weights is None,
        input_size=options.input_size,
        trust=options.trust,
        bare=bare,
        windows=options.windows,
        prepared=options.preparation is not None,
        question=options.question,
    )
    if options.weights is None:
        return _built(name, variant), ()
    if is_onnx(name):
        raise ValueError(f"weights are for a network in torch; {name} has its own. Leave them out.")
    checkpoint = read_checkpoint(options.weights)
    parts = _built(name, variant)
    state = state_for(parts.module, checkpoint)
    classes = class_count(parts.module, state)
    if classes is not None and (name in NETWORKS or name.partition(":")[0] in PREFIXES):
        other = replace(_built(name, replace(variant, classes=classes)), labels=())
        again = state_for(other.module, checkpoint)
        if match(other.module, again) > match(parts.module, state):
            parts, state = other, again
    fill(parts.module, state)
    return parts, tuple(state.left_out)


def _beside(options: Options, names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{options.weights} holds tensors beside those of the model; left out: {', '.join(names[:3])}{more}."


def _adapted(parts: Parts, name: str, options: Options) -> Parts:
    """The parts with the preparation that the options say."""
    if options.preparation is not None:
        module = called_by(options.preparation, parts.module)
        parts = replace(parts, module=module, preprocess=options.preparation)
    if options.bands is not None:
        parts = replace(parts, preprocess=_banded(parts.preprocess, name, options.bands))
    if options.windows and parts.preprocess.kind != "text":
        raise ValueError(f"windows are for long texts; {name} takes a {parts.preprocess.kind}. Leave --windows out.")
    if options.question is not None and not isinstance(parts.module, Writer):
        raise ValueError(f"a question is for a model that writes; {name} is a classifier. Leave --question out.")
    given = options.geometry | {key: value for key in ("mean", "std") if (value := getattr(options, key)) is not None}
    if not given:
        return parts
    if not isinstance(parts.preprocess, Fitted | Geometry | VideoGeometry):
        raise ValueError(
            f"{', '.join(given)} {'are' if len(given) > 1 else 'is'} for photos and videos; {name} takes a "
            f"{parts.preprocess.kind} through {type(parts.preprocess).__name__}. Change its preparation in a function "
            "that returns a LoadedModel."
        )
    scaled = options.mean is not None or options.std is not None
    module = renormalized(parts.module, options.mean, options.std) if scaled else parts.module
    return replace(parts, module=module, preprocess=parts.preprocess.adapted(**options.geometry))


def _banded(preparation: Any, name: str, bands: tuple[str, ...]) -> Preparation:
    if not hasattr(preparation, "banded"):
        raise ValueError(
            f"bands are chosen for models of rasters; {name} takes a {preparation.kind} through "
            f"{type(preparation).__name__}. Leave them out, or give it a preparation: Bands(({len(bands)}, 224, 224))."
        )
    chosen: Preparation = preparation.banded(bands)
    return chosen


def _built(name: str, variant: Variant) -> Parts:
    prefix, _, rest = name.partition(":")
    if name in NETWORKS:
        return NETWORKS[name](variant)
    if Path(name).suffix in (".pt", ".ts"):
        return _torchscript(Path(name), variant.trust)
    if Path(name).suffix == ".pt2":
        return _exported(Path(name), variant.trust)
    if is_onnx(name):
        return from_onnx(name, variant)
    if prefix in PREFIXES and rest:
        return PREFIXES[prefix](rest, variant)
    if is_function(name):
        return _function(name, variant)
    raise ValueError(f"there is no model {name!r}.{_did_you_mean(name)} A model is {FORMS}.")


def _did_you_mean(name: str) -> str:
    if Path(name).is_file():
        return f" A checkpoint goes to weights (--weights {name}), beside the name of its architecture."
    near = difflib.get_close_matches(name, [*NETWORKS, f"timm:{name}"], n=1, cutoff=0.5)
    return f" Did you mean {near[0]}?" if near else ""


def _torchscript(path: Path, trust: bool) -> Parts:
    check_regular(path, "model")
    if not path.is_file():
        raise FileNotFoundError(f"no such model: {path}. A model is {FORMS}.")
    check_trust(path, trust)
    try:
        return Parts(torch.jit.load(path, map_location="cpu"), UNSAID)
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"a model file must be TorchScript; got {path}, which torch.jit.load refuses. "
            "A checkpoint goes to weights, beside the name of its architecture."
        ) from error


def _exported(path: Path, trust: bool) -> Parts:
    check_regular(path, "model")
    if not path.is_file():
        raise FileNotFoundError(f"no such model: {path}. A model is {FORMS}.")
    check_trust(path, trust)
    try:
        module = torch.export.load(path).module()
    except Exception as error:  # of zip files, of JSON and of the schema
        raise ValueError(
            f"a .pt2 file must be a program of torch.export; got {path}, which torch.export.load refuses. "
            "Save it by torch.export.save(torch.export.export(model, (example,)), path)."
        ) from error
    shape = exported_shape(module) or (None,)
    return Parts(module if shape[0] is None else InBatches(module, shape[0]), geometry_of(shape))


def _evaluate(module: nn.Module) -> None:
    try:
        module.eval()
    except NotImplementedError:  # an exported program has no mode
        set_evaluation(module)


def is_name(name: str) -> bool:
    """Whether a text has the form of a name that `load` takes, and is no title that a caller gave a model."""
    prefix, _, rest = name.partition(":")
    is_file = Path(name).suffix in PROGRAMS or is_onnx(name)
    return name in NETWORKS or is_file or (prefix in PREFIXES and bool(rest)) or is_function(name)


def is_module_file(name: str) -> bool:
    """Whether a name is that of a file that says no preparation: TorchScript, an exported program, some of ONNX."""
    return Path(name).suffix in PROGRAMS or (is_onnx(name) and not says_preparation(name))


def _function(name: str, variant: Variant) -> Parts:
    try:
        function = imported(name)
    except ValueError as error:
        prefix, _, rest = name.partition(":")
        near = difflib.get_close_matches(prefix, PREFIXES, n=1)
        raise ValueError(f"{error} Or did you mean {near[0]}:{rest}?" if near else str(error)) from error
    with importable_working_folder():
        made = function()
    if isinstance(made, Pair):
        raise NeedsText(name)
    if isinstance(made, LoadedModel):
        return Parts(made.module, made.preprocess, made.labels, made.link, made.answer)
    if isinstance(made, nn.Module) or callable(made):
        module = made if isinstance(made, nn.Module) else BlackBox(made)
        return Parts(module, variant.bare() if variant.bare else UNSAID)
    raise ValueError(
        f"{name} must return an nn.Module, a LoadedModel or a function of arrays; got {type(made).__name__}."
    )


@torch.no_grad()
def _classes(parts: Parts, name: str, any_output: bool) -> tuple[int, bool]:
    """How many logits one empty input gives, and whether these are probabilities, from 0 to 1 and together 1.

    The check that the module is a classifier, where it need be (else 0).
    """
    if parts.answer is not None:
        return len(parts.labels), False
    shape = parts.preprocess.shape
    try:
        logits = parts.module(torch.zeros(1, *shape))
    except Exception as error:  # whatever the caller's module raises
        reason = " ".join(str(error).split())[-300:]
        sized = isinstance(parts.preprocess, Fitted | Geometry | VideoGeometry)
        resize = "Pass the input_size that it takes (--input-size), or return" if sized else "Return"
        raise ValueError(
            f"a model takes a {parts.preprocess.kind} (batch, {', '.join(map(str, shape))}); {name} fails on it: "
            f"{reason} {resize} a LoadedModel with its own preparation from a function."
        ) from error
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != 1:
        if any_output:
            return 0, False
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(
            f"a classifier returns logits (batch, classes); {name} returned {got}. Wrap it in one that does, or "
            "say in a LoadedModel what it answers with: models.Objects() or models.Regions()."
        )
    total = float(logits.sum())
    return logits.shape[1], bool((logits >= 0).all()) and abs(total - 1) < PROBABILITY_ROUNDING


def _names(classes: int) -> tuple[str, ...]:
    return imagenet_labels() if classes == 1000 else tuple(f"class {i}" for i in range(classes))
