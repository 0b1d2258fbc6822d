"""`RequestQueue`: requests in threads of their own. So many share the turns, the others wait; each can be cancelled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from wavelens.app.turns import Turns
from wavelens.counts import count_of

TICK = 0.25  # seconds between two words to a page that waits


class Stopped(Exception):
    """The request was cancelled: its page is gone, or its user asked for another or for none."""


class Refused(Exception):
    """What a user is told in place of a result."""


@dataclass(frozen=True)
class Step:
    """How far a request is: `ahead` others before it in line, passes `done` of at most `most`, at last drawing."""

    ahead: int = 0
    done: int = 0
    most: int = 0
    drawing: bool = False


@dataclass(eq=False)
class Work:
    """A request of at most `most` gradients. `step` is called after each chunk, and ends it where it was cancelled.

    Passes are counted over all computations of the request: gradients first, then those of interventions.
    """

    turns: Turns
    most: int = 0
    done: int = 0
    before: int = 0  # passes of computations that are done
    drawing: bool = False
    cancelled: threading.Event = field(default_factory=threading.Event)
    future: Future[Any] = field(default_factory=Future)

    def step(self, done: int = 0, expected: int = 0) -> None:
        if 0 < done < self.done - self.before:  # another computation has begun
            self.before = self.done
        if done:
            self.done, self.most = self.before + done, max(self.most, self.before + expected)
        self.check()
        self.turns.pass_on()
        self.check()

    def check(self) -> None:
        if self.cancelled.is_set():
            raise Stopped

    def cancel(self) -> None:
        self.cancelled.set()
        self.future.cancel()  # where it has not begun

    def outcome(self) -> Any:
        """What came of it, once it is there; `Stopped` where it was cancelled before it began."""
        try:
            return self.future.result()
        except CancelledError:
            raise Stopped from None


class RequestQueue:
    """Computes `running` requests at once, chunk by chunk; `waiting` more wait in the order in which they came."""

    def __init__(self, running: int, waiting: int) -> None:
        self.turns, self.room = Turns(), running + waiting
        self.pending: list[Work] = []
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(running, thread_name_prefix="wavelens")

    def begin(self, work: Work, ask: Callable[[Work], Any], describe: Callable[[Exception], Exception]) -> None:
        """Puts a request in line; it ends with what `describe` makes of its error. `Refused` where there is no room."""

        def run() -> Any:
            try:
                with self.turns.held():
                    work.check()
                    return ask(work)
            except Exception as error:
                end = Stopped() if work.cancelled.is_set() else describe(error)
            raise end  # out here: an error that is kept would keep the tensors of what it ended

        with self._lock:
            if len(self.pending) >= self.room:
                raise Refused(
                    f"{count_of(len(self.pending), 'request', 'is', 'are')} being served; try again in a while."
                )
            self.pending.append(work)
            work.future = self._pool.submit(run)
        work.future.add_done_callback(lambda _: self._strike(work))

    def steps(self, work: Work) -> Generator[Step]:
        """How far it is, tick by tick, until it is done."""
        while not work.future.done():
            with suppress(TimeoutError, CancelledError):  # one that was cancelled in line is done
                work.future.exception(TICK)
            if not work.future.done():
                yield Step(self._ahead(work), work.done, work.most, work.drawing)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _strike(self, work: Work) -> None:
        with self._lock:
            self.pending.remove(work)

    def _ahead(self, work: Work) -> int:
        with self._lock:
            waits = work in self.pending and not work.future.running()
            return self.pending.index(work) if waits else 0
