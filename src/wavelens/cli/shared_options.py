"""Options and set-up shared by the commands: the model and its kind, and input after input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.text import Text

from wavelens import models
from wavelens.cli.model_options import load_model
from wavelens.cli.terminal import complain, note, plain
from wavelens.explaining import Kind, kind_called, kind_of
from wavelens.explaining.errors import INPUT_ERRORS, sentence_of
from wavelens.explaining.files import check_there, inputs
from wavelens.explaining.kinds.photo import PHOTO
from wavelens.explaining.prompting import asked_for
from wavelens.explaining.request import DEFAULT_BLACK_BOX_METHOD, DEFAULT_METHOD, default_model
from wavelens.models import LoadedModel, Options, Preparation
from wavelens.models.loading import UNSAID, is_module_file
from wavelens.own import as_typed
from wavelens.spec import METHODS

Files = Annotated[list[str], typer.Argument(help="Files, folders of them, or patterns such as '*.jpg'.")]
ModelName = Annotated[
    str | None, typer.Option(help=f"The classifier: {models.FORMS}.", show_default=f"{models.EMBEDDED}, for photos")
]
DOMAIN_HELP = (
    "Domain of the explanation, as in Python: DWT('db4', levels=3), DWT('sym8', mode='reflect'), Identity, own:Mine()."
)
METHOD_HELP = f"Method, as in Python: SmoothGrad(samples=50); {', '.join(m.__name__ for m in METHODS)}, own:Mine()."
DEFAULT_METHOD_HELP = f"{as_typed(DEFAULT_METHOD)}; for models without gradients {as_typed(DEFAULT_BLACK_BOX_METHOD)}"
MethodText = Annotated[
    str | None,
    typer.Option(help=METHOD_HELP, show_default=DEFAULT_METHOD_HELP),
]
Out = Annotated[Path, typer.Option(help="Folder to write to.")]
BatchSize = Annotated[
    int | None, typer.Option(min=1, help="Number of inputs per forward pass.", show_default="what fits memory")
]
TargetText = Annotated[
    str | None,
    typer.Option(
        "--target",
        help="What to explain: a class by its index, its label or part of its label; 'text:a dog on a sofa', for a "
        "model of signals and texts; a class at a time, QRS@3.2s or P@10-12s; a forecast, @+24; a detected object, car "
        "or car#2; a region, region:road; or "
        "package.module:function, called as (module, x), which returns the target.",
        show_default="top class",
    ),
]
AgainstText = Annotated[
    str | None,
    typer.Option(
        "--against",
        help="Explain why the target rather than this class, by the difference of their logits: another class, or "
        "'next' for the runner-up of each input.",
    ),
]
Spacing = Annotated[
    str | None,
    typer.Option(
        help="Distance between neighbouring pixels or voxels of the input, one value or one per axis: 0.3 or 1.5,1,1; "
        "for a cloud the length of one step of its coordinates.",
        show_default="as stored in the files",
    ),
]
Unit = Annotated[str | None, typer.Option(help="The unit of --spacing.", show_default="m; mm for volumes")]
Rate = Annotated[
    float | None,
    typer.Option(
        help="Samples per second, for series whose files do not state it.", show_default="as stored in the files"
    ),
]
DeviceName = Annotated[
    str | None, typer.Option(help="Device: cpu, cuda, cuda:1, mps …", show_default="cuda if there is one")
]


def opened(
    model: str | None,
    options: Options,
    files: Sequence[str],
    device: torch.device,
    console: Console,
    any_output: bool = False,
    asked: Sequence[str | None] = (),
) -> tuple[LoadedModel, Kind]:
    """The model on its device, and the kind of signals that it takes.

    Paths that do not exist are found before it is loaded. Prompts among the targets that are `asked` for become classes
    of a model of signals and texts.
    """
    options = replace(options, prompts=asked_for(options.prompts, *asked))
    check_there(files)
    kind = kind_of(files)
    name = model or default_model(kind, Path(files[0]))
    if kind is not PHOTO and options.preparation is None and is_module_file(name):
        options = replace(options, preparation=_as_read(kind, files))
    bare = None if kind is PHOTO else partial(_as_read, kind, files)
    loaded = load_model(name, options, console, any_output=any_output, bare=bare)
    if loaded.preprocess is UNSAID:
        (side, _), (height, width) = UNSAID.resize, UNSAID.crop
        note(
            f"{name} says no preparation, so photos are resized to {side} and cropped to {height} × {width}, with "
            "pixels in [0, 1]. If it was trained on others, say so with --input-size, --crop, --mean and --std."
        )
    loaded.module.to(device)
    return loaded, kind_called(loaded.preprocess.kind)


def _as_read(kind: Kind, files: Sequence[str]) -> Preparation:
    """What hands the signal of the first file to a module as it is: a module says nothing of its input."""
    return kind.plain_preparation(kind.read(inputs(files, kind)[0]))


def spacing_of(text: str | None) -> tuple[float, ...] | None:
    try:
        return None if text is None else tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"--spacing must be one value, or one per axis separated by commas; got {text!r}.") from None


def each(work: Iterable[tuple[str, Callable[[], Iterable[Path]]]], console: Console) -> int:
    """Does one input after another, each giving the files as it writes them; names them all, and gives the exit code.

    `work` has the name of each input, which a complaint about it begins with where it does not hold it, and what is to
    be done. Files that were written before an input failed are there, and count.
    """
    written: list[Path] = []
    failures = 0
    for name, one in work:
        try:
            for file in one():
                written.append(file)
        except INPUT_ERRORS as error:
            message = sentence_of(error)
            complain(message if name in message else f"{name}: {message}")
            failures += 1
    for file in written:
        console.print(Text(f"wrote {plain(str(file))}"), soft_wrap=True)
    return 0 if not failures else 1 if written else 2
