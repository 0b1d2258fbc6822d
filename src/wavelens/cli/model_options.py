"""How a model is loaded: the options for it that commands share, and what is recorded of them."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, get_args

import typer
from rich.console import Console

from wavelens import models
from wavelens.cli.terminal import busy, note
from wavelens.explaining import AsRead
from wavelens.models import (
    Bands,
    CheckpointWarning,
    Fitted,
    Geometry,
    LoadedModel,
    Options,
    Points,
    Preparation,
    Resolutions,
    Sampling,
    Traces,
    VideoGeometry,
    Voxels,
)
from wavelens.models.options import options_of
from wavelens.models.preparations.image import FILTERS
from wavelens.spec import parse_own

Weights = Annotated[
    str | None,
    typer.Option(help="Checkpoint (.safetensors, .pth) or folder that holds it; FILE::KEY selects one of several."),
]
Trust = Annotated[
    bool,
    typer.Option("--trust", help="Load a model file from outside the working folder, which runs code stored in it."),
]
ClassNames = Annotated[
    str | None,
    typer.Option(
        help="File of class names: one per line, or JSON. A model of signals and texts takes each as a class.",
        show_default="the model's",
    ),
]
Template = Annotated[
    str | None,
    typer.Option(
        help="Text in which {} stands for a class name, for a model of signals and texts: 'a photo of a {}.'.",
        show_default="the name alone",
    ),
]
Mean = Annotated[
    str | None,
    typer.Option(help="Mean of pixels in [0, 1]: one value, or one per channel.", show_default="the model's"),
]
Std = Annotated[
    str | None,
    typer.Option(
        help="Standard deviation of pixels in [0, 1]: one value, or one per channel.", show_default="the model's"
    ),
]
InputSize = Annotated[
    str | None,
    typer.Option(help="Input size in pixels: 224, or height and width: 224,320.", show_default="the model's"),
]
Crop = Annotated[
    str | None,
    typer.Option(
        help="Share of the resized photo's side that the centre crop keeps, such as 0.875; or squash: resize to the "
        "input size without a crop.",
        show_default="the model's",
    ),
]
Interpolation = Annotated[
    str | None,
    typer.Option(help=f"Filter for resizing: {', '.join(FILTERS)}.", show_default="the model's"),
]


PreparationText = Annotated[
    str | None,
    typer.Option(
        help="How inputs are prepared, as in Python: Traces((3, 3000), rate=100), Voxels((1, 64, 64, 64)), own:Mine().",
        show_default="that of the model",
    ),
]
BandNames = Annotated[
    str | None,
    typer.Option(
        help="Bands of a raster for the model, in its order, by name or number: B04,B03,B02 or 4,3,2.",
        show_default="those that the model names, or all",
    ),
]
Windows = Annotated[
    bool,
    typer.Option("--windows", help="Split texts that are too long for the model into windows, and average the logits."),
]
QuestionText = Annotated[
    str | None, typer.Option(help="Question to a model that writes about pictures: 'what is on the road?'.")
]
PREPARATIONS = (AsRead, Bands, Fitted, Geometry, Points, Resolutions, Sampling, Traces, VideoGeometry, Voxels)


def model_options(
    weights: Weights = None,
    trust: Trust = False,
    class_names: ClassNames = None,
    mean: Mean = None,
    std: Std = None,
    input_size: InputSize = None,
    crop: Crop = None,
    interpolation: Interpolation = None,
    preparation: PreparationText = None,
    bands: BandNames = None,
    windows: Windows = False,
    template: Template = None,
    question: QuestionText = None,
) -> Options:
    """The options as `models.load` has them."""
    return options_of(
        weights=weights,
        trust=trust,
        class_names=class_names,
        mean=_numbers("mean", mean, float),
        std=_numbers("std", std, float),
        input_size=_numbers("input-size", input_size, int),
        crop=_share(crop),
        interpolation=interpolation,
        preparation=_preparation(preparation),
        bands=bands,
        windows=windows,
        template=template,
        question=question,
    )


def with_model_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameter `options` is given by `model_options`, each of whose parameters is an option of it.

    Those that the command has itself it is given itself.
    """
    own = inspect.signature(command, eval_str=True)
    shared = inspect.signature(model_options, eval_str=True)
    added = [_named(parameter, own) for name, parameter in shared.parameters.items() if name not in own.parameters]

    @wraps(command)
    def run(**arguments: Any) -> None:
        given = {parameter.name: arguments.pop(parameter.name) for parameter in added}
        command(**arguments, options=model_options(**given))

    parameters = list(own.parameters.values())
    place = list(own.parameters).index("options")
    parameters[place : place + 1] = added
    run.__dict__["__signature__"] = own.replace(parameters=parameters)
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _named(parameter: inspect.Parameter, own: inspect.Signature) -> inspect.Parameter:
    """The parameter; class names are called --labels too, where a command has no such option of its own."""
    if parameter.name != "class_names" or "labels" in own.parameters:
        return parameter
    kind, option = get_args(parameter.annotation)
    both = typer.Option("--class-names", "--labels", help=option.help, show_default=option.show_default)
    return parameter.replace(annotation=Annotated[kind, both])


def load_model(
    name: str,
    options: Options,
    console: Console,
    *,
    any_output: bool = False,
    bare: Callable[[], Preparation] | None = None,
) -> LoadedModel:
    """The model, with a line about what was left out of its checkpoint."""
    with busy(console, f"loading the model {name}"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CheckpointWarning)
        loaded = models.load(name, any_output=any_output, bare=bare, **options.given)
    for one in caught:
        if issubclass(one.category, CheckpointWarning):
            note(str(one.message))
        else:
            warnings.showwarning(one.message, one.category, one.filename, one.lineno)
    return loaded


def _numbers(name: str, text: str | None, kind: Callable[[str], Any]) -> Any:
    """One number or a tuple of them, from numbers separated by commas."""
    if text is None:
        return None
    try:
        values = tuple(kind(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"--{name} must be one value, or several separated by commas; got {text!r}.") from None
    return values[0] if len(values) == 1 else values


def _preparation(text: str | None) -> Any:
    value = None if text is None else parse_own(text, PREPARATIONS, what="preparation", choices=PREPARATIONS)
    if value is None or isinstance(value, PREPARATIONS) or hasattr(value, "grid"):
        return value
    known = ", ".join(cls.__name__ for cls in PREPARATIONS)
    raise ValueError(f"--preparation must be one of {known}, or your own; got {text}.")


def _share(text: str | None) -> float | str | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text
