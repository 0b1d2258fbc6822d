"""`wavelens retrieve`: the best texts of each file, and the best files of each text."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.text import Text
from torch import Tensor

from wavelens.cli.model_options import with_model_options
from wavelens.cli.options import check_folder
from wavelens.cli.shared_options import DeviceName, Files, Out, each, opened
from wavelens.cli.terminal import Terminal, plain, table
from wavelens.counts import with_minus
from wavelens.explaining import read_input
from wavelens.explaining.arguments import device_called
from wavelens.explaining.files import inputs
from wavelens.explaining.records import words_of
from wavelens.explaining.retrieval import Retrieval
from wavelens.models import LoadedModel, Options, PromptHead
from wavelens.models.loaded import PROMPT_MARK
from wavelens.models.prompts import PAIR_FORMS

SCORES = "retrieval.csv"


@with_model_options
def retrieve(
    files: Files,
    model: Annotated[str, typer.Option(help=f"The model of signals and texts: {PAIR_FORMS}.")],
    options: Options = Options(),
    text: Annotated[
        list[str] | None, typer.Option(help="A text to match; may be repeated. Put many into a file: --labels.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Number of texts and of files to print.")] = 3,
    out: Out = Path("wavelens-out"),
    device: DeviceName = None,
) -> None:
    """Match files with texts, best first.

    Finds the texts that fit each file best, and the files that fit each text best.

    Texts are those of --text and the lines of --labels. Prints a table of each, and a command that explains the pair of
    the highest score; writes retrieval.csv with the score of every pair to the folder --out.

    Exit codes: 0, all files were read; 1, some were, and a line on stderr says what is wrong with each of the others;
    2, none was, or an option is wrong.
    """
    place, console = device_called(device), Terminal()
    check_folder(out)
    loaded, kind = opened(model, options, files, place, console, asked=[f"{PROMPT_MARK}{one}" for one in text or ()])
    if not isinstance(loaded.module, PromptHead):
        raise ValueError(
            f"texts are looked for by a model of signals and texts, {PAIR_FORMS}; {model} is a classifier."
        )
    scored: dict[Path, Tensor] = {}

    def one(path: Path) -> list[Path]:
        logits = read_input(loaded, kind, path, place).logits
        assert logits is not None  # a head gives one for each text
        scored[path] = logits.cpu()
        return []

    def last() -> Iterator[Path]:
        if scored:
            retrieval = Retrieval(tuple(scored), loaded.labels, torch.stack(list(scored.values())))
            _print(retrieval, top, console)
            _print_command(retrieval, loaded, console)
            yield retrieval.write(out / SCORES)

    work = [(str(path), partial(one, path)) for path in inputs(files, kind)]
    raise typer.Exit(each([*work, ("", last)], console))


def _print(retrieval: Retrieval, top: int, console: Console) -> None:
    by_file, by_text = table("file", "best texts", "score"), table("text", "best files", "score")
    for k, file in enumerate(retrieval.files):
        for rank, (text, score) in enumerate(retrieval.texts_of(k, top)):
            by_file.add_row("" if rank else plain(file.name), plain(text), with_minus(f"{score:.3f}"))
    for k, text in enumerate(retrieval.texts):
        for rank, (file, score) in enumerate(retrieval.files_of(k, top)):
            by_text.add_row("" if rank else plain(text), plain(file.name), with_minus(f"{score:.3f}"))
    console.print(by_file)
    console.print(by_text)


def _print_command(retrieval: Retrieval, loaded: LoadedModel, console: Console) -> None:
    """How the best pair is explained."""
    file, text = retrieval.best()
    target = f"{PROMPT_MARK}{text}" if text in (loaded.options.prompts or ()) else text
    words = ["wavelens", "explain", str(file), "--model", loaded.name, *words_of(loaded.options), "--target", target]
    console.print(Text(f"explain the best pair: {shlex.join(words)}"), soft_wrap=True)
