"""Where the command begins: importing PyTorch takes seconds, which is said, and which Ctrl-C ends at once."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, TextIO, cast

from wavelens.cli.progress import PROGRESS
from wavelens.version import __version__

HUB_REQUESTS = "huggingface_hub.utils._http"  # the logger of what asks the hub again
INTERRUPTED = 130  # the exit code after Ctrl-C, as a shell has it


class RetryNote(logging.Filter):
    """Says once that a hub does not answer and is asked again, in place of its client's own warnings."""

    is_told = False

    def filter(self, record: logging.LogRecord) -> bool:
        if not self.is_told and "Retry" in record.getMessage():
            self.is_told = True
            print("note: the Hugging Face Hub does not answer yet; trying again …", file=sys.stderr)
        return record.levelno >= logging.ERROR


class Unread:
    """A stream whose reader may go away, as `head` does: what is printed then is lost, and the work goes on."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        try:
            return self.stream.write(text)
        except BrokenPipeError:
            self._give_up()
            return len(text)

    def flush(self) -> None:
        try:
            self.stream.flush()
        except BrokenPipeError:
            self._give_up()

    def _give_up(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.stream.fileno())
        os.close(nowhere)


RETRIES = RetryNote()
COMMANDS = ("explain", "check", "evaluate", "minimal", "profile", "retrieve", "compare", "app", "doctor")
ALONE = ("app", "doctor")  # commands that run without an argument


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code; wrong input is one line on stderr and 2. Without arguments: help.

    Called without arguments it is the program: it reads those of the shell, and says on stderr what takes time.
    """
    is_program = arguments is None
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given == ["--version"]:
        print(f"wavelens {__version__}")
        return 0
    if _is_whole_program(is_program):
        signal.signal(signal.SIGINT, _interrupt)
    try:
        _quieten()
        with _told(is_program and _computes(given)):
            from wavelens.cli import commands
        if _is_whole_program(is_program):
            sys.stdout = cast(TextIO, Unread(sys.stdout))
        return commands.run(given)
    except KeyboardInterrupt:
        print("interrupted.", file=sys.stderr)
        return INTERRUPTED
    finally:
        if _is_whole_program(is_program):
            signal.signal(signal.SIGINT, _end)  # while the program ends


def _computes(given: Sequence[str]) -> bool:
    """Whether a command follows that takes time; help, an unknown name and a command without its files do not."""
    return given[:1] != [] and given[0] in (COMMANDS if len(given) > 1 else ALONE) and "--help" not in given


def _quieten() -> None:
    """Keeps other libraries' remarks from the terminal, and lets any text be printed."""
    for library in ("huggingface_hub", "transformers", "timm"):
        logging.getLogger(library).setLevel(logging.ERROR)
    for variable in ("HF_HUB_VERBOSITY", "TRANSFORMERS_VERBOSITY"):  # read by those that are imported later
        os.environ.setdefault(variable, "error")
    requests = logging.getLogger(HUB_REQUESTS)
    requests.setLevel(logging.WARNING)
    requests.addFilter(RETRIES)
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a pipe may not know γ or the photo's name


@contextmanager
def _told(is_program: bool) -> Iterator[None]:
    """Says that PyTorch is loaded: in a line that goes away on a terminal, else in one of the log."""
    text = "loading PyTorch …"
    on_terminal = is_program and sys.stdout.isatty() and sys.stderr.isatty()
    if is_program and not on_terminal:
        PROGRESS.addHandler(logging.StreamHandler(sys.stderr))
        PROGRESS.setLevel(logging.INFO)
        PROGRESS.info(text)
    if on_terminal:
        print(text, end="\r", file=sys.stderr, flush=True)
    yield
    if on_terminal:
        print(" " * len(text), end="\r", file=sys.stderr, flush=True)


def _is_whole_program(is_program: bool) -> bool:
    """Whether signals are the program's own to handle."""
    return is_program and threading.current_thread() is threading.main_thread()


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Ctrl-C: `KeyboardInterrupt`, but a second one, and one while a module is imported, ends the program at once.

    Half-imported libraries raise anything, and some catch it.
    """
    signal.signal(signal.SIGINT, _end)
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            _end(number, frame)
        frame = frame.f_back
    raise KeyboardInterrupt


def _end(number: int, frame: FrameType | None) -> None:
    os.write(2, b"\ninterrupted.\n" if os.isatty(2) else b"interrupted.\n")
    os._exit(INTERRUPTED)
