"""`RequestRefused`: a request that is not answered, with the sentence that its sender is told in place of an answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

BODY = "wavelens.body"  # where a request's scope has its body
JSON_PATHS = ("/gradio_api/queue/join",)  # whose answers the page reads as JSON


class RequestRefused(Exception):
    """An HTTP status, a sentence, and further headers of the answer."""

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, dict(headers or {})


async def refuse(scope: Any, send: Any, refusal: RequestRefused) -> None:
    """Answer with a refusal and end the connection; the rest of a body that `RequestLimits` has bounded is discarded.

    A connection that is closed while its sender still sends is reset, and the sender may never read the answer.
    """
    as_json = scope["path"].endswith(JSON_PATHS)
    body = (json.dumps({"detail": refusal.sentence}) if as_json else refusal.sentence).encode()
    kind = "application/json" if as_json else "text/plain; charset=utf-8"
    headers = {"content-type": kind, "content-length": str(len(body)), "cache-control": "no-store"}
    headers |= {"connection": "close", **refusal.headers}
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    if BODY in scope:
        await scope[BODY].discard()
    await send({"type": "http.response.body", "body": b""})
