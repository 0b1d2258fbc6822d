"""`wavelens explain`: explains files of signals of any kind, prints and writes the results."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from wavelens.cli.many import FEW, Many
from wavelens.cli.model_options import with_model_options
from wavelens.cli.options import check_folder, domain_called, explainer_of
from wavelens.cli.printing import print_explanation
from wavelens.cli.scenes import explain_scenes, one_of
from wavelens.cli.shared_options import (
    DEFAULT_METHOD_HELP,
    DOMAIN_HELP,
    METHOD_HELP,
    AgainstText,
    BatchSize,
    DeviceName,
    Files,
    ModelName,
    Out,
    Rate,
    Spacing,
    TargetText,
    Unit,
    each,
    opened,
    spacing_of,
)
from wavelens.cli.terminal import Terminal, plain, tell
from wavelens.explaining import explained, request_for
from wavelens.explaining.arguments import device_called
from wavelens.explaining.by_domain import endings
from wavelens.explaining.figures import FORMATS, Figures
from wavelens.explaining.files import inputs, stems
from wavelens.explaining.interventions import MAX_FORWARD_PASSES
from wavelens.explaining.question import is_target_function
from wavelens.explaining.report import report_path
from wavelens.explaining.request import Request
from wavelens.explaining.spacing import rated, spaced
from wavelens.models import Options
from wavelens.own import text_of
from wavelens.reports import Section, section, write_page


@with_model_options
def explain(
    files: Files,
    model: ModelName = None,
    options: Options = Options(),
    target: TargetText = None,
    against: AgainstText = None,
    domain: Annotated[
        list[str] | None,
        typer.Option(
            help=f"{DOMAIN_HELP} May be repeated: all domains share one pass of gradients.",
            show_default="for photos DWT('haar', levels=5), else by kind",
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help=f"{METHOD_HELP} Explainers such as GradCAM() are accepted too. May be repeated: the first is "
            "explained, the others stand beside it.",
            show_default=DEFAULT_METHOD_HELP,
        ),
    ] = None,
    out: Out = Path("wavelens-out"),
    batch_size: BatchSize = None,
    top: Annotated[int, typer.Option(min=1, help="Number of classes to print.")] = 5,
    device: DeviceName = None,
    decompose: Annotated[
        str | None,
        typer.Option(help="Wavelets such as haar,db4,bior2.2: draw what each scale contributes in each of them."),
    ] = None,
    spacing: Spacing = None,
    unit: Unit = None,
    rate: Rate = None,
    exact_passes: Annotated[
        bool,
        typer.Option("--exact-passes", help="Run the model exactly as it is: slower, and the same up to rounding."),
    ] = False,
    interventions: Annotated[
        bool | None,
        typer.Option(
            "--interventions/--no-interventions",
            help="Compute the Shapley value of each scale whatever it costs, or never.",
            show_default=f"exact where {MAX_FORWARD_PASSES} forward passes are enough, else sampled, and of very many "
            "scales by octave",
        ),
    ] = None,
    tiles: Annotated[
        float | None,
        typer.Option(
            help="Explain rasters larger than the model's input tile by tile, and write maps over the scene. "
            "Neighbouring tiles share this part of a side, 0 to 0.9.",
            show_default="explain the middle of the raster",
        ),
    ] = None,
    formats: Annotated[
        str, typer.Option("--format", help=f"Formats of the figures, separated by commas: {', '.join(FORMATS)}.")
    ] = "png",
    size: Annotated[
        int | None,
        typer.Option(help="Width of PNG figures in pixels.", show_default="1600 for most figures"),
    ] = None,
    words: Annotated[
        bool,
        typer.Option(
            "--words",
            help="For a model of signals and texts: account for the words of --target text:… and of --against too, on "
            "one path with the file.",
        ),
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Also write report.html, one self-contained page with pictures and sounds.")
    ] = False,
) -> None:
    """Explain a classifier's decision, scale by scale. Takes photos, sounds, volumes, videos, series, clouds,
    rasters and texts.

    Prints the top classes and the scale profile of each input: what each scale contributes along the method's path, and
    beside it the scale's Shapley value, which is what the scale adds when scales come and go.

    Writes to the folder --out: NAME.png (the panel), NAME.safetensors (the attribution), NAME.json (a summary) and
    further files of the kind of signal. If the model sees only a part of a photo, or a smaller copy, NAME-overlay.png
    shows the map over the whole photo. If two inputs share a NAME, or a file that is no result has it, the input
    becomes NAME-2.

    Each further --domain adds NAME-DWT.png …, and NAME-marginal.png shows the means over all domains. --decompose adds
    NAME-decomposed.png, the input rebuilt scale by scale from its important coefficients in each of the wavelets, and
    NAME-scales.png, which shows where each scale of the first wavelet matters. --tiles writes NAME-tiles.json,
    NAME-tiles.png and, for scenes with coordinates, NAME-signed.tif ….

    Up to five inputs are explained anew by every run, and results of an earlier run are overwritten. For more than five
    inputs it prints one line per input, and writes summary.csv with one row per input and, with --report, the report as
    it goes. Run again, the same command then keeps the results that are there and explains the rest; those of another
    command are overwritten.

    Exit codes: 0, all inputs were explained; 1, some were (one line on stderr per input says what is wrong with the
    others, or which files could not be written); 2, none was, or an option is wrong.
    """
    chosen_domains = [domain_called(text) for text in domain or ()]
    chosen_methods, chosen_device = [explainer_of(text) for text in method or ()], device_called(device)
    figures = Figures(tuple(part.strip() for part in formats.split(",")), size)
    check_folder(out)
    console = Terminal()
    loaded, kind = opened(
        model, options, files, chosen_device, console, is_target_function(target), asked=(target, against)
    )
    loaded = rated(spaced(loaded, spacing_of(spacing), unit), rate)
    if tiles is not None:
        if against or decompose:
            raise ValueError("--tiles writes maps; got --against or --decompose beside it. Leave these out.")
        one = {"target": target, "overlap": tiles, "batch_size": batch_size}
        one |= {"domain": one_of("domain", chosen_domains), "method": one_of("method", chosen_methods)}
        code = explain_scenes(loaded, kind, files, out, console, report, **one)
        _note_earlier_report(out, console, report, code)
        raise typer.Exit(code)
    request = request_for(
        loaded,
        kind,
        chosen_device,
        target=target,
        against=against,
        domain=chosen_domains or None,
        method=chosen_methods or None,
        decompose=() if decompose is None else tuple(decompose.split(",")),
        batch_size=batch_size,
        top=top,
        exact_passes=exact_passes,
        interventions=interventions,
        figures=figures,
        words=words,
    )
    code = _explain_all(request, inputs(files, kind, loaded.preprocess), out, console, report)
    _note_earlier_report(out, console, report, code)
    raise typer.Exit(code)


def _note_earlier_report(out: Path, console: Console, report: bool, code: int) -> None:
    """Says of a report that this run did not write that it shows other results; after an error, nothing."""
    if not (report or code) and (path := report_path(out)).exists():
        console.print(Text(f"{path.name} in {plain(str(out))} is from an earlier run."), soft_wrap=True)


def _explain_all(request: Request, paths: list[Path], out: Path, console: Console, report: bool) -> int:
    """Explains and reports input by input; the exit code."""
    sections: list[Section] = []

    def one(number: int, path: Path, stem: str) -> Iterator[Path]:
        tell(console, f"explaining {path.name}")
        explanation = explained(request, path, progress=console.is_terminal)
        prefix = f"{request.kind.name} {number} of {len(paths)}: " if len(paths) > 1 else ""
        print_explanation(explanation, console, prefix)
        yield from explanation.write(out / stem)
        if report:
            sections.append(section(explanation.entry(), len(paths)))

    def last() -> list[Path]:
        return [write_page(sections, report_path(out))] if sections else []

    methods = [text_of(method) for method in request.further_methods]
    also = endings(request.domains, bool(request.decompose), methods, request.figures)
    named = list(zip(paths, stems(paths, out, request.kind, also=also), strict=True))
    if len(named) > FEW:
        return Many(request, named, out, console, report)()
    work = [(str(path), partial(one, number, path, stem)) for number, (path, stem) in enumerate(named, 1)]
    return each([*work, ("", last)], console)
