"""`Turns`: who computes now. One at a time, first come, first served, and no one for longer than a chunk."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Held by one thread at a time. Whoever has waited longest is next; calling `pass_on` in between lets others run.

    So memory is that of one pass of a model whatever the number of users, and nobody waits for another's whole run.
    """

    def __init__(self) -> None:
        self._line: deque[object] = deque()
        self._moved = threading.Condition()

    @contextmanager
    def held(self) -> Iterator[None]:
        self._take()
        try:
            yield
        finally:
            self._leave()

    def pass_on(self) -> None:
        """To the end of the line, where there is one; called by who holds the turns."""
        if self.waiting:
            self._leave()
            self._take()

    @property
    def waiting(self) -> int:
        """How many wait behind the one who holds it."""
        return max(len(self._line) - 1, 0)

    def _take(self) -> None:
        me = object()
        with self._moved:
            self._line.append(me)
            self._moved.wait_for(lambda: self._line[0] is me)

    def _leave(self) -> None:
        with self._moved:
            self._line.popleft()
            self._moved.notify_all()
