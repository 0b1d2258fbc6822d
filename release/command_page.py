"""docs/command.md, written from the help of the command: its subcommands, arguments and options.

python release/command_page.py
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

from typer.models import ArgumentInfo

from wavelens.cli.commands import app

PAGE = Path(__file__).parents[1] / "docs" / "command.md"
HEAD = """# The command

Every subcommand of `wavelens`, with its arguments and options. The page is generated (`python release/command_page.py`)
from what `wavelens --help` and `wavelens explain --help` print. `wavelens --version` prints the version.
"""
VALUES = {str: "TEXT", int: "INTEGER", float: "NUMBER", Path: "PATH"}


def page() -> str:
    """The whole page as Markdown."""
    commands = [(one.name or _function(one).__name__, _function(one)) for one in app.registered_commands]
    contents = "".join(f"| [`wavelens {name}`](#wavelens-{name}) | {_first_sentence(of)} |\n" for name, of in commands)
    sections = "".join(f"\n{_section(name, of)}" for name, of in commands)
    return f"{HEAD}\n| subcommand | what it does |\n| --- | --- |\n{contents}{sections}"


def _function(command: Any) -> Callable[..., None]:
    function: Callable[..., None] = command.callback
    return function


def _section(name: str, function: Callable[..., None]) -> str:
    rows = list(_rows(function))
    usage = " ".join([f"wavelens {name}", *(f"{names}…" if many else names for names, many in _arguments(function))])
    text = _escaped(inspect.getdoc(function) or "")
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    head = "| argument or option | meaning | default |\n| --- | --- | --- |\n"
    return f"## wavelens {name}\n\n`{usage} [options]`\n\n{text}\n\n{head}{table}"


def _first_sentence(function: Callable[..., None]) -> str:
    return _escaped(re.split(r"(?<=\.)\s", inspect.getdoc(function) or "")[0].replace("\n", " "))


def _parameters(function: Callable[..., None]) -> Iterator[tuple[inspect.Parameter, Any, Any]]:
    """Each parameter with the type of its value and what typer is told of it."""
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        kind, info = get_args(parameter.annotation)
        yield parameter, kind, info


def _arguments(function: Callable[..., None]) -> Iterator[tuple[str, bool]]:
    for parameter, kind, info in _parameters(function):
        if isinstance(info, ArgumentInfo):
            yield parameter.name.upper(), _value(kind)[1]


def _rows(function: Callable[..., None]) -> Iterator[tuple[str, str, str]]:
    for parameter, kind, info in _parameters(function):
        yield f"`{_names(parameter, kind, info)}`", _escaped(info.help or ""), _default(parameter, info)


def _names(parameter: inspect.Parameter, kind: Any, info: Any) -> str:
    if isinstance(info, ArgumentInfo):
        return parameter.name.upper()
    spelled = [one for one in (info.default, *(info.param_decls or ())) if one is not ...]  # typer takes the first so
    names = ", ".join(spelled or [f"--{parameter.name.replace('_', '-')}"])
    value, many = _value(kind)
    return f"{names}{f' {value}' if value else ''}{' …' if many else ''}"


def _value(kind: Any) -> tuple[str, bool]:
    """What is typed for a value, nothing for a flag; and whether there may be several."""
    if isinstance(kind, UnionType):
        (kind,) = (one for one in get_args(kind) if one is not type(None))
    many = get_origin(kind) is list
    if many:
        (kind,) = get_args(kind)
    return VALUES.get(kind, ""), many


def _default(parameter: inspect.Parameter, info: Any) -> str:
    if isinstance(info.show_default, str):
        return _escaped(info.show_default)
    if parameter.default is parameter.empty:
        return "required"
    return "" if parameter.default in (None, False) else f"`{parameter.default}`"


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", text)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
