"""`wavelens profile`: the mean scale profiles of models over a folder, side by side."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.text import Text

from wavelens import models
from wavelens.baselines import FromMethod
from wavelens.cli.evaluate import Display
from wavelens.cli.model_options import load_model, with_model_options
from wavelens.cli.options import check_folder, device_of, domain_of, method_of
from wavelens.cli.profile_report import Member, Place, report
from wavelens.cli.shared_options import ASKED, DOMAIN, DeviceName, Spacing, Unit, spacing_of
from wavelens.cli.terminal import Terminal, complain, plain
from wavelens.core import Domain
from wavelens.explaining import Kind, kind_called
from wavelens.explaining.request import fitted
from wavelens.explaining.spacing import spaced
from wavelens.grid import Grid
from wavelens.maps import Profile
from wavelens.methods.lift import Method
from wavelens.models import LoadedModel, Options
from wavelens.runs import Run, average, run
from wavelens.runs.evaluation import BATCH_SIZE, Evaluation, weights_digest
from wavelens.runs.samples import FOLDERS, TOP, Sample, labelled, samples
from wavelens.runs.statistics.comparison import RESAMPLES

OWN = "-"  # instead of a checkpoint: the weights that a model comes with
PLACED = 50  # files of which the spacing is looked at


@with_model_options
def profile(
    model: Annotated[list[str], typer.Argument(metavar="MODEL...", help=f"Classifiers, each {models.FORMS}.")],
    data: Annotated[Path, typer.Option(help="A folder of photos, sounds, volumes or videos, with its folders.")],
    out: Annotated[Path, typer.Option(help="The folder of the results; one that is there goes on.")],
    weights: Annotated[
        list[str] | None,
        typer.Option(help=f"A checkpoint for each model in their order; {OWN} for its own.", show_default="their own"),
    ] = None,
    options: Options = Options(),
    labels: Annotated[
        str, typer.Option(help=f"The class to explain: '{TOP}', '{FOLDERS}' (their names), or a CSV of file and class.")
    ] = TOP,
    items: Annotated[
        int | None, typer.Option(min=1, help="So many files, evenly spread.", show_default="all of them")
    ] = None,
    domain: Annotated[str | None, typer.Option(help=DOMAIN, show_default="as for wavelens explain")] = None,
    method: Annotated[str, typer.Option(help=ASKED)] = "IntegratedGradients(steps=25)",
    spacing: Spacing = None,
    unit: Unit = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Inputs in a forward pass.")] = BATCH_SIZE,
    device: DeviceName = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of a CPU.")] = 1,
    resamples: Annotated[int, typer.Option(min=100, help="Of the bootstrap.")] = RESAMPLES,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
) -> None:
    """Compare which scales models go by, in the mean over a folder.

    Prints for each scale and model its share of what is attributed, how far that is from the first model's, and its
    signed sum, each the mean over the files that all models have, with 95 % intervals (files are drawn with
    replacement, the same ones for every model). Writes profile.png, .md, .csv and .json to the folder --out, and there
    the profile of every file to runs/: a command that is interrupted goes on where it was.

    Exit codes: 0, all files have profiles; 1, some have, and a line on stderr says what is wrong with each of the
    others; 2, none has, or an option is wrong; 130, interrupted.
    """
    place, chosen, asked = device_of(device), domain_of(domain), method_of(method)
    checkpoints = _checkpoints(model, weights)
    check_folder(out)
    bar, steps = Terminal(stderr=True), spacing_of(spacing)
    each = [replace(options, weights=own) for own in checkpoints]
    loaded = [spaced(load_model(name, own, bar), steps, unit) for name, own in zip(model, each, strict=True)]
    kind = _kind(loaded)
    files = _spread(samples(data, kind.inside), items)
    names = _names(model, checkpoints)
    members = [
        _member(name, one, kind, labelled(files, labels, one.index), chosen, asked, batch_size, place)
        for name, one in zip(names, loaded, strict=True)
    ]
    _check_alike(members)
    folders = [out / "runs" / re.sub(r"[^\w.-]+", "-", member.name) for member in members]
    found = [_run(member, folder, threads, bar) for member, folder in zip(members, folders, strict=True)]
    results = [one.read() for one in found]
    common = [name for name in results[0].names if all(name in own.names for own in results)]
    if not common:
        raise ValueError(f"none of {len(files)} files has a profile for every model; the lines above say why.")
    averaged = average(
        {m.name: _profile(m, one, common) for m, one in zip(members, found, strict=True)},
        resamples=resamples,
        seed=seed,
    )
    places = {member.name: _place(member, kind, data, common) for member in members}
    settings = {"data": str(data), "labels": labels, "files": len(files), "resamples": resamples, "seed": seed}
    report(averaged, members, places, settings, out)
    raise typer.Exit(0 if averaged.items == len(files) else 1)


def _checkpoints(names: Sequence[str], weights: list[str] | None) -> list[str | None]:
    if weights is not None and len(weights) != len(names):
        raise ValueError(
            f"--weights is given for each of the {len(names)} models in their order, {OWN} for one with its own; got "
            f"{len(weights)}."
        )
    return [None if own == OWN else own for own in weights or [OWN] * len(names)]


def _kind(loaded: Sequence[LoadedModel]) -> Kind:
    kinds = {one.preprocess.kind: one.name for one in loaded}
    if len(kinds) > 1:
        told = ", ".join(f"{name} takes a {kind}" for kind, name in kinds.items())
        raise ValueError(f"models are compared over the same files; {told}. Compare models of one kind.")
    return kind_called(next(iter(kinds)))


def _spread(found: list[Sample], items: int | None) -> list[Sample]:
    count = min(items or len(found), len(found))
    return [found[int((k + 0.5) * len(found) / count)] for k in range(count)]


def _names(names: Sequence[str], checkpoints: Sequence[str | None]) -> list[str]:
    """What tells the models apart: their names, or their checkpoints, or both."""
    stems = [name if own is None else Path(own).stem for name, own in zip(names, checkpoints, strict=True)]
    both = [f"{name} {stem}" for name, stem in zip(names, stems, strict=True)]
    for told in (names, stems, both):
        if len({re.sub(r"[^\w.-]+", "-", one).casefold() for one in told}) == len(names):
            return list(told)
    raise ValueError(f"each model is compared once; got {', '.join(both)}.")


def _member(
    name: str,
    loaded: LoadedModel,
    kind: Kind,
    dataset: list[Sample],
    chosen: Domain | None,
    method: Method,
    batch_size: int,
    device: torch.device,
) -> Member:
    domain = fitted(chosen, kind, loaded)
    layout = domain.layout(tuple(loaded.preprocess.shape[1:]))
    task = Evaluation(
        loaded.name,
        weights_digest(loaded.module),
        FromMethod(method, domain),
        (),
        kind.reader(loaded.preprocess),
        batch_size,
        device.type,
        options=loaded.options,
        place=str(device),
    )
    return Member(name, loaded, task, dataset, layout)


def _check_alike(members: Sequence[Member]) -> None:
    """Says before anything is computed that scales differ."""
    scales = {member.name: " ".join(member.layout.scales()) for member in members}
    if len(set(scales.values())) > 1:
        told = "; ".join(f"{name}: {own}" for name, own in scales.items())
        raise ValueError(f"models are compared scale by scale; got {told}. Choose one --domain for all.")


def _run(member: Member, folder: Path, threads: int, console: Console) -> Run:
    display = Display(console)
    console.print(Text(plain(member.name), style="bold"), soft_wrap=True)
    try:
        with display:
            return run(member.task, member.dataset, folder, threads=threads, watch=display)
    except KeyboardInterrupt:
        complain(f"interrupted; {display.summary()} The same command goes on.")
        raise typer.Exit(130) from None


def _profile(member: Member, found: Run, common: Sequence[str]) -> Profile:
    """Of the files that all models have, in their order."""
    results = found.read()
    where = {name: place for place, name in enumerate(results.names)}
    rows = [where[name] for name in common]
    share, signed = results.values["share"][rows], results.values["signed"][rows]
    return Profile(tuple(member.layout.scales()), signed, share, (), signed[:, :0], share[:, :0])


def _place(member: Member, kind: Kind, data: Path, common: Sequence[str]) -> Place:
    """Where the samples of the model's inputs lie; for files that differ the middle of them."""
    some = [common[int((k + 0.5) * len(common) / PLACED)] for k in range(PLACED)] if len(common) > PLACED else common
    preparation = member.loaded.preprocess
    read = kind.reader(preparation)
    grids = [preparation.grid(read(data / name)) for name in some]
    if len(units := {grid.units for grid in grids}) > 1:
        told = ", ".join(sorted("/".join(dict.fromkeys(own)) for own in units))
        raise ValueError(f"files of one profile are measured in one unit; got {told}. Profile them apart.")
    steps = torch.tensor([grid.spacing for grid in grids], dtype=torch.float64)
    middle = steps.median(0).values
    differ = bool((steps / middle - 1).abs().max() > 1e-6)
    return Place(Grid(tuple(middle.tolist()), grids[0].units), differ)
