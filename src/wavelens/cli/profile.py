"""`wavelens profile`: the mean scale profiles of models over a folder, side by side."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wavelens import models
from wavelens.cli.evaluate import Display
from wavelens.cli.model_options import load_model, with_model_options
from wavelens.cli.options import check_folder, domain_of, method_of
from wavelens.cli.shared_options import DOMAIN_HELP, METHOD_HELP, DeviceName, Spacing, Unit, spacing_of
from wavelens.cli.terminal import Terminal, complain, plain
from wavelens.explaining import Kind, kind_called
from wavelens.explaining.arguments import device_called
from wavelens.explaining.interventions import MAX_FORWARD_PASSES
from wavelens.explaining.mean_profile import (
    Member,
    added_of,
    by_file,
    check_alike,
    extents_of,
    member_of,
    place_of,
    profile_of,
    write_profiles,
)
from wavelens.explaining.profile_files import account_sentences, gap_sentence, gaps, table_of_files
from wavelens.explaining.records import shown_path
from wavelens.explaining.request import DEFAULT_METHOD
from wavelens.explaining.spacing import spaced
from wavelens.methods.lift import check_method
from wavelens.models import LoadedModel, Options
from wavelens.own import as_typed
from wavelens.runs import Average, Run, average, run
from wavelens.runs.evaluation import BATCH_SIZE
from wavelens.runs.samples import FOLDERS, TOP, Sample, check_root, labelled, samples
from wavelens.runs.statistics.comparison import RESAMPLES
from wavelens.runs.statistics.profile_tables import Extents, caption, head, lines
from wavelens.runs.store.shards import write_whole

FILES = "files.csv"
OWN = "-"  # instead of a checkpoint: the weights that a model comes with


@with_model_options
def profile(
    model: Annotated[list[str], typer.Argument(metavar="MODEL...", help=f"Classifiers, each {models.FORMS}.")],
    data: Annotated[Path, typer.Option(help="Folder of photos, sounds, volumes, videos or series; with subfolders.")],
    out: Annotated[Path, typer.Option(help="Output folder; an existing run is resumed.")],
    weights: Annotated[
        list[str] | None,
        typer.Option(
            help=f"One checkpoint per model, in the same order; {OWN} for the model's own.", show_default="their own"
        ),
    ] = None,
    options: Options = Options(),
    labels: Annotated[
        str, typer.Option(help=f"The class to explain: '{TOP}', '{FOLDERS}' (their names), or a CSV of file and class.")
    ] = TOP,
    items: Annotated[
        int | None, typer.Option(min=1, help="Use N evenly spaced files.", show_default="all of them")
    ] = None,
    domain: Annotated[str | None, typer.Option(help=DOMAIN_HELP, show_default="as for wavelens explain")] = None,
    method: Annotated[str, typer.Option(help=METHOD_HELP)] = as_typed(DEFAULT_METHOD),
    interventions: Annotated[
        bool,
        typer.Option(
            "--interventions",
            help="Also print the mean Shapley value of each scale, by at most "
            f"{MAX_FORWARD_PASSES} forward passes per file.",
        ),
    ] = False,
    spacing: Spacing = None,
    unit: Unit = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Number of inputs per forward pass.")] = BATCH_SIZE,
    device: DeviceName = None,
    threads: Annotated[int, typer.Option(min=1, help="Number of CPU threads.")] = 1,
    resamples: Annotated[int, typer.Option(min=100, help="Number of bootstrap resamples.")] = RESAMPLES,
    seed: Annotated[int, typer.Option(help="Seed for the bootstrap.")] = 0,
) -> None:
    """Compare the scales that models rely on over a folder.

    For each scale and model, prints its share of the attribution, the difference of that share from the first model's,
    and its signed sum: means over the files that all models have, with 95 % intervals (files are resampled with
    replacement, the same ones for every model). Also prints which part of the score's change the sums miss, and with
    --interventions the mean Shapley value of each scale and where the two accounts disagree. Writes profile.png, .md,
    .csv and .json and files.csv, which has one row per file, to the folder --out. Its folder runs/ has the results of
    each model, from which the same command resumes an interrupted run.

    Exit codes: 0, all files have profiles; 1, some have (one line per failed file on stderr says why); 2, none has, or
    an option is wrong; 130, interrupted.
    """
    place, chosen_domain, chosen_method = device_called(device), domain_of(domain), method_of(method)
    checkpoints = _checkpoints(model, weights)
    check_folder(out)
    check_root(data)
    bar, steps = Terminal(stderr=True), spacing_of(spacing)
    each = [replace(options, weights=own) for own in checkpoints]
    loaded = [spaced(load_model(name, own, bar), steps, unit) for name, own in zip(model, each, strict=True)]
    for one in loaded:
        check_method(one.module, chosen_method)
    kind = _kind(loaded)
    files = _spread(samples(data, partial(kind.inside, preparation=loaded[0].preprocess), kind.files), items)
    names = names_of_models(model, checkpoints)
    chosen = (chosen_domain, chosen_method, batch_size, place, interventions)
    members = [
        member_of(name, one, kind, labelled(files, labels, one.index), *chosen)
        for name, one in zip(names, loaded, strict=True)
    ]
    check_alike(members)
    folders = [out / "runs" / re.sub(r"[^\w.-]+", "-", member.name) for member in members]
    finished = [_run(member, folder, threads, bar) for member, folder in zip(members, folders, strict=True)]
    results = [one.read() for one in finished]
    sets = [set(own.names) for own in results]
    common = [name for name in results[0].names if all(name in own for own in sets)]
    if not common:
        raise ValueError("no file has a profile for every model; the lines above say why.")
    pairs = list(zip(members, finished, strict=True))
    added = {member.name: own for member, one in pairs if (own := added_of(member, one, common)) is not None}
    averaged = average(
        {member.name: profile_of(member, one, common) for member, one in pairs},
        shapley=added or None,
        resamples=resamples,
        seed=seed,
    )
    places = {member.name: place_of(member, data, common) for member in members}
    settings = {"data": str(data), "labels": labels, "files": len(files), "resamples": resamples, "seed": seed}
    values = {member.name: by_file(own, common) for member, own in zip(members, results, strict=True)}
    remarks = [gap_sentence(name, gaps(own)) for name, own in values.items()]
    remarks += [text for name, own in values.items() for text in account_sentences(averaged, name, own)]
    _print(averaged, extents_of(members, places), remarks, any(place.differs for place in places.values()))
    write_whole(out / FILES, table_of_files(members, values, common).encode())
    for path in [*write_profiles(averaged, members, places, settings, out), out / FILES]:
        Terminal().print(Text(f"wrote {plain(str(path))}"), soft_wrap=True)
    raise typer.Exit(0 if averaged.items == len(files) else 1)


def _checkpoints(names: Sequence[str], weights: list[str] | None) -> list[str | None]:
    if weights is not None and len(weights) != len(names):
        raise ValueError(
            f"--weights must be given for each of the {len(names)} models in their order, {OWN} for one with its own; "
            f"got {len(weights)}."
        )
    return [None if own == OWN else own for own in weights or [OWN] * len(names)]


def _kind(loaded: Sequence[LoadedModel]) -> Kind:
    kinds = {one.preprocess.kind: one.name for one in loaded}
    if len(kinds) > 1:
        named = ", ".join(f"{name} takes a {kind}" for kind, name in kinds.items())
        raise ValueError(f"models are compared over the same files; {named}. Compare models of one kind.")
    return kind_called(next(iter(kinds)))


def _spread(files: list[Sample], items: int | None) -> list[Sample]:
    count = min(items or len(files), len(files))
    return [files[int((k + 0.5) * len(files) / count)] for k in range(count)]


def names_of_models(names: Sequence[str], checkpoints: Sequence[str | None]) -> list[str]:
    """What tells the models apart: their names, or their checkpoints, or both."""
    shown = [shown_path(name) for name in names]
    stems = [name if own is None else Path(own).stem for name, own in zip(shown, checkpoints, strict=True)]
    both = [f"{name} {stem}" for name, stem in zip(shown, stems, strict=True)]
    for candidates in (shown, stems, both):
        if len({re.sub(r"[^\w.-]+", "-", one).casefold() for one in candidates}) == len(names):
            return list(candidates)
    raise ValueError(f"each model can be compared only once; got {', '.join(both)}.")


def _run(member: Member, folder: Path, threads: int, console: Console) -> Run:
    display = Display(console)
    console.print(Text(plain(member.name), style="bold"), soft_wrap=True)
    try:
        with display:
            return run(member.task, member.dataset, folder, threads=threads, watch=display)
    except KeyboardInterrupt:
        complain(f"interrupted; {display.kept()} Run the same command again to go on.")
        raise typer.Exit(130) from None


def _print(averaged: Average, extents: Extents, remarks: Sequence[str], spacing_differs: bool) -> None:
    console = Terminal()
    console.print(_table(averaged, extents))
    for line in (caption(averaged), *remarks):
        console.print(Text(plain(line)), soft_wrap=True)
    if spacing_differs:
        console.print(Text("Files differ in the spacing of their samples: extents are those of the middle one."))


def _table(averaged: Average, extents: Extents) -> Table:
    shown = Table(*head(averaged))
    before = ""
    for scale, model, *numbers in lines(averaged, extents):
        if before not in ("", scale):
            shown.add_section()
        shown.add_row("" if scale == before else scale, Text(plain(model)), *map(Text, numbers))
        before = scale
    return shown
