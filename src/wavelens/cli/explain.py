"""`wavelens explain`: explains files of signals of any kind, prints and writes the results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wavelens.accounts import aligned
from wavelens.attribution import Attribution
from wavelens.cli.many import FEW, Many
from wavelens.cli.model_options import with_model_options
from wavelens.cli.options import check_folder, domain_called, explainer_of
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
from wavelens.cli.terminal import Terminal, plain, table, tell
from wavelens.explaining import Explanation, explained, request_for
from wavelens.explaining.arguments import device_called
from wavelens.explaining.by_domain import endings, marginal_rows
from wavelens.explaining.figures import FORMATS, Figures
from wavelens.explaining.files import inputs, stems
from wavelens.explaining.interventions import MAX_FORWARD_PASSES
from wavelens.explaining.question import is_target_function
from wavelens.explaining.report import report_path
from wavelens.explaining.request import Request
from wavelens.explaining.spacing import rated, spaced
from wavelens.explaining.summary import box_text, profile_rows, start_of
from wavelens.grid import Grid
from wavelens.marginal import short_names
from wavelens.methods.shapley import ShapleyValues
from wavelens.models import Options
from wavelens.own import text_of
from wavelens.pairs import BothSides
from wavelens.pairs.telling import sentences
from wavelens.reports import Section, section, write_page
from wavelens.words import WordAccount

TABLE_WORDS = 12  # of the table, the largest

MAX_SCALE_COLUMNS = 9  # and the names of channels: about 80 characters

MAX_OBJECT_ROWS = 20


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
            help=f"{DOMAIN_HELP} Give it several times for several domains from one pass of gradients.",
            show_default="for photos DWT('haar', levels=5), else by kind",
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help=f"{METHOD_HELP} Explainers such as GradCAM() too; given several times, the others stand beside the "
            "first.",
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
        bool, typer.Option("--exact-passes", help="Run the model's own passes: nothing folded, no other memory format.")
    ] = False,
    interventions: Annotated[
        bool | None,
        typer.Option(
            "--interventions/--no-interventions",
            help="What each scale adds when scales come and go (Shapley values): whatever it costs, or never.",
            show_default=f"exact or sampled, where {MAX_FORWARD_PASSES} forward passes suffice",
        ),
    ] = None,
    tiles: Annotated[
        float | None,
        typer.Option(
            help="Explain rasters larger than the model's input tile by tile; neighbours share this part of a side, 0 "
            "to 0.9. Writes maps over the scene.",
            show_default="the middle of the raster",
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
            "--words", help="Of a pair: account for the words of --target text:… too, on one path with the file."
        ),
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Also write report.html, one self-contained page with pictures and sounds.")
    ] = False,
) -> None:
    """Explain a classifier's decision, scale by scale. Takes photos, sounds, volumes, videos, series, clouds,
    rasters and texts.

    Prints the top classes and the scale profile of each input: what each scale contributes along the method's path, and
    beside it the scale's Shapley value, which says what the scale adds when scales come and go. Writes NAME.png (the
    panel), NAME.safetensors (the attribution), NAME.json (a summary) and what else belongs to its kind to the folder
    --out. Each further --domain reads the same gradients, into NAME-DWT.png …; NAME-marginal.png has the means of all.
    With --decompose, NAME-decomposed.png shows the input rebuilt scale by scale from its important coefficients in each
    of the wavelets, from the same gradients, and NAME-scales.png where in it each scale of the first matters, one
    colour per scale. For a photo of which the model is given a part, or a smaller one, NAME-overlay.png has the map
    over the whole photo. With --against the difference of two logits is explained, and a --target that is a function
    asks any model for any number. With --spacing scales are named in its unit. With --tiles a raster larger than the
    model's input is explained tile by tile, into NAME-tiles.json and maps over the scene, NAME-signed.tif …. An input
    whose NAME is taken gets NAME-2.

    For more than five inputs it prints one line for each and writes summary.csv, one row for each, and the report as it
    goes. The same command again keeps the results that are there and explains the rest.

    Exit codes: 0, all inputs were explained; 1, some were, and a line on stderr says what is wrong with each of the
    others, or with those of whose files some could not be written; 2, none was, or an option is wrong.
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
        if against or decompose or report:
            raise ValueError("--tiles writes maps; got --against, --decompose or --report beside it. Leave these out.")
        one = {"target": target, "overlap": tiles, "batch_size": batch_size}
        one |= {"domain": one_of("domain", chosen_domains), "method": one_of("method", chosen_methods)}
        raise typer.Exit(explain_scenes(loaded, kind, files, out, console, **one))
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
    raise typer.Exit(_explain_all(request, inputs(files, kind, loaded.preprocess), out, console, report))


