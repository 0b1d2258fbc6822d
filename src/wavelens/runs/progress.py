"""How far a run is: items, their rate, the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from wavelens.runs.task import Failure, Report, Step


@dataclass
class Progress:
    """`done` of `total` items, of which `pending` were to be computed when this session began.

    `damaged` of the shards that were there are computed again, because they are no longer what was written. The rate
    counts from the start of the session to the last item, what was there before left out. `unwritten` has the number of
    computed items of each shard that is at work; workers of Ray tell of whole shards only.
    """

    total: int
    pending: int
    clock: Callable[[], float] = time.monotonic
    failures: list[Failure] = field(default_factory=list)
    written: int = 0
    unwritten: dict[int, int] = field(default_factory=dict)
    latest: tuple[Failure, ...] = ()
    damaged: int = 0

    def __post_init__(self) -> None:
        self.started = self.reported = self.clock()

    def add(self, answer: Step | Report) -> None:
        """Takes in what a worker says: that an item of a shard is computed, or that the shard is written."""
        if isinstance(answer, Step):
            self.unwritten[answer.shard] = answer.items
            self.latest = ()
        else:
            self.unwritten.pop(answer.shard, None)
            self.written += answer.items
            self.latest = answer.failures
            self.failures += answer.failures
        self.reported = self.clock()

    @property
    def computed(self) -> int:
        """Items of this session, also of shards that are at work."""
        return self.written + sum(self.unwritten.values())

    @property
    def kept(self) -> int:
        """Items whose shards are written, in this session or before."""
        return self.total - self.pending + self.written

    @property
    def done(self) -> int:
        return self.total - self.pending + self.computed

    @property
    def rate(self) -> float | None:
        """Items per second, or None before the first report."""
        seconds = self.reported - self.started
        return self.computed / seconds if self.computed and seconds > 0 else None

    @property
    def left(self) -> float | None:
        """Seconds until the end at this rate, or None before the first report."""
        return None if self.rate is None else (self.pending - self.computed) / self.rate


ProgressWatch = Callable[[Progress], None]
