"""The command `wavelens`: explains photos, prints what was found and writes it to a folder."""

from __future__ import annotations

import glob
import io
import itertools
import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import Tensor

from wavelens import maps, models
from wavelens.attribution import Attribution, attribute
from wavelens.core import Domain
from wavelens.domains import DWT
from wavelens.frontends.image import SUFFIXES, read_image
from wavelens.methods.lift import Method
from wavelens.models import LoadedModel
from wavelens.spec import METHODS, parse
from wavelens.version import __version__

WRITTEN = (".png", ".safetensors", ".json")
WRONG = (ValueError, OSError, ImportError, TypeError, RuntimeError)  # what wrong input raises: one line, no traceback
USAGE_ERROR: Any = typer.BadParameter.__bases__[0]  # click's, which newer versions of typer carry inside

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@dataclass(frozen=True, eq=False)
class Job:
    """What is asked of every photo; `target` None means the photo's top class."""

    loaded: LoadedModel
    weights: str | None
    target: int | None
    domain: Domain
    method: Method
    batch_size: int | None
    top: int
    device: torch.device


@dataclass(frozen=True, eq=False)
class Answer:
    """What was found about one photo: its input, its logits and the attribution of one class."""

    photo: Path
    x: Tensor
    logits: Tensor
    target: int
    attribution: Attribution


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code; wrong input is one line on stderr and 2."""
    sys.path.append(os.getcwd())  # for --model module:function
    for library in ("huggingface_hub", "transformers", "timm"):
        logging.getLogger(library).setLevel(logging.ERROR)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a pipe may not know γ or the photo's name
    try:
        return int(app(arguments, prog_name="wavelens", standalone_mode=False) or 0)
    except USAGE_ERROR as error:
        _complain(f"{error.format_message().rstrip('.')}. See wavelens --help.")
    except WRONG as error:
        _complain(str(error))
    except typer.Abort:
        return 130
    return 2


def _complain(message: str) -> None:
    print(f"error: {_plain(' '.join(message.split()))}", file=sys.stderr)


def _plain(text: str) -> str:
    """`text` without what a terminal would obey or could not show."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"wavelens {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Explains neural networks in the wavelet domain: which scales a prediction comes from, and where."""


@app.command()
def explain(
    photos: Annotated[list[str], typer.Argument(help="Photos, folders of photos, or patterns such as '*.jpg'.")],
    model: Annotated[str, typer.Option(help=f"The classifier: {models.FORMS}.")] = models.EMBEDDED,
    weights: Annotated[str | None, typer.Option(help="A checkpoint (.safetensors, .pth) in place of its own.")] = None,
    target: Annotated[
        str | None, typer.Option(help="The class to explain: index, label or a part of one.", show_default="top class")
    ] = None,
    domain: Annotated[
        str | None, typer.Option(help="Where to read the answer.", show_default="DWT('haar', levels=5)")
    ] = None,
    method: Annotated[str, typer.Option(help="How to ask the model.")] = "IntegratedGradients(tolerance=0.02)",
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("wavelens-out"),
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Inputs in a forward pass.", show_default="what fits memory")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many classes to print.")] = 5,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:1, mps …", show_default="cuda if there is one")
    ] = None,
) -> None:
    """Explain what a classifier sees in photos, scale by scale.

    Prints the top classes and the scale profile of each photo, and writes NAME.png (the panel), NAME.safetensors
    (the attribution) and NAME.json (a summary) to the folder --out. A photo whose NAME is taken gets NAME-2.

    Exit codes: 0, all photos were explained; 1, some were, and a line on stderr says what is wrong with each of the
    others; 2, none was, or an option is wrong.
    """
    paths = _photos(photos)
    chosen_domain, chosen_method, chosen_device = _domain(domain), _method(method), _device(device)
    _check_folder(out)
    console = Console(highlight=False)
    with console.status(f"loading {model}"):
        loaded = models.load(model, weights=weights)
    loaded.module.to(chosen_device)
    fitted = chosen_domain or _default_domain(loaded.preprocess.crop)
    fitted.analysis(torch.zeros(1, 1, *loaded.preprocess.crop))  # says now whether the levels fit
    index = None if target is None else loaded.index(target)
    job = Job(loaded, weights, index, fitted, chosen_method, batch_size, top, chosen_device)
    raise typer.Exit(_explain_all(job, paths, out, console))


def _photos(arguments: Sequence[str]) -> list[Path]:
    """Each photo that the arguments mean, once; what means none stays in the list, to be complained about."""
    found = [path for argument in arguments for path in _matches(argument) or [Path(argument)]]
    return list({path.resolve(): path for path in found}.values())


def _matches(argument: str) -> list[Path]:
    path = Path(argument)
    if path.is_dir():
        return sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
    if path.exists():
        return [path]
    return sorted(Path(p) for p in glob.glob(argument, recursive=True) if not Path(p).is_dir())


def _domain(text: str | None) -> Domain | None:
    value = None if text is None else parse(text)
    if value is None or isinstance(value, Domain):
        return value
    raise ValueError(f"--domain takes a domain, such as DWT('db4', levels=3); got the method {text}.")


def _method(text: str) -> Method:
    value = parse(text)
    if not isinstance(value, METHODS):
        raise ValueError(f"--method takes a method, such as SmoothGrad(samples=25); got the domain {text}.")
    method: Method = value
    return method


def _device(text: str | None) -> torch.device:
    name = text or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"--device names a device of this machine; got {name!r} ({reason}). Try cpu.") from error


def _check_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"--out is a folder; got {out}, and {error.strerror}. Choose another.") from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise PermissionError(f"--out is a folder that you may write to; got {out}. Choose another.")


def _default_domain(shape: tuple[int, ...]) -> Domain:
    return DWT("haar", levels=5 if min(shape) >= 2**5 else None)


def _explain_all(job: Job, paths: list[Path], out: Path, console: Console) -> int:
    """Explains and reports photo by photo; the exit code."""
    written, failures = [], 0
    for number, (path, stem) in enumerate(zip(paths, _stems(paths, out), strict=True), 1):
        try:
            answer = _answer(job, path, progress=console.is_terminal)
            _print(job, answer, console, f"photo {number} of {len(paths)}: " if len(paths) > 1 else "")
            written += _write(job, answer, out / stem)
        except WRONG as error:
            _complain(str(error))
            failures += 1
    for file in written:
        console.print(Text(f"wrote {_plain(str(file))}"), soft_wrap=True)
    return 0 if not failures else 1 if written else 2


def _stems(paths: list[Path], out: Path) -> list[str]:
    """A name for each photo's files: its stem, or stem-2 and so on where that would overwrite a photo or a stranger."""
    folder = out.resolve()
    taken = {path.stem.casefold() for path in map(Path.resolve, paths) if path.parent == folder}
    stems = []
    for path in paths:
        stem = next(s for s in _candidates(path.stem) if s.casefold() not in taken and not _is_foreign(out / s))
        taken.add(stem.casefold())
        stems.append(stem)
    return stems


def _candidates(stem: str) -> Iterator[str]:
    return itertools.chain([stem], (f"{stem}-{n}" for n in itertools.count(2)))


def _is_foreign(base: Path) -> bool:
    """Whether some of the files are there and some are not: then they are not ours."""
    return len({_beside(base, suffix).exists() for suffix in WRITTEN}) == 2


def _beside(base: Path, suffix: str) -> Path:
    return base.with_name(base.name + suffix)


def _answer(job: Job, path: Path, progress: bool) -> Answer:
    x = job.loaded.preprocess(read_image(path)).to(job.device)
    with torch.no_grad():
        logits = job.loaded.module(x)[0].float()
    target = int(logits.argmax()) if job.target is None else job.target
    attribution = attribute(
        job.loaded.module,
        x,
        target,
        domain=job.domain,
        method=job.method,
        batch_size=job.batch_size,
        progress=progress,
    )
    provenance = attribution.provenance | {"model": job.loaded.name}
    return Answer(path, x, logits, target, replace(attribution, provenance=provenance))


def _print(job: Job, answer: Answer, console: Console, prefix: str) -> None:
    label = job.loaded.labels[answer.target]
    console.print(Text(f"{prefix}{_plain(str(answer.photo))}", style="bold"), soft_wrap=True)
    console.print(_class_table(_classes(job, answer)))
    path = answer.attribution.gap is not None  # only path methods add up
    verb = "its rise over a black picture comes from" if path else "it responds to"
    account = f"{answer.target} {label}, logit {_logit(answer):.3f}: {verb} these scales"
    console.print(Text(account), soft_wrap=True)
    console.print(_scale_table(answer.attribution))
    if caution := _caution(answer.attribution, job.method):
        console.print(Text(caution, style="yellow"), soft_wrap=True)


def _logit(answer: Answer) -> float:
    return float(answer.logits[answer.target])


def _classes(job: Job, answer: Answer) -> list[dict[str, Any]]:
    """The top classes, most probable first."""
    probabilities = answer.logits.softmax(0)
    order = answer.logits.argsort(descending=True, stable=True)[: job.top].tolist()
    return [
        {
            "index": i,
            "label": job.loaded.labels[i],
            "probability": float(probabilities[i]),
            "logit": float(answer.logits[i]),
        }
        for i in order
    ]


def _class_table(classes: list[dict[str, Any]]) -> Table:
    table = _table("index", "class", "probability", "logit")
    for row in classes:
        table.add_row(str(row["index"]), Text(row["label"]), f"{row['probability']:.1%}", f"{row['logit']:.3f}")
    return table


def _scale_table(a: Attribution) -> Table:
    """The profile: signed sums with what they add up to, and shares of the total magnitude."""
    table = _table("scale", "pixels", "signed sum", "share of |γ|")
    for row in _profile(a):
        table.add_row(row["scale"], _pixels(row["scale"]), f"{row['signed']:+.4f}", f"{row['share']:.1%}")
    table.add_section()
    table.add_row("total", "", f"{float(a.data.sum()):+.4f}", f"{sum(row['share'] for row in _profile(a)):.1%}")
    if a.gap is not None:
        table.add_row("f(x) − f(x₀)", "", f"{float(a.data.sum() + a.gap):+.4f}", "")
    return table


def _caution(a: Attribution, method: Method) -> str:
    """A line for sums that miss the score difference by more than the method's tolerance, or 5 %, or nothing."""
    allowed = getattr(method, "tolerance", None) or 0.05
    if a.gap is None or a.score is None or a.baseline_score is None:
        return ""
    gap, rise = abs(float(a.gap)), abs(float(a.score - a.baseline_score))
    if gap <= allowed * rise:
        return ""
    spent = int(a.spent.max()) if a.spent is not None else 0
    return (
        f"The signed sums miss f(x) − f(x₀) by {gap:.2g} after {spent} gradients: more close the gap, "
        "--method 'IntegratedGradients(tolerance=0.02, max_steps=1000)'."
    )


def _pixels(scale: str) -> str:
    """How large what a scale sees is, in pixels of the model's input."""
    size = 2 ** int(scale[1:] or 0)
    return {"a": f"over {size}", "d": f"{size // 2} to {size}"}.get(scale[0], "1")


def _table(first: str, second: str, *numbers: str) -> Table:
    table = Table(first, second)
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def _profile(a: Attribution) -> list[dict[str, Any]]:
    found = maps.profile(a)
    rows = zip(found.names, found.signed[0].tolist(), found.share[0].tolist(), strict=True)
    return [{"scale": name, "signed": signed, "share": share} for name, signed, share in rows]


def _write(job: Job, answer: Answer, base: Path) -> list[Path]:
    """The panel, the attribution and the summary; their paths."""
    panel, attribution, summary = (_beside(base, suffix) for suffix in WRITTEN)
    _draw(job, answer, panel)
    answer.attribution.save(attribution)
    summary.write_text(json.dumps(_summary(job, answer), indent=2) + "\n", encoding="utf-8")
    return [panel, attribution, summary]


def _draw(job: Job, answer: Answer, path: Path) -> None:
    from wavelens import plots  # matplotlib: only once there is something to draw

    name = _plain(answer.photo.name)
    title = f"{name[:40]}{'…' * (len(name) > 40)}: {job.loaded.labels[answer.target].split(', ')[0]}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # characters that the font lacks are drawn as boxes
        plots.save(plots.panel(answer.attribution, answer.x, title=title.replace("$", r"\$")), path)


def _summary(job: Job, answer: Answer) -> dict[str, Any]:
    a = answer.attribution
    scalars = {"score": a.score, "baseline_score": a.baseline_score, "gap": a.gap, "spent": a.spent}
    return {
        "photo": str(answer.photo),
        "model": job.loaded.name,
        "weights": job.weights,
        "preprocess": repr(job.loaded.preprocess),
        "target": {"index": answer.target, "label": job.loaded.labels[answer.target]},
        "top": _classes(job, answer),
        "domain": repr(job.domain),
        "method": a.method,
        **{name: None if value is None else value.reshape(-1)[0].item() for name, value in scalars.items()},
        "profile": _profile(a),
        "provenance": a.provenance,
    }