def _explain_all(request: Request, paths: list[Path], out: Path, console: Console, report: bool) -> int:
    """Explains and reports input by input; the exit code."""
    sections: list[Section] = []

    def one(number: int, path: Path, stem: str) -> Iterator[Path]:
        tell(console, f"explaining {path.name}")
        explanation = explained(request, path, progress=console.is_terminal)
        _print(explanation, console, f"{request.kind.name} {number} of {len(paths)}: " if len(paths) > 1 else "")
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


def _print(explanation: Explanation, console: Console, prefix: str) -> None:
    console.print(Text(f"{prefix}{plain(str(explanation.input.path))}", style="bold"), soft_wrap=True)
    if explanation.note:
        console.print(Text(plain(explanation.note)), soft_wrap=True)
    if len(explanation.attributions) == 1:  # of several domains each has its own
        _print_texts(console, *explanation.sentences()[:2])
    if explanation.answer:
        console.print(_class_table(explanation.answer))
    if explanation.detections:
        console.print(_object_table(explanation))
    _print_texts(console, _account(explanation))
    _print_scales(explanation, console)
    _print_sides(explanation, console)
    if explanation.by_channel:
        console.print(_channel_table(explanation))
    if explanation.words is not None:
        _print_texts(console, explanation.words.sentence, explanation.words.by_shapley)
        console.print(_word_table(explanation.words))
        _print_texts(console, explanation.words.reason)
    if missed := explanation.caution:
        advice = "Try --method 'IntegratedGradients(tolerance=0.02, max_steps=1000)'."
        console.print(Text(f"{missed} {advice}", style="yellow"), soft_wrap=True)


def _print_scales(explanation: Explanation, console: Console) -> None:
    """The profile in each domain with both accounts, and all domains together."""
    several, grid = explanation.attributions, explanation.input.grid
    for k, a in enumerate(several):
        told, shapley = explanation.sentences(k), explanation.shapley_in(k)
        if len(several) > 1:
            _print_texts(console, f"in {plain(text_of(a.domain))}", told.largest, told.by_shapley)
        console.print(_scale_table(a, grid, shapley, _sides_of(explanation.sides, k)))
        _print_texts(console, told.compared, told.pairs)
        if shapley is not None and shapley.interaction is not None:
            console.print(_pair_table(shapley))
        _print_texts(console, told.sampled)
    for a in explanation.further_methods:
        _print_texts(console, f"beside it {plain(a.method)}, in {plain(text_of(a.domain))}")
        if len(a.layout.scales()) > 1:
            console.print(_scale_table(a, grid, None, None))
    if explanation.marginal is not None:
        console.print(Text(f"{len(several)} domains together, mean ± spread from one to another"), soft_wrap=True)
        console.print(_marginal_table(explanation))
    elif explanation.no_marginal:
        console.print(Text(f"no common account: {explanation.no_marginal}"), soft_wrap=True)


def _sides_of(sides: BothSides | None, domain: int) -> BothSides | None:
    """Both sides as the table of a domain has them: Shapley values are of the first alone."""
    return sides if sides is None or domain == 0 else replace(sides, by_scale=None)


