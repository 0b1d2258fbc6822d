"""`explain`, the call from Python: from files and a model to explanations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, overload

import torch
from torch import nn

from wavelens import models
from wavelens.core import Domain
from wavelens.engine.progress import Progress
from wavelens.explaining.answer import Explanation
from wavelens.explaining.arguments import check_model, check_options, device_called, files_of
from wavelens.explaining.bare import device_of, load_bare
from wavelens.explaining.computing import explained
from wavelens.explaining.errors import INPUT_ERRORS
from wavelens.explaining.kinds import kind_called, kind_of
from wavelens.explaining.kinds.photo import PHOTO
from wavelens.explaining.prompting import asked_for, asking
from wavelens.explaining.question import is_target_function
from wavelens.explaining.request import Request, default_model, request_for
from wavelens.explaining.spacing import rated, spaced
from wavelens.models import LoadedModel, Pair
from wavelens.models.loading import is_module_file, is_name
from wavelens.models.module_kinds import check_evaluation
from wavelens.targets import Against, Target

PathText = str | PathLike[str]
Model = str | LoadedModel | nn.Module


@overload
def explain(paths: PathText, model: Model | None = None, **options: Any) -> Explanation: ...


@overload
def explain(paths: Sequence[PathText], model: Model | None = None, **options: Any) -> list[Explanation | Exception]: ...


def explain(
    paths: PathText | Sequence[PathText],
    model: Model | None = None,
    *,
    target: Target = None,
    against: str | int | None = None,
    domain: Domain | Sequence[Domain] | None = None,
    method: Any = None,
    decompose: Sequence[str] = (),
    batch_size: int | None = None,
    top: int = 5,
    device: str | torch.device | None = None,
    spacing: float | Sequence[float] | None = None,
    unit: str | None = None,
    rate: float | None = None,
    exact_passes: bool = False,
    interventions: bool | None = None,
    words: bool = False,
    progress: Progress = False,
    **options: Any,
) -> Explanation | list[Explanation | Exception]:
    """Explain a file, or several, as `wavelens explain` does: read, prepare, attribute.

    `model` is a name as `models.load` takes it (with `options` such as `weights`), a `LoadedModel`, or an `nn.Module`;
    by default it is the model of the file's kind. A bare module takes the kind of its file, and gets the signal as it
    is: a photo at its own size as floats in [0, 1], a sound at its own rate with its own channels, a volume with its
    own values, a video with all its frames, a cloud with all its points. For any other preparation pass a
    `LoadedModel`.

    `target` is a class by its index or label, 'text:a dog on a sofa' for a `models.Pair` or the name of one,
    'package.module:function', or any target of `attribute`; by default the top class. The other options are those of
    the command: `against`, another class or "next", the runner-up; `domain`, by default that of the kind, or a list, in
    each of which the same gradients are read; `method`, or a list, of which the first is explained while the others,
    explainers such as `GradCAM()` too, stand beside it, by default `IntegratedGradients(tolerance=0.02)` or, for a
    `models.BlackBox` and an ONNX file, `HierarchicalShapley()`; `decompose`, names of wavelets in which pictures are
    shown scale by scale; `batch_size`; `top`, the number of classes in summaries; `spacing` and `unit` of pixels and
    voxels; `rate` of series that do not say theirs; `exact_passes`. `device` is for a model by name; a module is used
    where it is. `progress` is that of `attribute`.

    Beside the attribution stand the Shapley values of the scales, `explanation.shapley`: exact up to eight scales,
    sampled where 256 forward passes do not suffice, left out where few samples do not fit them. With
    `interventions=True` they are computed whatever they cost, with `interventions=False` never.

    With `words`, for a pair and a target "text:a dog on grass", the text is accounted for too, on one path with the
    file: what each word adds, `explanation.sides`, which scale it counts with, and where the file answers it; with a
    text `against` it the words of both are.

    One path returns an `Explanation`, or raises its error. A list returns a list in the same order, which holds the
    exception in place of a file that cannot be explained, so that one broken file does not end the others. Options
    that are wrong for every file, such as an unknown class, raise in both cases.

    >>> import torch, wavelens as wl
    >>> wl.frontends.write_audio("tone.wav", torch.sin(torch.arange(4000) / 5)[None, None], rate=8000)
    >>> model = torch.nn.Sequential(torch.nn.AvgPool1d(4000), torch.nn.Flatten(), torch.nn.Linear(1, 2)).eval()
    >>> explanation = wl.explain("tone.wav", model, target=1)
    >>> [row["extent"] for row in explanation.profile][-2:]
    ['1000–2000 Hz', '2000–4000 Hz']
    >>> [path.name for path in explanation.save("found")][:3]
    ['tone.png', 'tone.safetensors', 'tone.json']
    """
    files = files_of(paths)
    check_model(model)
    check_options(options)
    asked, options = _asked(model, options, target, against)
    steps = (spacing,) if isinstance(spacing, int | float) else spacing

    def request_at(path: Path) -> Request:
        given = _loaded(asked, path, device, options, is_target_function(target))
        loaded = rated(spaced(given, steps, unit), rate)
        return request_for(
            loaded,
            kind_called(loaded.preprocess.kind),
            device_of(loaded.module),
            target=target,
            against=against,
            domain=domain,
            method=method,
            decompose=(decompose,) if isinstance(decompose, str) else decompose,
            batch_size=batch_size,
            top=top,
            exact_passes=exact_passes,
            interventions=interventions,
            words=words,
            by_name=not isinstance(model, nn.Module) and is_name(loaded.name),
        )

    if isinstance(asked, nn.Module):
        check_evaluation(asked)
    shared = None if isinstance(asked, nn.Module) else request_at(files[0])

    def one(path: Path) -> Explanation:
        return explained(shared or request_at(path), path, progress)

    return one(files[0]) if isinstance(paths, str | PathLike) else [_tried(one, path) for path in files]


def _asked(
    model: Model | None, options: dict[str, Any], target: Target, against: Any
) -> tuple[Model | None, dict[str, Any]]:
    """The model, or the options of one by its name, with the prompts among the targets."""
    sides = (target.target, target.against) if isinstance(target, Against) else (target, against)
    if isinstance(model, LoadedModel | Pair):
        return asking(model, *sides), options
    prompts = asked_for(options.get("prompts"), *sides)
    if prompts and isinstance(model, nn.Module):
        raise ValueError(f"a prompt needs a Pair; got a {type(model).__name__}. Wrap its towers in a models.Pair.")
    return model, options | ({"prompts": prompts} if prompts else {})


def _tried(one: Callable[[Path], Explanation], path: Path) -> Explanation | Exception:
    try:
        return one(path)
    except INPUT_ERRORS as error:
        return error


def _loaded(
    model: Model | None, path: Path, device: str | torch.device | None, options: dict[str, Any], any_output: bool
) -> LoadedModel:
    """The model by its name, as it is given, or a bare module as it takes the file."""
    if isinstance(model, nn.Module | LoadedModel):
        if device is not None or options:
            named = ", ".join([*(["device"] if device is not None else []), *options])
            raise ValueError(f"a module is explained as and where it is; got {named}, for a model by its name.")
        return load_bare(model, path) if isinstance(model, nn.Module) else model
    kind = kind_of([str(path)])
    name, place = model or default_model(kind, path), device_called(device)
    if kind is not PHOTO and options.get("preparation") is None and is_module_file(name):
        options = options | {"preparation": kind.plain_preparation(kind.read(path))}
    bare = None if kind is PHOTO else lambda: kind.plain_preparation(kind.read(path))
    loaded = models.load(name, any_output=any_output, bare=bare, **options)
    loaded.module.to(place)
    return loaded
