"""The command `wavelens`."""

from wavelens.cli.entry import main

__all__ = ["main"]