def _print_texts(console: Console, *texts: str) -> None:
    for text in texts:
        if text:
            console.print(Text(text), soft_wrap=True)


def _account(explanation: Explanation) -> str:
    """The target, its score, and whether the scales below add up to its rise: those of path methods do."""
    request, a, target = explanation.request, explanation.attribution, explanation.target
    start = start_of(request.method, request.kind)
    verb = "it responds to" if a.gap is None else f"its rise over {start} comes from"
    assert a.score is not None
    return f"{target.heading}, {target.number} {float(a.score):.3f}: {verb} these scales"


def _class_table(classes: list[dict[str, Any]]) -> Table:
    shown = table("index", "class", "probability", "logit")
    for row in classes:
        chance = "—" if row["probability"] is None else f"{row['probability']:.1%}"
        shown.add_row(str(row["index"]), plain(row["label"]), chance, f"{row['logit']:.3f}")
    return shown


def _object_table(explanation: Explanation) -> Table:
    """What a detector finds, the most probable first; an arrow points at what is explained."""
    shown = table("", "object", "probability", "box in pixels: left, top to right, bottom")
    rows = explanation.detections
    for row in [one for k, one in enumerate(rows) if k < MAX_OBJECT_ROWS or one["explained"]]:
        arrow = "→" if row["explained"] else ""
        shown.add_row(arrow, plain(row["name"]), f"{row['probability']:.1%}", box_text(row["box"]))
    if len(rows) > MAX_OBJECT_ROWS:
        shown.caption = f"{MAX_OBJECT_ROWS} of {len(rows)} detections; the summary has all"
    return shown


def _scale_table(a: Attribution, grid: Grid, shapley: ShapleyValues | None, sides: BothSides | None) -> Table:
    """The profile: signed sums and Shapley values with what they add up to, and shares of the total magnitude."""
    rows, by_scale = profile_rows(a, grid, shapley), sides.by_scale if sides is not None else None
    has_values = shapley is not None or by_scale is not None
    if by_scale is not None:
        rows = [{**row, "shapley": value} for row, value in zip(rows, by_scale.scale_values.tolist(), strict=True)]
    shown = table("scale", "extent", "signed sum", *["Shapley value"] * has_values, "share of |γ|")
    for row in rows:
        values = [_signed(row["shapley"]) + _plus_minus(row.get("shapley_error"))] if has_values else []
        shown.add_row(row["scale"], row["extent"], _signed(row["signed"]), *values, f"{row['share']:.1%}")
    words = 0.0 if sides is None else float(sides.account.values.sum())
    by_word = 0.0 if by_scale is None else float(by_scale.word_values.sum())
    if sides is not None:
        shown.add_row("words", "", _signed(words), *[_signed(by_word)] * has_values, "")
    shown.add_section()
    total = None if a.data.is_complex() else float(a.data.sum()) + words
    sums = [_signed(sum(row["shapley"] for row in rows) + by_word)] if has_values else []
    shown.add_row("total", "", _signed(total), *sums, f"{sum(row['share'] for row in rows):.1%}")
    if a.gap is not None:
        rise = f"{float(a.data.sum() + a.gap) + words:+.4f}"
        shown.add_row("f(x) − f(x₀)", "", rise, *[rise] * has_values, "")
    return shown


def _print_sides(explanation: Explanation, console: Console) -> None:
    """What each word adds, its Shapley value, and its interaction with each scale."""
    if (sides := explanation.sides) is None:
        return
    _print_texts(console, f"the words of {plain(sides.account.text)!r}")
    console.print(_side_table(sides))
    _print_texts(console, *sentences(sides))


