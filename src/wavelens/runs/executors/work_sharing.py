"""Sharing jobs among workers that may die: who holds what, and what happens to a shard whose worker is gone.

A crew is some workers and a way to talk to them; `share` deals out the jobs. A worker that ends without an answer is
replaced and its shard goes to the next one, which then notes in a file which item is at hand: an item that ends two
workers is listed as a failure, like any bad file.
"""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from wavelens.runs.task import Answer, Job, Lost, Report, Step, Stop

LOSSES = 5  # for each worker, one after the other and nothing gained between them: nothing will come of it


class Crew(Protocol):
    """Workers, by number; each answers once to `start` and with a report to every job, steps before it, or is lost."""

    workers: int

    def start(self, worker: int) -> None: ...

    def give(self, worker: int, job: Job) -> None: ...

    def answer(self) -> tuple[int, Answer]:
        """Waits for the next answer of any worker."""

    def close(self) -> None:
        """Ends the workers."""


def share(crew: Crew, jobs: Iterable[Job]) -> Generator[Step | Report]:
    """The steps and the report of every job, as they come; `RuntimeError` or `OSError` where no worker can go on.

    A job goes only to a worker that is ready, so that workers for whom a cluster has no room hold nothing up.
    """
    desk = _Desk(iter(jobs), crew.workers)
    try:
        for worker in range(crew.workers):
            crew.start(worker)
        while desk.has_work():
            worker, answer = crew.answer()
            if isinstance(answer, Step):
                yield answer
                continue
            job = desk.held.pop(worker, None)
            if isinstance(answer, Stop):
                raise RuntimeError(answer.reason)
            if isinstance(answer, Lost):
                desk.lose(job, answer)
                crew.start(worker)
            else:
                desk.idle.append(worker)
                desk.losses, desk.ready = 0, True
            if isinstance(answer, Report):
                yield answer
            for worker, job in desk.deal():
                crew.give(worker, job)
    finally:
        crew.close()


@dataclass
class _Desk:
    """The jobs that wait, the workers that do, and who holds what."""

    jobs: Iterator[Job]
    workers: int
    returned: deque[Job] = field(default_factory=deque)
    idle: list[int] = field(default_factory=list)
    held: dict[int, Job] = field(default_factory=dict)
    suspects: Counter[int] = field(default_factory=Counter)
    losses: int = 0
    ready: bool = False

    def has_work(self) -> bool:
        """Whether a worker holds a job or one waits."""
        if not self.held and not self.returned:
            self.returned.extend(itertools.islice(self.jobs, 1))
        return bool(self.held or self.returned)

    def deal(self) -> Iterator[tuple[int, Job]]:
        """A job for each idle worker, as far as there are jobs."""
        while self.idle:
            job = self.returned.popleft() if self.returned else next(self.jobs, None)
            if job is None:
                return
            worker = self.idle.pop(0)
            self.held[worker] = job
            yield worker, job

    def lose(self, job: Job | None, lost: Lost) -> None:
        """Takes back what a lost worker held; `RuntimeError` where workers do nothing but end."""
        self.losses += 1
        if self.losses > self.workers * (LOSSES if self.ready else 1):
            raise RuntimeError(f"{self.losses} workers ended one after the other; the last one: {lost.reason}.")
        if job is not None:
            self.returned.appendleft(self._suspecting(job))

    def _suspecting(self, job: Job) -> Job:
        """The job for the next worker; the item that was at hand is given up when it was so twice."""
        if job.watched and job.watch.exists():
            index = int(job.watch.read_text() or -1)
            self.suspects[index] += 1
            if self.suspects[index] == 2:
                job, self.losses = replace(job, fatal=(*job.fatal, index)), 0
            job.watch.unlink()
        return replace(job, watched=True)
