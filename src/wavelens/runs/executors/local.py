"""This process as the only worker."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass

from wavelens.runs.task import Job, Report, Step, Stop, Task, Worker


@dataclass(frozen=True)
class Local:
    """One worker: this process."""

    @property
    def workers(self) -> int:
        return 1

    def __call__(self, task: Task, threads: int, jobs: Iterable[Job]) -> Generator[Step | Report]:
        worker = Worker(task, threads)
        loaded = worker.load()
        if isinstance(loaded, Stop):
            raise RuntimeError(loaded.reason)
        for job in jobs:
            for answer in worker.steps(job):
                if isinstance(answer, Stop):
                    raise RuntimeError(answer.reason)
                yield answer
