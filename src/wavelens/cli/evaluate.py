"""`wavelens evaluate`: explains and measures a whole data set into a folder that survives interruptions."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar
from rich.text import Text

from wavelens.baselines import EXPLAINERS, FromMethod, parse_explainer
from wavelens.baselines.controls import CONTROLS
from wavelens.cli.model_options import load_model, with_model_options
from wavelens.cli.options import check_folder, domain_of
from wavelens.cli.pace import pace
from wavelens.cli.shared_options import DOMAIN_HELP, AgainstText, DeviceName, ModelName
from wavelens.cli.terminal import Terminal, complain, plain
from wavelens.core import Domain
from wavelens.counts import by_count, count_of, part_of
from wavelens.explaining import Kind, kind_called, kind_of
from wavelens.explaining.arguments import device_called
from wavelens.explaining.prompting import asked_for
from wavelens.explaining.question import against_of, check_no_object
from wavelens.explaining.reading import reader_for
from wavelens.explaining.request import default_method, default_model, fitted
from wavelens.methods.lift import check_method
from wavelens.metrics.measures import METRICS, parse_metric
from wavelens.metrics.metric import columns_of
from wavelens.models import LoadedModel, Objects, Options
from wavelens.models.black_box import black_box
from wavelens.own import text_of
from wavelens.runs import Executor, Local, Processes, Progress, Ray, Run, run
from wavelens.runs.annotations import annotated
from wavelens.runs.evaluation import BATCH_SIZE, FACTS, Evaluation, weights_digest
from wavelens.runs.samples import FOLDERS, TOP, Sample, check_root, labelled, samples
from wavelens.runs.statistics.comparison import compare
from wavelens.runs.statistics.tables import caption, lines
from wavelens.spec import is_method
from wavelens.targets import object_text

DEFAULT_METHOD = "IntegratedGradients(steps=25)"
EXPLAINED = (
    f"Method, as for wavelens explain, or {', '.join(cls.__name__ for cls in (*EXPLAINERS, *CONTROLS))}, or an "
    "explainer of your own."
)
MEASURED = (
    f"Metric; may be repeated: {', '.join(cls.__name__ for cls in METRICS)}, or module:name of your own. "
    "Curves(fractions='log') agrees better with planted truth than Curves over its usual uniform fractions."
)
REGIONAL = " or ".join(cls.__name__ for cls in METRICS if cls.needs_region)
EXECUTORS = ("local", "processes", "ray")
LINE_EVERY = 30.0  # seconds between lines of progress where there is no terminal


@with_model_options
def evaluate(
    data: Annotated[Path, typer.Argument(help="Folder of photos, sounds, volumes, videos or series; with subfolders.")],
    out: Annotated[Path, typer.Option(help="Output folder; an existing run is resumed.")],
    model: ModelName = None,
    options: Options = Options(),
    labels: Annotated[
        str, typer.Option(help=f"The class to explain: '{TOP}', '{FOLDERS}' (their names), or a CSV of file and class.")
    ] = TOP,
    target: Annotated[
        str | None,
        typer.Option(
            help="What to explain in every file, in place of --labels: a class by its index or label; 'text:a dog on a "
            "sofa', for a model of signals and texts; an object, car#2, for a detector.",
            show_default="that of --labels",
        ),
    ] = None,
    against: AgainstText = None,
    domain: Annotated[str | None, typer.Option(help=DOMAIN_HELP, show_default="as for wavelens explain")] = None,
    method: Annotated[
        str | None,
        typer.Option(help=EXPLAINED, show_default=f"{DEFAULT_METHOD}; without gradients HierarchicalShapley()"),
    ] = None,
    metric: Annotated[list[str] | None, typer.Option(help=MEASURED, show_default="Curves(steps=64)")] = None,
    annotations: Annotated[
        Path | None,
        typer.Option(help="Where the objects are, for PointingGame: a COCO file of boxes, or a folder of masks (PNG)."),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Number of inputs per forward pass.")] = BATCH_SIZE,
    device: DeviceName = None,
    threads: Annotated[int, typer.Option(min=1, help="Number of CPU threads per worker.")] = 1,
    executor: Annotated[
        str, typer.Option(help="Where to run: local (this process), processes (on this machine) or ray.")
    ] = "local",
    workers: Annotated[int, typer.Option(min=1, help="Number of workers for the executors processes and ray.")] = 2,
    num_cpus: Annotated[float, typer.Option(min=0, help="CPUs per Ray worker.")] = 1,
    num_gpus: Annotated[float, typer.Option(min=0, help="GPUs per Ray worker.")] = 0,
    ray_address: Annotated[str | None, typer.Option(help="Address of a Ray cluster, as for ray.init.")] = None,
    shard: Annotated[str, typer.Option(help="i/n: this is process i, from 0, of n that share --out.")] = "0/1",
    shard_size: Annotated[
        int | None,
        typer.Option(min=1, help="Number of input files per file of results.", show_default="that of --out, or 16"),
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Retry files that failed before.")] = False,
) -> None:
    """Explain and measure every file of a folder. Several machines may share a run.

    Results are written to the folder --out in shards; running the same command again resumes an interrupted run. The
    numbers do not depend on the executor, the number of workers or the shard size. --out records the settings and
    refuses a run with others. `wavelens compare` shows the results of several runs.

    Exit codes: 0, all files have results; 1, some have (one line per failed file on stderr says why); 2, none has, an
    option is wrong, or the results could not be written; 130, interrupted.
    """
    part = _part(shard)
    where = _executor(executor, workers, num_cpus, num_gpus, ray_address)
    chosen, place = domain_of(domain), _place(device, executor)
    explainer = None if method is None else parse_explainer(method)
    measures = tuple(parse_metric(text) for text in metric or ["Curves"])
    columns_of(measures, FACTS)  # says now that two have one name
    if any(one.needs_region for one in measures) != (annotations is not None):
        raise ValueError(
            f"--annotations, a COCO file of boxes or a folder of masks, and --metric {REGIONAL} go together; "
            f"got {'no metric that takes a region' if annotations else 'no --annotations'}."
        )
    check_folder(out)
    check_root(data)
    if target is not None and labels != TOP:
        raise ValueError(f"--target is explained in every file, --labels in each its own; got {target} and {labels}.")
    name, options = model or default_model(kind_of([str(data)]), data), _asked(options, target, against)
    console = Terminal(stderr=True)
    loaded = load_model(name, options, console)
    kind = kind_called(loaded.preprocess.kind)
    if against is not None and loaded.answer is not None:
        raise ValueError(f"--against sets a class against a class; {name} gives objects or regions. Leave it out.")
    inside = partial(kind.inside, preparation=loaded.preprocess)
    dataset, other = labelled(samples(data, inside, kind.files), labels, loaded.index), against_of(against, loaded)
    if target is not None:
        index = _class_in_every_file(target, other, loaded)
        dataset = [replace(sample, target=index) for sample in dataset]
    if annotations is not None:
        dataset = _annotated(dataset, annotations, loaded, console)
    if explainer is None:
        explainer = (
            parse_explainer(DEFAULT_METHOD) if black_box(loaded.module) is None else default_method(loaded.module)
        )
    task = Evaluation(
        name,
        weights_digest(loaded.module),
        _fitted(explainer, chosen, kind, loaded),
        measures,
        reader_for(loaded),
        batch_size,
        torch.device(place).type,
        options=options,
        place=place,
        against=other,
        target=" against ".join(filter(None, (target, against))) if target else "",
    )
    display = Display(console)
    settings: dict[str, Any] = {"shard_size": shard_size, "part": part, "threads": threads, "retry": retry}
    try:
        with display:
            finished = run(task, dataset, out, executor=where, watch=display, **settings)
    except KeyboardInterrupt:
        complain(f"interrupted; {display.kept()} Run the same command again to go on.")
        raise typer.Exit(130) from None
    raise typer.Exit(_report(finished, dataset, part))


def _asked(options: Options, *texts: str | None) -> Options:
    """The options with the texts that a model of signals and texts is asked for."""
    return replace(options, prompts=asked_for(options.prompts, *texts))


def _class_in_every_file(target: str, against: int | str | None, loaded: LoadedModel) -> int | None:
    """The index of a class, or None of any; `ValueError` for that against which it is set."""
    if isinstance(loaded.answer, Objects):
        label = object_text(target).label
        return loaded.index(label) if label else None
    check_no_object(target, loaded)
    index = loaded.index(target)
    if index == against:
        raise ValueError(f"--against and --target name the same class, {index} ({loaded.labels[index]}). Name another.")
    return index


def _annotated(dataset: list[Sample], annotations: Path, loaded: LoadedModel, console: Console) -> list[Sample]:
    """The files with their objects; says how many have none."""
    if not hasattr(loaded.preprocess, "region"):
        raise ValueError(
            f"boxes and masks are of photos; {type(loaded.preprocess).__name__} of {loaded.name}, which takes a "
            f"{loaded.preprocess.kind}, has no region. Leave --annotations and PointingGame out."
        )
    samples = annotated(dataset, annotations, loaded.named)
    bare = [sample.name for sample in samples if sample.objects is None]
    if bare:
        text = f"{part_of(len(bare), len(samples), 'file', 'has', 'have')} no object in {annotations}"
        text += f", such as {bare[0]}: PointingGame leaves {by_count(len(bare), 'it', 'them')} out."
        console.print(Text(plain(text)), soft_wrap=True)
    return samples


def _part(text: str) -> tuple[int, int]:
    i, _, n = text.partition("/")
    if not (i.isdecimal() and n.isdecimal() and int(i) < int(n)):
        raise ValueError(f"--shard must be i/n with i from 0 to n - 1, such as 0/8; got {text!r}.")
    return int(i), int(n)


def _executor(name: str, workers: int, num_cpus: float, num_gpus: float, address: str | None) -> Executor:
    if name not in EXECUTORS:
        raise ValueError(f"--executor must be one of {', '.join(EXECUTORS)}; got {name!r}.")
    if name == "ray":
        return Ray(workers, num_cpus, num_gpus, address)
    if num_cpus != 1 or num_gpus or address:
        raise ValueError(f"--num-cpus, --num-gpus and --ray-address are for --executor ray; got {name}.")
    return Processes(workers) if name == "processes" else Local()


def _place(device: str | None, executor: str) -> str:
    """The device by its text; that of Ray's workers need not be here."""
    if executor != "local" and device is not None and device.startswith("cuda:"):
        raise ValueError(
            f"each worker of --executor {executor} is given a GPU of its own, --device cuda; got {device}."
        )
    return device if device is not None and executor == "ray" else str(device_called(device))


