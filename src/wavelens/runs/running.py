"""`run`: a task over a data set, shard by shard, into a folder; what is there is not computed again."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from wavelens.runs.executors.local import Local
from wavelens.runs.progress import Progress, ProgressWatch
from wavelens.runs.store import manifest
from wavelens.runs.store.reading import Run
from wavelens.runs.store.shards import written
from wavelens.runs.task import Job, Report, Step, Task
from wavelens.untrusted import reason_of
from wavelens.whole_numbers import is_whole

SHARD_SIZE = 16  # items; what a worker that is killed repeats at most
MISSING, DAMAGED, FAILING, WHOLE = "missing", "damaged", "whole, with failures", "whole"  # what a shard may be


class Executor(Protocol):
    """Where jobs are computed: `Local()`, `Processes(workers=…)` or `Ray(workers=…)`."""

    @property
    def workers(self) -> int: ...

    def __call__(self, task: Task, threads: int, jobs: Iterable[Job]) -> Generator[Step | Report]: ...


def run(
    task: Task,
    dataset: Sequence[Any],
    folder: str | Path,
    *,
    executor: Executor | None = None,
    shard_size: int | None = None,
    part: tuple[int, int] = (0, 1),
    threads: int = 1,
    retry: bool = False,
    watch: ProgressWatch | None = None,
) -> Run:
    """Computes `task` for every item of `dataset` and writes the results to `folder`; an existing run is resumed.

    Results are the same bit by bit whatever the executor, the number of workers and the size of shards: every item is
    computed by itself, on `threads` threads of a CPU. A folder holds one run: `ValueError` where its manifest says
    that task, data set, versions, threads or `shard_size` (`None`: that of the folder, or 16) are others.

    An item that raises is listed with its reason and skipped; `retry` computes shards that list such items again.
    `part=(i, n)` computes every n-th shard from the i-th, for n processes that know nothing of each other and share
    the folder. `watch` is called with the progress. Every shard is one file, written beside its place and renamed:
    whatever ends a run, also a full disk (`RuntimeError`), what was written is whole, and the same call goes on where
    it ended. A shard that is no longer what was written (its checksum, its items or their names differ) is computed
    again.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Squares:
    ...     def load(self):
    ...         return lambda item: {"square": torch.tensor(item**2)}
    >>> wl.runs.run(Squares(), [1, 2, 3], "squares").read().values["square"].tolist()
    [1, 4, 9]
    """
    _check(threads, shard_size, part)
    folder = Path(folder)
    size = shard_size or _size_there(folder) or SHARD_SIZE
    description = manifest.describe(task, dataset, size, threads)
    if not description.items:
        raise ValueError("a data set must have at least one item; got none. Check the folder and its suffixes.")
    _make(folder / "shards")
    manifest.settle(folder, description, getattr(task, "OPTION_NAMES", None))
    started = Run(folder, description)
    own = range(part[0], description.shards, part[1])
    states = {shard: _state(started, dataset, shard) for shard in own}
    pending = [shard for shard, state in states.items() if state in (MISSING, DAMAGED) or (retry and state == FAILING)]
    progress = Progress(
        sum(len(started.items(shard)) for shard in own),
        sum(len(started.items(shard)) for shard in pending),
        damaged=sum(state == DAMAGED for state in states.values()),
    )
    jobs = (_job(started, dataset, shard, again=states[shard] != MISSING or retry) for shard in pending)
    _tell(watch, progress)
    if pending:
        with closing((executor or Local())(task, threads, jobs)) as reports:  # ends the workers, after an error too
            for answer in reports:
                progress.add(answer)
                _tell(watch, progress)
    _tidy(started, own)
    return started


def _check(threads: int, shard_size: int | None, part: tuple[int, int]) -> None:
    for name, number in {"threads": threads, "shard_size": 1 if shard_size is None else shard_size}.items():
        if not is_whole(number, 1):
            raise ValueError(f"{name} must be a whole number from 1; got {name}={number}.")
    if not 0 <= part[0] < part[1]:
        raise ValueError(f"part must be (i, n) with i from 0 to n - 1; got {part}.")


def _size_there(folder: Path) -> int | None:
    return manifest.read(folder).shard_size if (folder / manifest.FILE).exists() else None


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise type(error)(
            f"cannot create the folder {folder} for the run: {reason_of(error)}. Choose another."
        ) from error


def _state(run: Run, dataset: Sequence[Any], shard: int) -> str:
    """What is in a shard's place; other errors as `read_shard`."""
    path, items = run.path(shard), run.items(shard)
    if not path.exists():
        return MISSING
    there = written(path, run.digest, items)
    if there is None or there.items != {index: str(dataset[index]) for index in items}:
        return DAMAGED
    return FAILING if there.failures else WHOLE


def _job(run: Run, dataset: Sequence[Any], shard: int, again: bool) -> Job:
    items = run.items(shard)
    own = tuple(dataset[index] for index in items)
    return Job(shard, items.start, own, run.path(shard), run.digest, again=again)


def _tell(watch: ProgressWatch | None, progress: Progress) -> None:
    if watch is not None:
        watch(progress)


def _tidy(run: Run, own: Iterable[int]) -> None:
    """Removes what killed processes left beside shards that are whole by now."""
    names = {run.path(shard).name for shard in own}
    for left in run.path(0).parent.glob("*.part"):
        if left.name.rsplit(".", 2)[0] in names:
            left.unlink(missing_ok=True)
