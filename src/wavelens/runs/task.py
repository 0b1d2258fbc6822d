"""What is run over a data set: a task, and the job, the answer and the failures of one shard of it.

A task is a frozen value. Its fields say what is computed and go into the record of a run; `load` builds what every item
needs (the model) once in each worker. Items are small values that say where the data lies; `str(item)` names an item in
the results, `repr(item)` tells it from every other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from wavelens.models.trust import importable_working_folder
from wavelens.runs.store.shards import Value, stacked, write_shard, written
from wavelens.untrusted import reason_of

Function = Callable[[Any], Mapping[str, Value]]


class Task(Protocol):
    """`load()` gives a function from an item to its results: names with numbers or tensors, of one form for every item.

    A task may have `columns`, a tuple with a `metrics.Column` for each name of known direction. Tables show the other
    numbers too, and rank no run by them.
    """

    def load(self) -> Function: ...


@dataclass(frozen=True)
class Failure:
    """An item without a result, and why."""

    index: int
    name: str
    reason: str


@dataclass(frozen=True)
class Job:
    """One shard to be computed: its items, counted from `start` in the data set, and the file that they go to.

    `run` is the digest of the run's manifest. `fatal` are items that ended a worker. With `watched`, a file beside the
    shard's says which item is at hand. With `again`, a shard that is there is computed anew.
    """

    shard: int
    start: int
    items: tuple[Any, ...]
    path: Path
    run: str
    fatal: tuple[int, ...] = ()
    watched: bool = False
    again: bool = False

    @property
    def watch(self) -> Path:
        return self.path.with_suffix(".at")


@dataclass(frozen=True)
class Report:
    """A shard that is written: how many items it covers, and those of them without a result."""

    shard: int
    items: int
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class Step:
    """So many items of a shard are computed, and the shard is not written yet."""

    shard: int
    items: int


@dataclass(frozen=True)
class Ready:
    """A worker that holds the task."""


@dataclass(frozen=True)
class Stop:
    """Why no worker can go on: the disk is full, the task cannot be loaded."""

    reason: str


@dataclass(frozen=True)
class Lost:
    """A worker that ended without an answer."""

    reason: str


Answer = Ready | Step | Report | Stop | Lost


class Worker:
    """Holds a loaded task and computes shards; lives in this process, in a spawned one or in an actor of Ray."""

    def __init__(self, task: Task, threads: int) -> None:
        self.task, self.threads = task, threads

    def load(self) -> Ready | Stop:
        try:
            with alike(self.threads):
                self.function = self.task.load()
        except Exception as error:  # whatever the caller's task raises
            return Stop(f"the task cannot be loaded: {_line(error)}")
        return Ready()

    def compute(self, job: Job) -> Report | Stop:
        """Computes a shard and writes it, unless it is there; items that fail are listed."""
        for answer in self.steps(job):
            if isinstance(answer, Report | Stop):
                return answer
        raise AssertionError("the last step of a shard is its report")

    def steps(self, job: Job) -> Iterator[Step | Report | Stop]:
        """As `compute`, with a step after each item."""
        if (there := self._there(job)) is not None:
            yield there
            return
        results: dict[int, Mapping[str, Value]] = {}
        failures: list[Failure] = []
        for index, item in enumerate(job.items, job.start):
            stop = self._add(job, index, item, results, failures)
            if stop is not None:
                yield stop
                return
            yield Step(job.shard, index - job.start + 1)
        yield self._write(job, results, failures)

    def _there(self, job: Job) -> Report | Stop | None:
        """The report of a shard that is written already."""
        try:
            if not job.again and written(job.path, job.run, range(job.start, job.start + len(job.items))):
                return Report(job.shard, len(job.items))
        except OSError as error:
            return _unwritten(job, error)
        except ValueError as error:
            return Stop(str(error))
        return None

    def _add(
        self,
        job: Job,
        index: int,
        item: Any,
        results: dict[int, Mapping[str, Value]],
        failures: list[Failure],
    ) -> Stop | None:
        """Computes an item into the results or the failures; why nothing more can be computed, if so."""
        try:
            with alike(self.threads):
                result = self._result(job, index, item)
        except torch.AcceleratorError as error:  # the device is lost to this process, whatever the item
            return Stop(f"the device failed: {_line(error)}")
        except OSError as error:
            return _unwritten(job, error)
        if isinstance(result, str):
            failures.append(Failure(index, str(item), result))
        else:
            results[index] = result
        return None

    def _write(self, job: Job, results: dict[int, Mapping[str, Value]], failures: list[Failure]) -> Report | Stop:
        try:
            names = {index: str(job.items[index - job.start]) for index in results}
            write_shard(job.path, job.run, names, stacked(results, names), [asdict(f) for f in failures])
            job.watch.unlink(missing_ok=True)
        except torch.AcceleratorError as error:
            return Stop(f"the device failed: {_line(error)}")
        except OSError as error:
            return _unwritten(job, error)
        except ValueError as error:
            return Stop(str(error))
        return Report(job.shard, len(job.items), tuple(failures))

    def _result(self, job: Job, index: int, item: Any) -> Mapping[str, Value] | str:
        """The item's results, or why there are none."""
        if index in job.fatal:
            return "its worker ended twice while it was computed (out of memory, or a crash in a library)"
        if job.watched:
            job.watch.write_text(str(index))
        try:
            return self.function(item)
        except torch.AcceleratorError:
            raise
        except Exception as error:  # decoders and models raise anything
            return _line(error)


def _unwritten(job: Job, error: OSError) -> Stop:
    return Stop(
        f"{job.path} could not be written: {reason_of(error)}. Finished shards are whole: remove the cause and "
        "run the same again."
    )


def unpickled(task: bytes, loads: Callable[[bytes], Any], threads: int) -> Worker | Stop:
    """A worker with the task that it is sent; classes of a user's own are looked for in the working folder too."""
    try:
        with importable_working_folder():
            return Worker(loads(task), threads)
    except Exception as error:  # whatever a module of the user raises
        return Stop(f"the task cannot be loaded: {_line(error)}")


@contextmanager
def alike(threads: int) -> Iterator[None]:
    """Settings on which the last bits of a result depend, the same in every worker; then as they were."""
    before = torch.get_num_threads(), torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic
    torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = before[1:]


def _line(error: BaseException) -> str:
    """An error in one line: its text, behind its class where that is not told by the text."""
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError | OSError) and text else f"{type(error).__name__}: {text}"
