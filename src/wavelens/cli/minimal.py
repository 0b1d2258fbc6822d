"""`wavelens minimal`: the fewest coefficients that keep a class's logit, as pictures, sounds, volumes or videos."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text
from torch import Tensor

from wavelens import masks
from wavelens.cli.model_options import with_model_options
from wavelens.cli.options import check_folder, domain_of
from wavelens.cli.shared_options import (
    AgainstText,
    BatchSize,
    DeviceName,
    Files,
    ModelName,
    Out,
    Spacing,
    TargetText,
    Unit,
    each,
    opened,
    spacing_of,
)
from wavelens.cli.terminal import Terminal, busy, plain, table
from wavelens.counts import with_minus
from wavelens.explaining import question_of
from wavelens.explaining.arguments import device_called
from wavelens.explaining.files import inputs, stems
from wavelens.explaining.minimal import (
    WRITTEN_TOGETHER,
    MinimalRequest,
    MinimalResult,
    minimal_input,
    signal_endings,
    write_minimal,
)
from wavelens.explaining.question import is_target_function
from wavelens.explaining.request import fitted
from wavelens.explaining.spacing import spaced
from wavelens.models import Options
from wavelens.models.module_kinds import check_gradients
from wavelens.own import positional_count
from wavelens.shapes import SHAPES
from wavelens.spec import parse_own

ALPHAS = "100,1000,10000"


@with_model_options
def minimal(
    files: Files,
    model: ModelName = None,
    options: Options = Options(),
    target: TargetText = None,
    against: AgainstText = None,
    domain: Annotated[
        str | None,
        typer.Option(help="Domain in which coefficients are masked.", show_default="for photos DWT('haar', levels=5)"),
    ] = None,
    alpha: Annotated[
        str, typer.Option(help="Weight of the mask's mean against the logit; several values separated by commas.")
    ] = ALPHAS,
    steps: Annotated[int, typer.Option(min=1, help="Maximum number of optimiser steps.")] = 100,
    baseline: Annotated[
        str,
        typer.Option(
            help="What replaces dropped coefficients: a number, Blur(sigma=10), Noise(seed=0) or, for clouds, Sphere()."
        ),
    ] = "0",
    spacing: Spacing = None,
    unit: Unit = None,
    out: Out = Path("wavelens-out"),
    batch_size: BatchSize = None,
    device: DeviceName = None,
) -> None:
    """Find the fewest coefficients that keep the answer.

    For each input, prints in one sentence how few coefficients keep the answer, then the trade-off between zeros and
    logit and how much of each scale is kept, and writes to the folder --out: NAME-minimal.png (both and, for photos,
    what is left for each alpha), NAME-minimal.json and, for each alpha, what is left of a sound as WAV or of a volume
    as NIfTI. --spacing gives the unit in which scales are named. If two inputs share a NAME, or a file that is no
    result has it, the input becomes NAME-2; results of an earlier run are overwritten. A mask may raise the logit far
    above that of the input: it is fitted to the network and shows what suffices, not what the network relied on.

    Exit codes, as for explain: 0, all inputs were done; 1, some; 2, none, or an option is wrong.
    """
    chosen_domain, alphas, chosen_device = domain_of(domain), _alphas(alpha), device_called(device)
    dropped = _baseline(baseline)
    check_folder(out)
    console = Terminal()
    loaded, kind = opened(
        model, options, files, chosen_device, console, is_target_function(target), asked=(target, against)
    )
    check_gradients(loaded.module)
    loaded = spaced(loaded, spacing_of(spacing), unit)
    own = fitted(chosen_domain, kind, loaded)
    question = question_of(target, against, loaded)
    request = MinimalRequest(loaded, kind, question, own, alphas, steps, dropped, batch_size, chosen_device)
    raise typer.Exit(_reduce_all(request, inputs(files, kind, loaded.preprocess), out, console))


def _alphas(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"--alpha takes numbers from 0 separated by commas, such as {ALPHAS}; got {text!r}.") from None


def _baseline(text: str) -> float | masks.Noise | Callable[[Tensor], Tensor]:
    refusal = f"--baseline takes a number, Blur(sigma=10), Noise(seed=0) or, for clouds, Sphere(); got {text!r}."
    try:
        return float(text)
    except ValueError:
        if not {"(", ":"} & set(text):  # no value of the library and nothing of one's own
            raise ValueError(refusal) from None
        value = parse_own(text, (masks.Blur, masks.Noise), what="baseline", choices=(masks.Blur, masks.Noise, *SHAPES))
    if not isinstance(value, (masks.Blur, masks.Noise, *SHAPES)) and positional_count(value) != 1:
        raise ValueError(f"{refusal} One of your own is called as baseline(x).")
    baseline: masks.Noise | Callable[[Tensor], Tensor] = value
    return baseline


def _reduce_all(request: MinimalRequest, paths: list[Path], out: Path, console: Console) -> int:
    def one(path: Path, stem: str) -> Iterator[Path]:
        with busy(console, f"masking {path.name}"):
            result = minimal_input(request, path)
        _print(result, console)
        return write_minimal(result, out / f"{stem}-minimal")

    named = zip(paths, stems(paths, out, request.kind, WRITTEN_TOGETHER, signal_endings(request)), strict=True)
    return each(((str(path), partial(one, path, stem)) for path, stem in named), console)


def _print(result: MinimalResult, console: Console) -> None:
    console.print(Text(plain(str(result.input.path)), style="bold"), soft_wrap=True)
    console.print(Text(f"{result.target.heading}, in {result.request.domain}"), soft_wrap=True)
    console.print(Text(plain(result.sentence)), soft_wrap=True)
    printed = table("alpha", "zeros", result.target.number, "probability", "steps")
    for k, row in enumerate(result.rows()):
        name = f"{row['alpha']:g}" if k else "input"
        chance = "" if row["probability"] is None else f"{row['probability']:.1%}"
        cells = f"{row['zeros']:.1%}", with_minus(f"{row[result.score]:.3f}"), chance, f"{row['steps']:.0f}"
        printed.add_row(name, *cells)
    console.print(printed)
    kept = table("scale", "extent", *(f"kept, α = {alpha:g}" for alpha in result.request.alphas))
    for scale in result.scales():
        kept.add_row(scale["scale"], scale["extent"], *(f"{share:.1%}" for share in scale["kept"]))
    console.print(kept)
