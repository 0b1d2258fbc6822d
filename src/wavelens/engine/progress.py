"""`Bar`: how far a computation is, told to a terminal, to a notebook's cell or to a caller's function."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

Progress = bool | Callable[[int, int], None]  # a bar or none, or what is told how many passes are done of how many

UPDATE_SECONDS = 0.1  # seconds between two changes of a cell


class Bar:
    """A progress bar over passes of the model, called `label`, or the caller's own, or nothing."""

    def __init__(self, progress: Progress, label: str = "passes") -> None:
        self._progress: Any = None
        self._cell: _Cell | None = None
        self._report = progress if callable(progress) else None
        self._done = self._expected = 0
        if not progress or self._report:
            return
        if _in_notebook():
            self._cell = _Cell(label)
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        text = TextColumn("{task.description} {task.completed:.0f}/{task.total:.0f}")
        self._progress = Progress(text, BarColumn(), TimeRemainingColumn(), transient=True)
        self._task = self._progress.add_task(label, total=0)
        self._progress.start()

    def __enter__(self) -> Bar:
        return self

    def expect(self, more: int) -> None:
        self._expected += more
        if self._progress:
            self._progress.update(self._task, total=self._expected)

    def advance(self, done: int) -> None:
        self._done += done
        if self._report:
            self._report(self._done, self._expected)
        if self._progress:
            self._progress.advance(self._task, done)
        if self._cell:
            self._cell.show(self._done, self._expected)

    def __exit__(self, *error: Any) -> None:
        if self._progress:
            self._progress.stop()
        if self._cell:
            self._cell.close()


class _Cell:
    """A bar of plain HTML. Rich's is a widget there: of a package and an extension that many notebooks lack."""

    def __init__(self, label: str) -> None:
        from IPython.display import display

        self._label = label
        self._handle = display({"text/plain": f"{label} …"}, raw=True, display_id=True)
        self._shown = -UPDATE_SECONDS

    def show(self, done: int, expected: int) -> None:
        now = time.monotonic()
        if now - self._shown >= UPDATE_SECONDS:
            self._shown, text = now, f"{self._label} {done}/{expected}"
            html = f'<progress value="{done}" max="{expected}"></progress> {text}'
            self._handle.update({"text/plain": text, "text/html": html}, raw=True)

    def close(self) -> None:
        self._handle.update({"text/plain": "", "text/html": ""}, raw=True)


def _in_notebook() -> bool:
    """Whether a kernel runs this, which shows HTML."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return hasattr(shell, "kernel")
