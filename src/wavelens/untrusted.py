"""Input of unknown origin: which files may be opened, JSON that is an object, texts that are quoted in a sentence."""

from __future__ import annotations

import glob
import json
import stat
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

SPECIAL: dict[str, Callable[[int], bool]] = {
    "named pipe": stat.S_ISFIFO,
    "socket": stat.S_ISSOCK,
    "device": lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode),
}


def check_file(path: str | PathLike[str], noun: str) -> None:
    """Raise unless `path` is a regular file with at least one byte; nothing is opened, so nothing blocks.

    `noun` is what the file should hold, such as "photo". `FileNotFoundError` where there is nothing, `ValueError` for a
    folder, a pipe, a socket, a device and an empty file, other `OSError` where the path cannot be looked up.
    """
    path = Path(path)
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"no such {noun}: {path}. Check the spelling of the path.") from None
    except OSError as error:
        raise type(error)(f"the {noun} {path} cannot be opened: {reason_of(error)}. Check the path.") from None
    if stat.S_ISDIR(status.st_mode):
        raise ValueError(f"a {noun} must be a file; got the folder {path}. Name a {noun} in it.")
    check_regular(path, noun)
    if status.st_size == 0:
        raise ValueError(f"{path} is empty, so it is not a {noun}. Get a fresh copy.")


def no_such_files(arguments: Sequence[str]) -> FileNotFoundError:
    """The error for paths that do not exist and for patterns that no file matches."""
    patterns = [one for one in arguments if glob.has_magic(one)]
    paths = [one for one in arguments if one not in patterns]
    parts = [f"no such file{'s' * (len(paths) > 1)}: {', '.join(paths)}"] if paths else []
    if patterns:
        parts.append(f"no file matches the pattern{'s' * (len(patterns) > 1)} {', '.join(patterns)}")
    what = "path" if paths else "pattern"
    return FileNotFoundError(f"{'; '.join(parts)}. Check the spelling of the {what}{'s' * (len(arguments) > 1)}.")


def check_regular(path: str | PathLike[str], noun: str) -> None:
    """`ValueError` for a pipe, a socket and a device; nothing is opened. What is not there is left to the caller."""
    try:
        mode = Path(path).stat().st_mode
    except OSError:
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        special = next((name for name, fits in SPECIAL.items() if fits(mode)), "special file")
        raise ValueError(
            f"a {noun} must be a regular file; got the {special} {path}. Copy its content to a file first."
        )


def reason_of(error: OSError) -> str:
    """What the system says of an error, to follow a colon: 'no such file or directory'."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


def plain(text: str) -> str:
    """`text` without characters that a terminal would act on or could not show."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def one_line(text: str) -> str:
    """`text` in one line that can be printed: line ends and tabs are spaces."""
    return plain(" ".join(text.split()))


def excerpt(text: str, characters: int = 200) -> str:
    """`text` in one line that can be printed, its middle left out where it has more than so many characters."""
    line, half = one_line(text), characters // 2
    return line if len(line) <= characters else f"{line[:half]} … {line[-half:]} ({len(text):,} characters)"


def json_object(text: str | bytes) -> dict[str, Any]:
    """The JSON object in `text`; `ValueError` for anything else, also for JSON that is nested too deeply."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError(f"its JSON is a {type(value).__name__}, not an object")
    return value
