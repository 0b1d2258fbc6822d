"""`Desk`: takes requests, has them computed in turns, gives results, and throws away what nobody looks at any more.

It knows no page: `look`, `explain`, `stop` and `leave` are what a page, a test or another front end calls, each with
the key of the session that asks.
"""

from __future__ import annotations

import logging
import re
import secrets
import shutil
import threading
import time
from collections.abc import Generator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from wavelens.app.choices import Wish, job, shown_name
from wavelens.app.floor import Floor
from wavelens.app.limits import Limits, check_upload
from wavelens.cli.answers import caution, explained, seen, top_classes, write
from wavelens.cli.kinds import Answer, Job, Kind
from wavelens.cli.reports import entry_of
from wavelens.cli.terminal import WRONG, plain
from wavelens.models import LoadedModel
from wavelens.reports import report

TICK = 0.25  # seconds between two words to a page that waits
TOP = 10  # classes to choose the target from
FRESH = 60.0  # seconds for which an upload stays that no session has named yet

log = logging.getLogger(__name__)


class Stopped(Exception):
    """The request was cancelled: its page is gone, or its user asked for another or for none."""


class Refused(Exception):
    """What a user is told in place of a result."""


@dataclass(frozen=True, eq=False)
class Served:
    """A model that the desk offers, with the kind of signals that it takes."""

    loaded: LoadedModel
    kind: Kind
    weights: str | None = None


@dataclass(frozen=True)
class Step:
    """How far a request is: `ahead` others before it in line, gradients `done` of at most `most`, at last drawing."""

    ahead: int = 0
    done: int = 0
    most: int = 0
    drawing: bool = False


@dataclass(frozen=True, eq=False)
class Result:
    """What a page shows: the files, which `Desk.file` serves under `token` until the session has others or ends."""

    token: str
    name: str
    label: str
    caution: str
    files: dict[str, Path]  # the report first


@dataclass(eq=False)
class _Session:
    """What belongs to one page: `work` is what it waits for, `result` what it shows."""

    touched: float
    uploads: set[Path] = field(default_factory=set)  # the latest
    work: _Work | None = None
    result: Result | None = None


@dataclass(eq=False)
class _Work:
    """A request in a thread of its own. `step` is called there after each chunk, and ends it where it was cancelled."""

    floor: Floor
    most: int
    done: int = 0
    drawing: bool = False
    cancelled: threading.Event = field(default_factory=threading.Event)
    future: Future[Any] | None = None
    kept: bool = False

    def step(self, done: int = 0, expected: int = 0) -> None:
        self.done = max(self.done, done)
        self.check()
        self.floor.pass_on()
        self.check()

    def check(self) -> None:
        if self.cancelled.is_set():
            raise Stopped

    def cancel(self) -> None:
        self.cancelled.set()
        if self.future is not None:
            self.future.cancel()  # where it has not begun


