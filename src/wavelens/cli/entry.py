"""Where the command begins: its subcommands, and how wrong input ends it."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from wavelens.cli.check import check
from wavelens.cli.compare import compare_runs
from wavelens.cli.doctor import doctor
from wavelens.cli.evaluate import evaluate
from wavelens.cli.explain import explain
from wavelens.cli.minimal import minimal
from wavelens.cli.profile import profile
from wavelens.cli.serve import app as serve
from wavelens.cli.terminal import complain
from wavelens.explaining.errors import INPUT_ERRORS
from wavelens.version import __version__

USAGE_ERROR: Any = typer.BadParameter.__bases__[0]  # click's, which newer versions of typer carry inside

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
app.command()(explain)
app.command()(check)
app.command()(evaluate)
app.command()(minimal)
app.command()(profile)
app.command("compare")(compare_runs)
app.command("app")(serve)
app.command()(doctor)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code; wrong input is one line on stderr and 2. Without arguments: help."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    for library in ("huggingface_hub", "transformers", "timm"):
        logging.getLogger(library).setLevel(logging.ERROR)
    for variable in ("HF_HUB_VERBOSITY", "TRANSFORMERS_VERBOSITY"):  # read by those that are imported later
        os.environ.setdefault(variable, "error")
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a pipe may not know γ or the photo's name
    try:
        return int(app(given or ["--help"], prog_name="wavelens", standalone_mode=False) or 0)
    except USAGE_ERROR as error:
        command = error.ctx.command_path if error.ctx else "wavelens"
        text = error.format_message().rstrip(".")
        complain(f"{text}{'' if text.endswith('?') else '.'} See {command} --help.")
    except INPUT_ERRORS as error:
        complain(str(error))
    except typer.Abort:
        return 130
    return 2


def _show_version(requested: bool) -> None:
    if requested:
        print(f"wavelens {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Explains neural networks in the wavelet domain: which scales a prediction comes from, and where."""
