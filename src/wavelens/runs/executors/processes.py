"""Workers in processes of this machine: spawned, so that they share nothing, and each holds the model once."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait

import torch

from wavelens.field_types import check_fields
from wavelens.runs.executors.work_sharing import share
from wavelens.runs.task import Answer, Job, Lost, Report, Step, Stop, Task, unpickled
from wavelens.whole_numbers import is_whole


@dataclass(frozen=True)
class Processes:
    """`workers` processes on this machine; where there are GPUs, each sees one of them, in turn.

    A script that uses it keeps its own calls under `if __name__ == "__main__":`, since workers import the script.
    """

    workers: int = 2

    def __post_init__(self) -> None:
        check_fields(self)
        if not is_whole(self.workers, 1):
            raise ValueError(f"workers must be a whole number from 1; got workers={self.workers}.")

    def __call__(self, task: Task, threads: int, jobs: Iterable[Job]) -> Generator[Step | Report]:
        return share(_Crew(self.workers, task, threads), jobs)


class _Crew:
    def __init__(self, workers: int, task: Task, threads: int) -> None:
        self.workers, self.task, self.threads = workers, pickle.dumps(task), threads
        self.context = multiprocessing.get_context("spawn")
        self.processes: dict[int, multiprocessing.process.BaseProcess] = {}
        self.pipes: dict[int, Connection] = {}

    def start(self, worker: int) -> None:
        here, there = self.context.Pipe()
        process = self.context.Process(target=_serve, args=(there, worker, self.task, self.threads), daemon=True)
        with interrupts_held():
            process.start()
        there.close()  # the worker alone holds it now, and its death is the end of the pipe
        self.processes[worker], self.pipes[worker] = process, here

    def give(self, worker: int, job: Job) -> None:
        try:
            self.pipes[worker].send(job)
        except OSError:
            return  # it has just ended: its pipe says so

    def answer(self) -> tuple[int, Answer]:
        pipe = wait(list(self.pipes.values()))[0]
        worker = next(number for number, own in self.pipes.items() if own is pipe)
        try:
            answer: Answer = self.pipes[worker].recv()
        except (EOFError, OSError):
            return worker, self._lost(worker)
        return worker, answer

    def _lost(self, worker: int) -> Lost:
        process = self.processes.pop(worker)
        self.pipes.pop(worker).close()
        process.join()
        code = process.exitcode or 0
        return Lost(
            f"worker {worker} ended by signal {-code}" if code < 0 else f"worker {worker} ended with code {code}"
        )

    def close(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.join()


@contextmanager
def interrupts_held() -> Iterator[None]:
    """What this thread starts meanwhile has no Ctrl-C, so that its imports end quietly; the thread has it later."""
    if not hasattr(signal, "pthread_sigmask"):  # on Windows
        yield
        return
    resource_tracker.ensure_running()  # which lets the signal through once it has started
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, worker: int, task: bytes, threads: int) -> None:
    """The life of a worker: ready, then the steps and the report of each job, until the pipe ends.

    It ends when its owner is killed, too.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the owner, who ends its workers
    _take_gpu(worker)
    try:
        own = unpickled(task, pickle.loads, threads)
        if isinstance(own, Stop):
            return pipe.send(own)
        pipe.send(own.load())
        while True:
            for answer in own.steps(pipe.recv()):
                pipe.send(answer)
    except (EOFError, OSError):
        return None


def _take_gpu(worker: int) -> None:
    """Lets this process see one of the GPUs that it could see, before it has touched any."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = (
        [str(i) for i in range(torch.cuda.device_count())] if visible is None else [d for d in visible.split(",") if d]
    )
    if devices:
        os.environ["CUDA_VISIBLE_DEVICES"] = devices[worker % len(devices)]