class Desk:
    """Explains uploads with the `models` that it serves, for any number of sessions at once, within `limits`.

    `limits.running` requests share the machine chunk by chunk, the others wait. Each session has one request at a
    time: a new one ends the one before. `folder` holds uploads and results; `close` removes all of it.
    """

    def __init__(
        self,
        models: Sequence[Served],
        folder: Path,
        *,
        limits: Limits | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        if not models:
            raise ValueError("an app serves at least one model; got none.")
        named = [replace(one, loaded=replace(one.loaded, name=shown_name(one.loaded.name))) for one in models]
        self.models = {one.loaded.name: one for one in named}
        if len(self.models) < len(named):
            raise ValueError(f"an app's models differ in name; got {', '.join(one.loaded.name for one in named)}.")
        self.limits, self.device, self.floor = limits or Limits(), torch.device(device), Floor()
        self.uploads, self._results = folder / "uploads", folder / "results"
        for made in (self.uploads, self._results):
            made.mkdir(parents=True)
        for one in models:
            _settle(one.loaded.module.to(self.device))
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.RLock()
        self._pool = ThreadPoolExecutor(self.limits.running, thread_name_prefix="wavelens")
        self._pending: list[_Work] = []

    def suited(self, model: str, path: Path) -> str:
        """The model called `model` if it takes files such as this one, else the first that does, else `model`."""
        named = [self._served(model), *self.models.values()]
        return next((one.loaded.name for one in named if one.kind.reads(path)), model)

    def look(self, session: str, model: str, path: Path) -> list[dict[str, Any]]:
        """The model's top classes for an upload; `Refused` where there are none."""
        served = self._served(model)

        def ask(work: _Work) -> list[dict[str, Any]]:
            check_upload(path, served.kind, served.loaded.preprocess.shape, self.limits)
            logits = seen(served.loaded, served.kind, path, self.device).logits
            return top_classes(served.loaded, logits, TOP)

        work = self._begin(session, ask, path)
        assert work.future is not None
        classes: list[dict[str, Any]] = _outcome(work.future)
        return classes

    def explain(self, session: str, model: str, path: Path, wish: Wish) -> Generator[Step | Result]:
        """Steps while it waits and computes, then the result; closing the iterator cancels the request.

        Raises `Refused` with a sentence for the user, and `Stopped` where the session asked for something else.
        """
        served = self._served(model)
        work = self._begin(session, lambda work: self._explained(session, served, path, wish, work), path, wish)
        assert work.future is not None
        try:
            while not _is_done(work.future):
                if not self._touch(session):
                    work.cancel()
                yield Step(self._ahead(work), work.done, work.most, work.drawing)
            result = _outcome(work.future)
            self._keep(session, result)
            work.kept = True
            yield result
        finally:
            work.cancel()
            if not work.kept:
                work.future.add_done_callback(self._drop)

    def stop(self, session: str) -> None:
        """Ends what the session waits for."""
        with self._lock:
            found = self._sessions.get(session)
            if found is not None and found.work is not None:
                found.work.cancel()

    def leave(self, session: str) -> None:
        """The page is gone: ends its request and removes its files."""
        with self._lock:
            self.stop(session)
            found = self._sessions.pop(session, None)
        if found is not None and found.result is not None:
            self._discard(found.result.token)
        self.sweep()

    def file(self, token: str, name: str) -> Path | None:
        """A file of a result that a page shows, or None."""
        with self._lock:
            results = [one.result for one in self._sessions.values() if one.result is not None]
        files = next((result.files for result in results if _same(result.token, token)), {})
        found = files.get(name)
        return found if found is not None and found.is_file() else None

    def sweep(self) -> None:
        """Ends sessions that were idle for too long, and removes uploads that no session has."""
        now = time.monotonic()
        with self._lock:
            idle = [key for key, one in self._sessions.items() if now - one.touched > self.limits.idle]
            held = {path for key, one in self._sessions.items() if key not in idle for path in one.uploads}
        for key in idle:
            self.leave(key)
        for path in self.uploads.rglob("*"):
            with suppress(FileNotFoundError):  # another sweep was there first
                if path.is_file() and path not in held and time.time() - path.stat().st_mtime > FRESH:
                    path.unlink()

    def close(self) -> None:
        """Ends all requests and removes all files."""
        for key in list(self._sessions):
            self.leave(key)
        self._pool.shutdown(wait=True, cancel_futures=True)
        shutil.rmtree(self.uploads.parent, ignore_errors=True)

    def _served(self, model: str) -> Served:
        if model not in self.models:
            raise Refused(f"the models are {', '.join(self.models)}; got {model!r}.")
        return self.models[model]

    def _session(self, key: str) -> _Session:
        with self._lock:
            found = self._sessions.setdefault(key, _Session(0.0))
            found.touched = time.monotonic()
            return found

    def _touch(self, key: str) -> bool:
        """Whether the session is still there; if so it is not idle."""
        with self._lock:
            return key in self._sessions and bool(self._session(key))

    def _begin(self, session: str, ask: Any, path: Path, wish: Wish | None = None) -> _Work:
        """Puts a request in line; the session's last one is ended."""
        work = _Work(self.floor, wish.gradients if wish else 0)

        def run() -> Any:
            try:
                with self.floor.held():
                    work.check()
                    return ask(work)
            except Exception as error:
                end = Stopped() if work.cancelled.is_set() else self._end(error, path)
            raise end  # out here: an error that is kept would keep the tensors of what it ended

        with self._lock:
            self.stop(session)
            self._session(session).uploads = {path}
        self.sweep()
        with self._lock:
            self.stop(session)
            if len(self._pending) >= self.limits.running + self.limits.waiting:
                raise Refused(f"{len(self._pending)} requests are being served; try again in a while.")
            self._pending.append(work)
            self._session(session).work = work
            work.future = self._pool.submit(run)
            work.future.add_done_callback(lambda _: self._strike(work))
        return work

    def _strike(self, work: _Work) -> None:
        with self._lock:
            self._pending.remove(work)

    def _end(self, error: Exception, path: Path) -> Exception:
        """What a user is told of an error; no folder of the server is named."""
        if isinstance(error, Stopped):
            return Stopped()
        if not isinstance(error, (Refused, *WRONG)):
            log.error("a request failed", exc_info=error)
            return Refused(f"this went wrong inside wavelens ({type(error).__name__}); the server's log says where.")
        folders = re.escape(str(self.uploads.parent)) + r"(/[^/\s]+)*/"
        text = plain(" ".join(re.sub(folders, "", str(error).replace(str(path), path.name)).split()))
        return Refused(text if len(text) <= 600 else f"{text[:300]} … {text[-300:]}")

    def _ahead(self, work: _Work) -> int:
        with self._lock:
            if work.future is None or work.future.running() or work not in self._pending:
                return 0
            return self._pending.index(work)

    def _explained(self, session: str, served: Served, path: Path, wish: Wish, work: _Work) -> Result:
        loaded, kind = served.loaded, served.kind
        check_upload(path, kind, loaded.preprocess.shape, self.limits)
        task = job(wish, loaded, kind, self.limits, served.weights, self.device)
        answer = explained(task, kind, path, progress=work.step)
        answer = replace(answer, path=Path(path.name))  # nothing of the server's folders is written down
        work.drawing = True
        work.step()
        token = secrets.token_urlsafe(16)
        folder = self._results / token
        folder.mkdir()
        try:
            base = folder / kind.stem(path)
            page = report(entry_of(task, kind, answer), base.with_name(f"{base.name}-report.html"))
            work.step()
            files = [page, *write(task, kind, answer, base)]
            work.check()
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return _result(token, served, task, answer, {str(file.relative_to(folder)): file for file in files})

    def _keep(self, session: str, result: Result) -> None:
        """The session shows this result now, and no longer the one before; `Stopped` for one that has left."""
        with self._lock:
            found = self._sessions.get(session)
            if found is None:
                raise Stopped
            before, found.result = found.result, result
        if before is not None:
            self._discard(before.token)

    def _drop(self, future: Future[Result]) -> None:
        """Removes the files of a result that came too late."""
        if not future.cancelled() and future.exception() is None:
            self._discard(future.result().token)

    def _discard(self, token: str) -> None:
        shutil.rmtree(self._results / token, ignore_errors=True)


def _same(token: str, asked: str) -> bool:
    """In a time that tells nothing of how much of it is right."""
    return secrets.compare_digest(token.encode(), asked.encode())


def _result(token: str, served: Served, task: Job, answer: Answer, files: dict[str, Path]) -> Result:
    label = served.loaded.labels[answer.target]
    return Result(token, answer.path.name, label, caution(answer.attribution, task.method), files)


def _outcome(future: Future[Any]) -> Any:
    """The future's result; `Stopped` where it was cancelled before it began."""
    try:
        return future.result()
    except CancelledError:
        raise Stopped from None


def _is_done(future: Future[Any]) -> bool:
    """Waits a tick for it; one that was cancelled in line is done."""
    with suppress(TimeoutError, CancelledError):
        future.exception(TICK)
    return future.done()


def _settle(module: nn.Module) -> None:
    """As the engine would have it for the time of a request, so that two at once leave each other nothing to undo."""
    module.requires_grad_(False)
    for layer in module.modules():
        if isinstance(layer, nn.Conv3d) and layer.weight.device.type == "cpu" and layer.weight.dtype == torch.float32:
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last_3d)
