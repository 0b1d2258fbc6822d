"""One process that carries out cases: imports are paid once, memory is bounded, and a case cannot end the others."""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import shutil
import socket
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from fuzz.formats import Format, formats
from wavelens.untrusted import excerpt

SECONDS = 20  # of one case, on a machine that does much else
MEMORY_BYTES = 2 * 2**30  # of one case, beyond what the process held before it
CLEAN = (ValueError, OSError, TypeError)


@dataclass(frozen=True)
class Verdict:
    """What became of a case: `fault` is empty for an answer and for a clean sentence."""

    case: int
    format: str
    outcome: str
    fault: str = ""

    def __str__(self) -> str:
        return f"case {self.case}, {self.format}: {excerpt(self.fault, 400) or self.outcome}"


class Worker:
    """Carries out the cases of a seed in a process of its own, which is started anew after one that ended it."""

    def __init__(self, seed: int, keep: Path | None = None, table: Callable[[], list[Format]] = formats) -> None:
        self.seed, self.keep, self.table = seed, keep, table
        self.process: Any = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def __call__(self, case: int) -> Verdict:
        if self.process is None:
            self._start()
        self.pipe.send(case)
        name = self.names[case % len(self.names)]
        try:
            if self.pipe.poll(SECONDS):
                verdict: Verdict = self.pipe.recv()
                return verdict
            fault = f"no answer in {SECONDS} s"
        except EOFError:
            self.process.join()
            fault = f"the process ended with code {self.process.exitcode}"
        self._end()
        return Verdict(case, name, "none", fault)

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, self.seed, self.keep, self.table), daemon=True)
        self.process.start()
        other.close()
        self.names = self.pipe.recv()
        if isinstance(self.names, Exception):
            raise self.names

    def _end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.pipe.close()
        self.process = None


def _serve(pipe: Connection, seed: int, keep: Path | None, table_of: Callable[[], list[Format]]) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what libraries note of damaged files
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        table = table_of()
        whole = Path(folder) / "whole"
        try:
            entries = [_prepared(one, whole / one.name) for one in table]
        except RuntimeError as error:
            pipe.send(error)
            return
        pipe.send([one.name for one in table])
        while True:
            case = pipe.recv()
            one = table[case % len(table)]
            copy = keep or Path(folder) / "case"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(whole / one.name, copy)
            damage(copy, one, random.Random(f"{seed} {case}"))
            entry = copy / entries[case % len(table)]
            pipe.send(Verdict(case, one.name, *judged(lambda one=one, entry=entry: one.read(entry))))


def _prepared(one: Format, folder: Path) -> Path:
    """Writes a whole file and reads it, which imports libraries before memory is bounded; where it is in the folder."""
    folder.mkdir(parents=True)
    try:
        entry = one.write(folder)
        one.read(entry)
    except Exception as error:
        raise RuntimeError(f"{one.name} cannot be read as it is: {type(error).__name__}: {error}") from None
    return entry.relative_to(folder)


def damage(folder: Path, one: Format, rng: random.Random) -> None:
    """Changes one file in a folder, or puts something else in its place."""
    path = rng.choice(sorted(folder.glob(one.damaged)))
    if rng.random() < 0.04:
        path.unlink()
        rng.choice(PLACES)(path)
        return
    path.write_bytes(rng.choice(one.ways)(path.read_bytes(), rng))


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(path))  # a short name, which is all that fits


PLACES: tuple[Callable[[Path], object], ...] = (
    os.mkfifo,
    Path.mkdir,
    _socket,
    lambda path: path.symlink_to("/dev/zero"),
    lambda path: path.symlink_to("/dev/stdin"),
    lambda path: path.symlink_to(path),
    lambda path: path.symlink_to("nowhere"),
    lambda path: path.write_bytes(b""),
)


def judged(read: Callable[[], object]) -> tuple[str, str]:
    """The outcome of a call and what is wrong with it, within memory that is bounded."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY_BYTES, before[1]))
    try:
        read()
    except CLEAN as error:
        return type(error).__name__, _unclean(error)
    except BaseException as error:
        return type(error).__name__, f"{type(error).__name__}: {error}"
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    return "answer", ""


def _unclean(error: BaseException) -> str:
    """Why an error is no clean sentence, if it is none."""
    text, cause = str(error), error
    while cause is not None:
        if isinstance(cause, MemoryError) or "can't allocate memory" in str(cause):
            return f"more than {MEMORY_BYTES >> 20} MiB: {type(error).__name__}: {text}"
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    if len(text) < 10 or "\n" in text or " " not in text.strip():
        return f"no sentence: {type(error).__name__}: {text!r}"
    return ""