def _fitted(explainer: Any, chosen: Domain | None, kind: Kind, loaded: LoadedModel) -> Any:
    """The explainer with its domain; `ValueError` for one that needs gradients of a model that has none."""
    if not isinstance(explainer, CONTROLS):
        check_method(loaded.module, explainer)
    if not isinstance(explainer, CONTROLS) and not is_method(explainer):
        if chosen is not None:
            raise ValueError(
                f"--domain is for methods; {text_of(explainer)} has its own. Say where it is judged by "
                f"--metric 'Curves(domain={text_of(chosen)})'."
            )
        return explainer
    domain = fitted(chosen, kind, loaded)
    return replace(explainer, domain=domain) if isinstance(explainer, CONTROLS) else FromMethod(explainer, domain)


class Display:
    """Progress as a bar on a terminal, else as a line now and then; failures as lines at once."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress: Progress | None = None
        self.printed_at = -LINE_EVERY
        columns = TextColumn("{task.description}", markup=False), BarColumn()
        self.bar = Bar(*columns, console=console, transient=True, disable=not console.is_terminal)
        self.line = self.bar.add_task("starting workers", total=None)

    def __enter__(self) -> Display:
        self.bar.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.bar.stop()

    def __call__(self, progress: Progress) -> None:
        self.progress = progress
        for failure in progress.latest:
            self.bar.console.print(Text(f"error: {plain(f'{failure.name}: {failure.reason}')}"), soft_wrap=True)
        self.bar.update(self.line, description=self.summary(), completed=progress.done, total=progress.total)
        now = time.monotonic()
        if not self.console.is_terminal and (now - self.printed_at >= LINE_EVERY or progress.kept == progress.total):
            self.printed_at = now
            self.console.print(Text(self.summary()), soft_wrap=True)

    def kept(self) -> str:
        """'1,184 of 50,000 files are written.'"""
        p = self.progress
        return "nothing was computed." if p is None else f"{part_of(p.kept, p.total, 'file', 'is', 'are')} written."

    def summary(self) -> str:
        """'1,200 of 50,000 files, 12.5 files per second, 1:05:04 left, 3 failed.'"""
        p = self.progress
        if p is None:
            return "nothing was computed."
        parts = [part_of(p.done, p.total, "file")]
        if p.rate is not None and p.left is not None:
            parts.append(pace(p.rate, p.left))
        if p.failures:
            parts.append(f"{len(p.failures):,} failed")
        if p.damaged:
            parts.append(f"{count_of(p.damaged, 'damaged shard')} computed again")
        return f"{', '.join(parts)}."


def _print_means(finished: Run, console: Console) -> None:
    try:
        comparison = compare([finished.folder])
    except ValueError as error:  # no metric is a number for any file
        console.print(Text(f"  {plain(str(error))}"), soft_wrap=True)
        return
    for metric, _, value, _, _ in lines(comparison):
        console.print(Text(f"  {metric} {value}"), soft_wrap=True)
    console.print(Text(f"  {caption(comparison)}"), soft_wrap=True)


def _report(finished: Run, dataset: list[Sample], part: tuple[int, int]) -> int:
    """Prints the means of what is there, and gives the exit code."""
    results = finished.read()
    console = Terminal()
    missing = len(finished.missing())
    if missing:
        shards = f"{part_of(missing, finished.manifest.shards, 'shard', 'is', 'are')} left to the other parts"
        console.print(Text(f"{finished.folder}: part {part[0]} of {part[1]} is done; {shards}."), soft_wrap=True)
    else:
        done, of = len(results.names), len(dataset)
        console.print(
            Text(f"{plain(str(finished.folder))}: {part_of(done, of, 'file', 'has', 'have')} results."), soft_wrap=True
        )
    if results.names:
        _print_means(finished, console)
    return 0 if not results.failures else 1 if results.names else 2
