"""`wavelens minimal`: the fewest coefficients that keep a class's logit, as pictures, sounds, volumes or videos."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.text import Text
from torch import Tensor

from wavelens import masks
from wavelens.cli.model_options import with_model_options
from wavelens.cli.options import check_folder, device_of, domain_of
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
from wavelens.cli.terminal import Terminal, plain, table
from wavelens.core import Domain
from wavelens.explaining import ExplainedTarget, Kind, Question, question_of
from wavelens.explaining.files import inputs, stems
from wavelens.explaining.records import model_summary
from wavelens.explaining.request import fitted
from wavelens.explaining.spacing import spaced
from wavelens.grid import Grid
from wavelens.models import LoadedModel, Options
from wavelens.spec import parse

ALPHAS = "100,1000,10000"
NUMBER = re.compile(r"[0-9.]+(e[+-][0-9]+)?")  # an alpha in a file's name
TOGETHER = ("-minimal.png", "-minimal.json")  # what is written for each input


@dataclass(frozen=True, eq=False)
class Task:
    """What is asked of every input."""

    loaded: LoadedModel
    question: Question
    domain: Domain
    alphas: tuple[float, ...]
    steps: int
    baseline: float | masks.Blur | masks.Noise
    batch_size: int | None
    device: torch.device


@dataclass(frozen=True, eq=False)
class Reduced:
    """What was found about one input."""

    path: Path
    signal: Any
    x: Tensor
    grid: Grid
    asked: ExplainedTarget
    found: masks.Minimal
    probabilities: list[float | None]  # of the class, if it is one: for the untouched input, then for each alpha

    @property
    def score(self) -> str:
        """What the target's number is called in JSON."""
        return "logit" if len(self.asked.classes) == 1 else "score"


@with_model_options
def minimal(
    files: Files,
    model: ModelName = None,
    options: Options = Options(),
    target: TargetText = None,
    against: AgainstText = None,
    domain: Annotated[
        str | None, typer.Option(help="Where to mask.", show_default="for photos DWT('haar', levels=5)")
    ] = None,
    alpha: Annotated[
        str, typer.Option(help="What the mask's mean weighs against the logit; several with commas.")
    ] = ALPHAS,
    steps: Annotated[int, typer.Option(min=1, help="At most so many steps of the optimiser.")] = 100,
    baseline: Annotated[
        str, typer.Option(help="What takes the place of what is dropped: a number, Blur(sigma=10), Noise(seed=0).")
    ] = "0",
    spacing: Spacing = None,
    unit: Unit = None,
    out: Out = Path("wavelens-out"),
    batch_size: BatchSize = None,
    device: DeviceName = None,
) -> None:
    """Find the fewest coefficients that keep the answer.

    Prints the front of each input, zeros against logit, and how much is kept of each scale, and writes to the folder
    --out: NAME-minimal.png (both, and of photos what is left for each alpha), NAME-minimal.json, and for each alpha
    what is left of a sound as wav, of a volume as NIfTI. With --spacing scales are named in its unit. An input whose
    NAME is taken gets NAME-2. A mask may raise the logit far above the input's: it is fitted to the network, and says
    what suffices for it, not what it went by.

    Exit codes as of explain: 0, all inputs were done; 1, some; 2, none, or an option is wrong.
    """
    chosen_domain, alphas, chosen_device = domain_of(domain), _alphas(alpha), device_of(device)
    dropped = _baseline(baseline)
    check_folder(out)
    console = Terminal()
    loaded, kind = opened(model, options, files, chosen_device, console)
    loaded = spaced(loaded, spacing_of(spacing), unit)
    own = fitted(chosen_domain, kind, loaded)
    question = question_of(target, against, loaded)
    task = Task(loaded, question, own, alphas, steps, dropped, batch_size, chosen_device)
    raise typer.Exit(_reduce_all(task, kind, inputs(files, kind), out, console))


def _alphas(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"--alpha takes numbers from 0 with commas between, such as {ALPHAS}; got {text!r}.") from None


def _baseline(text: str) -> float | masks.Blur | masks.Noise:
    try:
        return float(text)
    except ValueError:
        value = parse(text, also=(masks.Blur, masks.Noise))
    if not isinstance(value, masks.Blur | masks.Noise):
        raise ValueError(f"--baseline takes a number, Blur(sigma=10) or Noise(seed=0); got {text}.")
    return value


def _reduce_all(task: Task, kind: Kind, paths: list[Path], out: Path, console: Console) -> int:
    def one(path: Path, stem: str) -> Iterator[Path]:
        with console.status(f"masking {plain(path.name)}"):
            reduced = _reduced(task, kind, path)
        _print(task, reduced, console)
        return _write(task, kind, reduced, out / f"{stem}-minimal")

    signals = [f"-minimal-{alpha:g}{WRITERS[kind.name][0]}" for alpha in task.alphas if kind.name in WRITERS]
    named = zip(paths, stems(paths, out, kind, TOGETHER, signals), strict=True)
    return each(((str(path), partial(one, path, stem)) for path, stem in named), console)


