"""What is printed: complaints, text that a terminal shows safely, tables."""

from __future__ import annotations

import sys

from rich.table import Table

from wavelens.untrusted import excerpt

MAX_CHARACTERS = 1000  # of a complaint
WRONG = (ValueError, OSError, ImportError, TypeError, RuntimeError, MemoryError)  # what wrong input raises: one line


def complain(message: str) -> None:
    print(f"error: {one_line(message)}", file=sys.stderr)


def one_line(message: str) -> str:
    """A message in one line that a terminal shows safely, its middle left out where it is very long."""
    return excerpt(plain(" ".join(message.split())), MAX_CHARACTERS)


def note(message: str) -> None:
    print(f"note: {one_line(message)}", file=sys.stderr)


def plain(text: str) -> str:
    """`text` without what a terminal would obey or could not show."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def table(first: str, second: str, *numbers: str) -> Table:
    table = Table(first, second)
    for name in numbers:
        table.add_column(name, justify="right")
    return table
