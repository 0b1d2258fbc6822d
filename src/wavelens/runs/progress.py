"""How far a run is: items, their rate, the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from wavelens.runs.task import Failure, Report


@dataclass
class Progress:
    """`done` of `total` items, of which `pending` were to be computed when this session began.

    `damaged` of the shards that were there are computed again, because they are no longer what was written. The rate
    counts from the start of the session to the last report, what was there before left out.
    """

    total: int
    pending: int
    clock: Callable[[], float] = time.monotonic
    failures: list[Failure] = field(default_factory=list)
    computed: int = 0
    latest: tuple[Failure, ...] = ()
    damaged: int = 0

    def __post_init__(self) -> None:
        self.started = self.reported = self.clock()

    def add(self, report: Report) -> None:
        self.computed += report.items
        self.latest = report.failures
        self.failures += report.failures
        self.reported = self.clock()

    @property
    def done(self) -> int:
        return self.total - self.pending + self.computed

    @property
    def rate(self) -> float | None:
        """Items a second, or None before the first report."""
        seconds = self.reported - self.started
        return self.computed / seconds if self.computed and seconds > 0 else None

    @property
    def left(self) -> float | None:
        """Seconds until the end at this rate, or None before the first report."""
        return None if self.rate is None else (self.pending - self.computed) / self.rate


ProgressWatch = Callable[[Progress], None]
