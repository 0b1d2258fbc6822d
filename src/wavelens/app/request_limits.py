"""`RequestLimits`: which requests the page makes, how much each may send, and how slowly."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import suppress
from typing import Any

from wavelens.app.addresses import SAFE_METHODS
from wavelens.app.refusals import BODY, RequestRefused, refuse

GRACE_SECONDS = 20.0  # for any body, and a second more for each MIN_BYTES_PER_SECOND that have arrived
MIN_BYTES_PER_SECOND = 16_384
LINGER_SECONDS = 2.0  # for what is still sent after a refusal
MAX_MESSAGE_BYTES = 16_384  # of everything but an upload
MULTIPART_BYTES = 16_384  # of an upload beyond its file: boundaries, names, types
UPLOAD = "/gradio_api/upload"
JOIN = "/gradio_api/queue/join"
MESSAGES = "/gradio_api/queue/data"
HEARTBEAT = "/gradio_api/heartbeat/"
ENDPOINTS = {  # all that the page asks for; of Gradio's other endpoints none is reached
    "GET": re.compile(
        r"/|/login|/example|/favicon\.ico|/theme\.css|/(static|assets)/[\w@./-]{1,200}"
        r"|/gradio_api/(heartbeat/[a-z0-9]{1,32}|queue/data|upload_progress|file=[\w-]{22}/[^/]{1,300})"
        r"|/results/[\w-]{22}/.{1,400}",
        re.ASCII,
    ),
    "POST": re.compile(f"/login|{JOIN}|{UPLOAD}"),
}


class RequestLimits:
    """ASGI middleware that lets through what the page asks for, with bodies that are bounded in size and time.

    A body is counted as it arrives, whatever its length is said to be. Short ones are read before the app is called;
    that of an upload, of at most `upload_bytes`, is read by the app, where `RequestRefused` is raised from `receive`.
    """

    def __init__(self, app: Any, upload_bytes: int) -> None:
        self.app, self.upload_bytes = app, upload_bytes

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        if scope["type"] == "http":
            try:
                receive = await self._limited(scope, receive)
            except RequestRefused as refusal:
                return await refuse(scope, send, refusal)
        return await self.app(scope, receive, send)

    async def _limited(self, scope: Any, receive: Any) -> Any:
        most = self.upload_bytes if scope["path"] == UPLOAD else MAX_MESSAGE_BYTES
        body = scope[BODY] = Body(receive, most)
        check_endpoint(scope["method"], scope["path"])
        if declared_length(scope["headers"]) > most:
            raise body.too_large()
        if scope["method"] in SAFE_METHODS:  # whose body nobody reads
            return receive
        return body.receive if scope["path"] == UPLOAD else await _read(body)


def check_endpoint(method: str, path: str) -> None:
    """`RequestRefused` for what the page does not ask for."""
    if method == "HEAD":
        method = "GET"
    if method not in ENDPOINTS:
        raise RequestRefused(405, "The app answers GET and POST requests.", {"allow": "GET, HEAD, POST"})
    if not ENDPOINTS[method].fullmatch(path) or ".." in path.split("/"):
        raise RequestRefused(404, "There is nothing at this address.")


def declared_length(headers: list[tuple[bytes, bytes]]) -> int:
    """`Content-Length` in bytes, 0 where there is none."""
    value = dict(headers).get(b"content-length", b"0")
    if not value.isdigit() or len(value) > 15:
        raise RequestRefused(400, "Content-Length is a number of bytes.")
    return int(value)


class Body:
    """The body of a request, of at most `most` bytes, that arrives in time.

    The time that is left grows with the bytes that have arrived, so a slow connection has its time, and a client that
    sends a byte now and then has `GRACE_SECONDS`.
    """

    def __init__(self, receive: Any, most: int) -> None:
        self._receive, self.most = receive, most
        self.begun, self.count, self.complete = time.monotonic(), 0, False

    async def receive(self) -> Any:
        """The next ASGI message; `RequestRefused` where the body is too large or too slow."""
        if self.complete:  # what comes now is the end of the connection
            return await self._receive()
        deadline = self.begun + GRACE_SECONDS + self.count / MIN_BYTES_PER_SECOND
        try:
            message = await asyncio.wait_for(self._receive(), max(deadline - time.monotonic(), 0))
        except TimeoutError:
            raise RequestRefused(408, "The request took too long to arrive.") from None
        self.count += len(message.get("body", b""))
        self.complete = not message.get("more_body", False)
        if self.count > self.most:
            raise self.too_large()
        return message

    async def discard(self) -> None:
        """Receive the rest, for at most `LINGER_SECONDS`, and forget it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while not self.complete:
                    message = await self._receive()
                    self.complete = not message.get("more_body", False)

    def too_large(self) -> RequestRefused:
        return RequestRefused(413, f"A request to this address has at most {self.most:,} bytes.")


async def _read(body: Body) -> Any:
    """A `receive` that gives the whole body at once; it is read before the app is called."""
    parts, more = [], True
    while more:
        message = await body.receive()
        if message["type"] == "http.disconnect":
            raise RequestRefused(400, "The request ended before it was complete.")
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return replayed(b"".join(parts), body.receive)


def replayed(content: bytes, receive: Any) -> Any:
    """An ASGI `receive` that gives this body at once, and then what `receive` gives."""
    messages = [{"type": "http.request", "body": content, "more_body": False}]

    async def next_message() -> Any:
        return messages.pop() if messages else await receive()

    return next_message
