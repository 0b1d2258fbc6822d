"""Arguments of the benchmarks' commands."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch


def parser(doc: str | None) -> argparse.ArgumentParser:
    """A parser whose help is the script's docstring as it stands."""
    return argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)


def timed_parser(doc: str | None, rounds: int, **choices: Iterable[str]) -> argparse.ArgumentParser:
    """A parser of a script that times: `--device`, `--rounds`, and of each of `choices` some or all."""
    made = parser(doc)
    made.add_argument("--device", default="cpu")
    made.add_argument("--rounds", type=int, default=rounds)
    for name, values in choices.items():
        made.add_argument(f"--{name}", choices=list(values), nargs="*", default=list(values))
    return made


def sized(
    doc: str | None, small: dict[str, Any], full: dict[str, Any], results: Path, argv: Sequence[str] | None = None
) -> argparse.Namespace:
    """A number or text for each of `small`; `FULL=1` in the environment makes `full` the default.

    `--threads` is how many torch uses, `--results` the folder of the record.
    """
    made = parser(doc)
    defaults = small | full if os.environ.get("FULL", "0") not in ("", "0") else small
    for name, value in defaults.items():
        made.add_argument(f"--{name}", type=type(value), default=value)
    made.add_argument("--threads", type=int, default=1)
    made.add_argument("--results", type=Path, default=results)
    given = made.parse_args(argv)
    torch.set_num_threads(given.threads)
    return given