def _reduced(task: Task, kind: Kind, path: Path) -> Reduced:
    preparation = task.loaded.preprocess
    signal = kind.signal_at(path, preparation)
    x, grid, module = preparation(signal).to(task.device), preparation.grid(signal), task.loaded.module
    with torch.no_grad():
        logits = module(x).float()
    asked = task.question(task.loaded, x, logits[0])
    found = masks.minimal(
        module,
        x,
        asked.target,
        domain=task.domain,
        alpha=task.alphas,
        steps=task.steps,
        baseline=task.baseline,
        batch_size=task.batch_size,
    ).front()
    with torch.no_grad():
        after = [module(one).float() for one in found.rebuilt]
    every = task.loaded.probabilities(torch.cat([logits, *after]))
    chances = every[:, asked.classes[0]].tolist() if asked.classes else [None] * len(every)
    return Reduced(path, signal, x, grid, asked, found, chances)


def _rows(reduced: Reduced) -> list[dict[str, Any]]:
    """The untouched input, then each alpha."""
    found = reduced.found
    assert isinstance(found.alpha, tuple)
    first = {"alpha": 0.0, "zeros": 0.0, reduced.score: float(found.before[0]), "steps": 0}
    columns = zip(found.alpha, found.sparsity[:, 0], found.after[:, 0], found.spent[:, 0], strict=True)
    rows = [{"alpha": a, "zeros": float(z), reduced.score: float(s), "steps": int(n)} for a, z, s, n in columns]
    pairs = zip([first, *rows], reduced.probabilities, strict=True)
    return [{**row, "probability": probability} for row, probability in pairs]


def _scales(reduced: Reduced) -> list[dict[str, Any]]:
    """For each scale what it spans and how much of it is kept for each alpha, coarsest first."""
    mask = reduced.found.mask
    pairs = zip(reduced.grid.rows(mask.layout), mask.by_scale().values(), strict=True)
    return [{**scale, "kept": kept[:, 0].tolist()} for scale, kept in pairs]


def _print(task: Task, reduced: Reduced, console: Console) -> None:
    console.print(Text(plain(str(reduced.path)), style="bold"), soft_wrap=True)
    console.print(Text(f"{reduced.asked.heading}, in {task.domain}"), soft_wrap=True)
    printed = table("alpha", "zeros", reduced.asked.number, "probability", "steps")
    for k, row in enumerate(_rows(reduced)):
        name = f"{row['alpha']:g}" if k else "input"
        chance = "" if row["probability"] is None else f"{row['probability']:.1%}"
        cells = f"{row['zeros']:.1%}", f"{row[reduced.score]:.3f}", chance, f"{row['steps']:.0f}"
        printed.add_row(name, *cells)
    console.print(printed)
    kept = table("scale", "extent", *(f"kept, α = {alpha:g}" for alpha in task.alphas))
    for scale in _scales(reduced):
        kept.add_row(scale["scale"], scale["extent"], *(f"{share:.1%}" for share in scale["kept"]))
    console.print(kept)


def _write(task: Task, kind: Kind, reduced: Reduced, base: Path) -> Iterator[Path]:
    from wavelens import plots  # matplotlib: only once there is something to draw

    label = reduced.asked.label.split(", ")[0]
    figure, summary = base.with_name(f"{base.name}.png"), base.with_name(f"{base.name}.json")
    title = f"{plain(reduced.path.name)[:40]}: {label}".replace("$", r"\$")
    plots.save(plots.minimal(reduced.found, reduced.x, title=title, grid=reduced.grid), figure)
    summary.write_text(json.dumps(_summary(task, kind, reduced), indent=2) + "\n", encoding="utf-8")
    yield from (figure, summary)
    yield from _signals(kind, task, reduced, base)


def _signals(kind: Kind, task: Task, reduced: Reduced, base: Path) -> Iterator[Path]:
    """What is left for each alpha, as files of its own kind; photos are in the figure. Those of an earlier run go."""
    placeless = kind.name == "volume" and (
        reduced.signal.unit == "voxel" or not hasattr(task.loaded.preprocess, "original")
    )  # a NIfTI would say that it lies somewhere
    if kind.name not in WRITERS or placeless:
        return
    suffix, write = WRITERS[kind.name]
    for old in base.parent.glob(f"{glob.escape(base.name)}-*{suffix}"):
        if NUMBER.fullmatch(old.name[len(base.name) + 1 : -len(suffix)]):
            old.unlink()
    assert isinstance(reduced.found.alpha, tuple)
    for alpha, rebuilt in zip(reduced.found.alpha, reduced.found.rebuilt, strict=True):
        path = base.with_name(f"{base.name}-{alpha:g}{suffix}")
        write(task, reduced, rebuilt, path)
        yield path


def _write_sound(task: Task, reduced: Reduced, rebuilt: Tensor, path: Path) -> None:
    from wavelens.frontends.audio import write_audio

    write_audio(path, rebuilt, round(1 / reduced.grid.spacing[0]))


def _write_volume(task: Task, reduced: Reduced, rebuilt: Tensor, path: Path) -> None:
    """Over the scan itself and in its values."""
    from wavelens.frontends.volume import write_volume

    preparation: Any = task.loaded.preprocess
    write_volume(path, preparation.original(rebuilt, reduced.signal))


WRITERS: dict[str, tuple[str, Callable[[Task, Reduced, Tensor, Path], None]]] = {
    "sound": (".wav", _write_sound),
    "volume": (".nii.gz", _write_volume),
}


def _summary(task: Task, kind: Kind, reduced: Reduced) -> dict[str, Any]:
    return {
        kind.name: str(reduced.path),
        **model_summary(task.loaded),
        **reduced.asked.summary,
        "domain": repr(task.domain),
        "baseline": task.baseline if isinstance(task.baseline, float) else repr(task.baseline),
        "front": _rows(reduced),
        "units": reduced.grid.units,
        "scales": _scales(reduced),
    }
