"""Workers as actors of Ray, on this machine or on a cluster; each holds the model once."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from wavelens.field_types import check_fields
from wavelens.optional import optional
from wavelens.runs.executors.work_sharing import share
from wavelens.runs.task import Answer, Job, Lost, Report, Step, Stop, Task, unpickled
from wavelens.untrusted import excerpt, reason_of

SECONDS = 5  # for the head node of a cluster to take a connection


@dataclass(frozen=True)
class Ray:
    """`workers` actors of Ray 2, each with `num_cpus` and `num_gpus`; actors that die are replaced.

    `address` is that of a cluster, as for `ray.init`; without one, `RAY_ADDRESS` says where, and else Ray is started on
    this machine and ended afterwards. Data set, weights and folder of results have the same paths on every node, and
    wavelens is installed there. Needs the extra `ray`.
    """

    workers: int = 2
    num_cpus: float = 1
    num_gpus: float = 0
    address: str | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if self.workers < 1 or self.num_cpus < 0 or self.num_gpus < 0:
            raise ValueError(
                f"workers must be a whole number from 1, and num_cpus and num_gpus must be at least 0; got {self}."
            )

    def __call__(self, task: Task, threads: int, jobs: Iterable[Job]) -> Generator[Step | Report]:
        if self.address or os.environ.get("RAY_ADDRESS"):
            # asked once, not twenty times, where something else listens; Ray reads it when it is imported
            os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")
        ray = optional("ray", "ray")
        started = not ray.is_initialized()
        try:
            if started:
                _start(ray, self.address)
            check_room(self, ray.cluster_resources())
            yield from share(_Crew(ray, self, task, threads), jobs)
        finally:
            if started:
                ray.shutdown()


def _start(ray: Any, address: str | None) -> None:
    """`RuntimeError` in one line where Ray does not start."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        _ask(address or os.environ.get("RAY_ADDRESS", ""))
        ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level="error")
    except Exception as error:  # Ray raises its own errors, and those of its connections
        where = f"at {address}" if address else "on this machine"
        said = reason_of(error) if isinstance(error, OSError) else str(error)
        reason = excerpt(said).strip().rstrip(".") or type(error).__name__
        raise RuntimeError(
            f"Ray does not start {where}: {reason}. Check the address and `ray status`, or compute with --executor "
            "processes."
        ) from error


def _ask(address: str) -> None:
    """`OSError` where nothing listens at `[ray://]host:port`, for which `ray.init` would wait for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), SECONDS).close()


def check_room(request: Ray, room: dict[str, float]) -> None:
    """`ValueError` where the cluster has no node for even one worker, since the run would then wait forever."""
    for name, amount in (("CPU", request.num_cpus), ("GPU", request.num_gpus)):
        if amount > room.get(name, 0):
            raise ValueError(
                f"a worker needs {amount:g} {name}; this Ray has {room.get(name, 0):g} in all. "
                f"Ask for less with num_{name.lower()}s, or give the address of a cluster."
            )


class _Actor:
    """A worker that looks for modules and relative paths where its driver does, so that it knows the task's own."""

    def __init__(self, task: bytes, threads: int, path: list[str], folder: str) -> None:
        with suppress(OSError):  # a node that lacks it has nothing there to read
            os.chdir(folder)
        sys.path.extend(entry for entry in path if entry not in sys.path)
        self.worker = unpickled(task, optional("ray", "ray").cloudpickle.loads, threads)

    def load(self) -> Answer:
        return self.worker if isinstance(self.worker, Stop) else self.worker.load()

    def compute(self, job: Job) -> Answer:
        return self.worker if isinstance(self.worker, Stop) else self.worker.compute(job)


class _Crew:
    def __init__(self, ray: Any, request: Ray, task: Task, threads: int) -> None:
        self.ray, self.workers, self.threads = ray, request.workers, threads
        self.actor = ray.remote(num_cpus=request.num_cpus, num_gpus=request.num_gpus)(_Actor)
        self.task = ray.cloudpickle.dumps(task)
        self.actors: dict[int, Any] = {}
        self.pending: dict[Any, int] = {}

    def start(self, worker: int) -> None:
        self.actors[worker] = self.actor.remote(self.task, self.threads, sys.path, os.getcwd())
        self.pending[self.actors[worker].load.remote()] = worker

    def give(self, worker: int, job: Job) -> None:
        self.pending[self.actors[worker].compute.remote(job)] = worker

    def answer(self) -> tuple[int, Answer]:
        (ready,), _ = self.ray.wait(list(self.pending), num_returns=1)
        worker = self.pending.pop(ready)
        try:
            answer: Answer = self.ray.get(ready)
        except self.ray.exceptions.RayError as error:
            self.ray.kill(self.actors.pop(worker))
            return worker, Lost(f"an actor of Ray ended: {' '.join(str(error).split())[:300]}")
        return worker, answer

    def close(self) -> None:
        for actor in self.actors.values():
            self.ray.kill(actor)
