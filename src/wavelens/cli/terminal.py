"""What is printed: complaints, text that a terminal shows safely, tables."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.status import Status
from rich.table import Table
from rich.text import Text

from wavelens.cli.progress import PROGRESS
from wavelens.untrusted import excerpt
from wavelens.untrusted import plain as plain


class Terminal(Console):
    """A console that shows texts as they are: no markup in brackets, and nothing that a terminal would obey."""

    def __init__(self, stderr: bool = False) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, stderr=stderr)

    def status(self, status: RenderableType, **options: Any) -> Status:
        return super().status(Text(status) if isinstance(status, str) else status, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(_plain_lines(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=_plain_lines(segment.text))


def tell(console: Console, what: str) -> None:
    """Says what takes time to the log, where there is no terminal that shows a bar."""
    if not console.is_terminal:
        PROGRESS.info(plain(f"{what} …"))


@contextmanager
def busy(console: Console, what: str) -> Iterator[None]:
    """Says what takes time: in a line that goes away on a terminal, else to the log."""
    tell(console, what)
    with console.status(plain(what)):
        yield


def _plain_lines(text: str) -> str:
    return "\n".join(map(plain, text.split("\n")))


def complain(message: str) -> None:
    print(f"error: {excerpt(message, characters=1000)}", file=sys.stderr)


def note(message: str) -> None:
    print(f"note: {excerpt(message, characters=1000)}", file=sys.stderr)


def table(first: str, second: str, *numbers: str) -> Table:
    table = Table(first, second)
    for name in numbers:
        table.add_column(name, justify="right")
    return table
