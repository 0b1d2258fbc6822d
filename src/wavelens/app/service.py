"""`Service`: takes requests, has them computed in turns, gives results, and deletes those of closed sessions.

It knows no page: `look`, `explain`, `stop` and `leave` are what a page, a test or another front end calls, each with
the key of the session that asks.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from wavelens.app.choices import Wish, request_of, shown
from wavelens.app.limits import Limits, check_upload
from wavelens.app.preview import Preview, preview_picture
from wavelens.app.request_queue import Refused, RequestQueue, Step, Stopped, Work
from wavelens.app.served import Result, Served
from wavelens.explaining import Explanation, explained, read_input
from wavelens.explaining.errors import INPUT_ERRORS
from wavelens.explaining.offered import offered_targets
from wavelens.reports import report
from wavelens.untrusted import plain

TOP = 10  # classes to choose the target from
FRESH = 60.0  # seconds for which an upload stays that no session has named yet

log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Session:
    """What belongs to one page: `work` is what it waits for, `result` what it shows."""

    touched: float
    uploads: set[Path] = field(default_factory=set)  # the latest
    work: Work | None = None
    result: Result | None = None


class Service:
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
            raise ValueError("an app must serve at least one model; got none.")
        named = [replace(one, loaded=shown(one.loaded)) for one in models]
        self.models = {one.loaded.name: one for one in named}
        if len(self.models) < len(named):
            raise ValueError(f"an app's models must differ in name; got {', '.join(one.loaded.name for one in named)}.")
        self.limits, self.device = limits or Limits(), torch.device(device)
        self.queue = RequestQueue(self.limits.running, self.limits.waiting)
        self.uploads, self._results = folder / "uploads", folder / "results"
        for made in (self.uploads, self._results):
            made.mkdir(parents=True)
        for one in models:
            _settle(one.loaded.module.to(self.device))
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.RLock()

    def suited(self, model: str, path: Path) -> str:
        """The model called `model` if it takes files such as this one, else the first that does, else `model`."""
        named = [self._served(model), *self.models.values()]
        return next((one.loaded.name for one in named if one.kind.reads(path)), model)

    def look(self, session: str, model: str, path: Path) -> list[dict[str, Any]]:
        """The model's top classes for an upload; `Refused` where there are none."""
        return self.preview(session, model, path).classes

    def preview(self, session: str, model: str, path: Path) -> Preview:
        """The model's top classes for an upload, and what the model is given of it as a picture."""
        served = self._served(model)

        def ask(work: Work) -> Preview:
            check_upload(path, served.kind, served.loaded.preprocess.shape, self.limits)
            one = read_input(served.loaded, served.kind, path, self.device)
            return Preview(offered_targets(served.loaded, one, TOP), preview_picture(one.x))

        preview: Preview = self._begin(session, ask, path).outcome()
        return preview

    def explain(self, session: str, model: str, path: Path, wish: Wish) -> Generator[Step | Result]:
        """Steps while it waits and computes, then the result; closing the iterator cancels the request.

        Raises `Refused` with a sentence for the user, and `Stopped` where the session asked for something else.
        """
        served = self._served(model)
        work = self._begin(session, lambda work: self._explained(session, served, path, wish, work), path, wish)
        kept = False
        try:
            for step in self.queue.steps(work):
                if not self._touch(session):
                    work.cancel()
                yield step
            result: Result = work.outcome()
            self._keep(session, result)
            kept = True
            yield result
        finally:
            work.cancel()
            if not kept:
                work.future.add_done_callback(self._drop)

    def stop(self, session: str) -> None:
        """Ends what the session waits for."""
        with self._lock:
            known = self._sessions.get(session)
            if known is not None and known.work is not None:
                known.work.cancel()

    def leave(self, session: str) -> None:
        """The page is gone: ends its request and removes its files."""
        self._end_session(session)
        self.sweep()

    def file(self, token: str, name: str) -> Path | None:
        """A file of a result that a page shows, or None."""
        with self._lock:
            results = [one.result for one in self._sessions.values() if one.result is not None]
        files = next((result.files for result in results if _same(result.token, token)), {})
        path = files.get(name)
        return path if path is not None and path.is_file() else None

    def sweep(self) -> None:
        """Ends sessions that were idle for too long, and removes uploads that no session has."""
        now = time.monotonic()
        with self._lock:
            idle = [key for key, one in self._sessions.items() if now - one.touched > self.limits.idle]
        for key in idle:
            self._end_session(key)
        with self._lock:
            held = self._held()
        present = [Path(folder) / name for folder, _, names in os.walk(self.uploads) for name in names]
        for path in set(present) - held:
            with suppress(FileNotFoundError):  # another sweep was there first
                if time.time() - path.stat().st_mtime > FRESH:
                    self._remove(path)

    def close(self) -> None:
        """Ends all requests and removes all files."""
        for key in list(self._sessions):
            self.leave(key)
        self.queue.close()
        shutil.rmtree(self.uploads.parent, ignore_errors=True)

    def _served(self, model: str) -> Served:
        if model not in self.models:
            raise Refused(f"the models are {', '.join(self.models)}; got {model!r}.")
        return self.models[model]

    def _session(self, key: str) -> _Session:
        with self._lock:
            session = self._sessions.setdefault(key, _Session(0.0))
            session.touched = time.monotonic()
            return session

    def _end_session(self, key: str) -> None:
        with self._lock:
            self.stop(key)
            ended = self._sessions.pop(key, None)
            held = self._held()
        if ended is not None:
            for path in ended.uploads - held:
                self._remove(path)
            if ended.result is not None:
                self._discard(ended.result.token)

    def _held(self) -> set[Path]:
        """The uploads of all sessions."""
        return {path for one in self._sessions.values() for path in one.uploads}

    def _touch(self, key: str) -> bool:
        """Whether the session is still there; if so it is not idle."""
        with self._lock:
            return key in self._sessions and bool(self._session(key))

    def _begin(self, session: str, ask: Callable[[Work], Any], path: Path, wish: Wish | None = None) -> Work:
        """Puts a request in line; the session's last one is ended, and its upload removed where this is another."""
        work = Work(self.queue.turns, wish.gradients if wish else 0)
        with self._lock:
            self.stop(session)
            before, self._session(session).uploads = self._session(session).uploads, {path}
            held = self._held()
        for replaced in before - held:
            self._remove(replaced)
        self.sweep()
        with self._lock:
            self.stop(session)
            self.queue.begin(work, ask, lambda error: self._end(error, path))
            self._session(session).work = work
        return work

    def _end(self, error: Exception, path: Path) -> Exception:
        """What a user is told of an error; no folder of the server is named."""
        if isinstance(error, Stopped):
            return Stopped()
        if not isinstance(error, (Refused, *INPUT_ERRORS)):
            log.error("a request failed", exc_info=error)
            return Refused(f"this went wrong inside wavelens ({type(error).__name__}); the server's log says where.")
        folders = re.escape(str(self.uploads.parent)) + r"(/[^/\s]+)*/"
        text = plain(" ".join(re.sub(folders, "", str(error).replace(str(path), path.name)).split()))
        return Refused(text if len(text) <= 600 else f"{text[:300]} … {text[-300:]}")

    def _explained(self, session: str, served: Served, path: Path, wish: Wish, work: Work) -> Result:
        loaded, kind = served.loaded, served.kind
        check_upload(path, kind, loaded.preprocess.shape, self.limits)
        request = request_of(wish, loaded, kind, self.limits, self.device)
        explanation = explained(request, path, progress=work.step)
        named = replace(explanation.input, path=Path(path.name))  # nothing of the server's folders is written down
        explanation = replace(explanation, input=named)
        work.drawing = True
        work.step()
        token = secrets.token_urlsafe(16)
        folder = self._results / token
        folder.mkdir()
        try:
            base = folder / kind.stem(path)
            page = report(explanation.entry(), base.with_name(f"{base.name}-report.html"))
            work.step()
            files = [page, *explanation.write(base)]
            work.check()
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return _result(token, explanation, {str(file.relative_to(folder)): file for file in files})

    def _keep(self, session: str, result: Result) -> None:
        """The session shows this result now, and no longer the one before; `Stopped` for one that has left."""
        with self._lock:
            known = self._sessions.get(session)
            if known is None:
                raise Stopped
            before, known.result = known.result, result
        if before is not None:
            self._discard(before.token)

    def _drop(self, future: Future[Result]) -> None:
        """Removes the files of a result that came too late."""
        if not future.cancelled() and future.exception() is None:
            self._discard(future.result().token)

    def _remove(self, path: Path) -> None:
        """Removes an upload, and its folder where it had one to itself; files that are not in `uploads` stay."""
        if path.is_relative_to(self.uploads):
            with suppress(OSError):  # one that cannot be removed while it is read goes at a later look
                path.unlink(missing_ok=True)
                if path.parent != self.uploads:
                    path.parent.rmdir()

    def _discard(self, token: str) -> None:
        shutil.rmtree(self._results / token, ignore_errors=True)


def _same(token: str, other: str) -> bool:
    """In a time that tells nothing of how much of it is right."""
    return secrets.compare_digest(token.encode(), other.encode())


def _result(token: str, explanation: Explanation, files: dict[str, Path]) -> Result:
    name, outputs = explanation.input.path.name, explanation.request.kind.outputs
    return Result(token, name, explanation.target.label, explanation.caution, files, outputs)


def _settle(module: nn.Module) -> None:
    """As the engine would have it for the time of a request, so that two at once leave each other nothing to undo."""
    module.requires_grad_(False)
    for layer in module.modules():
        if isinstance(layer, nn.Conv3d) and layer.weight.device.type == "cpu" and layer.weight.dtype == torch.float32:
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last_3d)
