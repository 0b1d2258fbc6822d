"""The subcommands, and how wrong input ends them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from wavelens.cli.check import check
from wavelens.cli.compare import compare_runs
from wavelens.cli.doctor import doctor
from wavelens.cli.evaluate import evaluate
from wavelens.cli.explain import explain
from wavelens.cli.minimal import minimal
from wavelens.cli.profile import profile
from wavelens.cli.retrieve import retrieve
from wavelens.cli.serve import app as serve
from wavelens.cli.terminal import complain
from wavelens.explaining.errors import INPUT_ERRORS
from wavelens.version import __version__

USAGE_ERROR: Any = typer.BadParameter.__bases__[0]  # click's, which newer versions of typer carry inside


class Interrupted(Exception):
    """Ctrl-C while a command ran: typer turns `KeyboardInterrupt` into an exit code, or into an error."""


class Commands(TyperGroup):
    """The subcommands; an interruption of one is the caller's to tell."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted from None


app = typer.Typer(cls=Commands, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
app.command()(explain)
app.command()(check)
app.command()(evaluate)
app.command()(minimal)
app.command()(profile)
app.command()(retrieve)
app.command("compare")(compare_runs)
app.command("app")(serve)
app.command()(doctor)


def run(given: Sequence[str]) -> int:
    """Runs a subcommand and returns its exit code; `KeyboardInterrupt` where it was interrupted."""
    try:
        return int(app(list(given) or ["--help"], prog_name="wavelens", standalone_mode=False) or 0)
    except USAGE_ERROR as error:
        command = error.ctx.command_path if error.ctx else "wavelens"
        text = error.format_message().rstrip(".")
        complain(f"{text}{'' if text.endswith('?') else '.'} See {command} --help.")
    except INPUT_ERRORS as error:
        complain(str(error))
    except (Interrupted, typer.Abort):
        raise KeyboardInterrupt from None
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