def _side_table(sides: BothSides) -> Table:
    by_scale, values = sides.by_scale, sides.account.values.tolist()
    scales = () if by_scale is None else by_scale.scales
    shown = table("word", "signed sum", *["Shapley value"] * (by_scale is not None), *(f"× {name}" for name in scales))
    shown.columns[1].justify = "right"
    if by_scale is None:
        for word, value in zip(sides.words, values, strict=True):
            shown.add_row(plain(word), _signed(value))
        return shown
    adds = by_scale.word_values.tolist()
    cells = aligned(by_scale.interaction.T.flatten().tolist(), adds)
    for k, (word, value, add) in enumerate(zip(sides.words, values, adds, strict=True)):
        shown.add_row(plain(word), _signed(value), _signed(add), *cells[k * len(scales) : (k + 1) * len(scales)])
    return shown


def _pair_table(shapley: ShapleyValues) -> Table:
    """The interaction of each pair of scales; what each adds alone and last."""
    assert shapley.interaction is not None
    names = shapley.names
    shown = table("scale", names[0], *names[1:], "alone", "last")
    shown.columns[1].justify, shown.padding = "right", (0, 0)
    values = shapley.values[0].tolist()
    texts = aligned(shapley.interaction.flatten().tolist(), values)
    ends = [aligned(one[0].tolist(), values) for one in (shapley.alone, shapley.last)]
    for i, name in enumerate(names):
        pairs = [texts[len(names) * i + j] if i != j else "" for j in range(len(names))]
        shown.add_row(name, *pairs, *(column[i] for column in ends))
    return shown


def _marginal_table(explanation: Explanation) -> Table:
    """The scales that all domains tell apart: their shares and signed sums, and the share in each domain."""
    assert explanation.marginal is not None
    shown = table("scale", "extent", "signed sum", "share of |γ|", *short_names(explanation.domains))
    for row in marginal_rows(explanation.marginal, explanation.input.grid):
        total = "—" if row["signed"] is None else f"{row['signed']:+.4f} ± {row['signed_spread']:.4f}"
        share = f"{row['share']:.1%} ± {100 * row['share_spread']:.1f}"
        shown.add_row(row["scale"], row["extent"], total, share, *(f"{one:.1%}" for one in row["shares"]))
    return shown


def _channel_table(explanation: Explanation) -> Table:
    """Signed sums by channel and scale; of complex gradients shares of |γ|."""
    rows, scales = explanation.by_channel, [*(row["scale"] for row in explanation.profile), "total"]
    every = [value for row in rows for value in row["signed"] if value is not None]
    columns = []
    for row in rows:
        values = row["signed"] if every else row["share"]
        each = [*values, sum(values)]
        columns.append(aligned(each, every) if every else [f"{part:.1%}" for part in each])
    names = [plain(row["channel"]) for row in rows]
    if len(scales) > MAX_SCALE_COLUMNS >= len(rows):  # a row for each scale, or the table is wider than a terminal
        shown = table("scale", *names)
        for scale, texts in zip(scales, zip(*columns, strict=True), strict=True):
            shown.add_row(scale, *texts)
        return shown
    shown = table("channel", *scales)
    for name, cells in zip(names, columns, strict=True):
        shown.add_row(name, *cells)
    return shown


def _word_table(account: WordAccount) -> Table:
    """The words with the largest sums, with their Shapley values where there are any."""
    values, shapley = account.values, account.shapley
    shown = table("word", "signed sum" if account.has_signs else "Σ|γ|", *["Shapley value"] * (shapley is not None))
    spread = None if shapley is None else shapley.standard_error
    for k in account.order[:TABLE_WORDS]:
        error = _plus_minus(None if spread is None else float(spread[0, k]))
        own = [] if shapley is None else [_signed(float(shapley.values[0, k])) + error]
        shown.add_row(plain(account.words[k].text), _signed(values[k]), *own)
    if len(account.words) <= TABLE_WORDS:
        shown.add_section()
        sums = [] if shapley is None else [_signed(float(shapley.values.sum()))]
        shown.add_row("total", _signed(sum(values)), *sums)
    return shown


def _signed(value: float | None) -> str:
    return "—" if value is None else f"{value:+.4f}"


def _plus_minus(error: float | None) -> str:
    return "" if error is None else f" ± {error:.2g}"
