"""`punctual`: uvicorn's HTTP protocol, with an end to connections on which no request arrives, or no HTTP."""

from __future__ import annotations

from typing import Any

from wavelens.optional import optional

HEADER_SECONDS = 15.0  # between two looks; who has sent no whole request head from one to the next is let go
MAX_CONNECTIONS = 512  # a page keeps two open


def punctual() -> Any:
    """A protocol class for `uvicorn.Config(http=…)`. uvicorn itself waits for the head of a request without end."""
    h11_impl = optional("uvicorn.protocols.http.h11_impl", "app")

    class Punctual(h11_impl.H11Protocol):  # type: ignore[misc, name-defined]
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.loop.call_later(HEADER_SECONDS, self._look, None)

        def send_400_response(self, msg: str) -> None:
            if self.cycle is None or self.cycle.response_complete:
                super().send_400_response(msg)
            else:  # a body that is none: uvicorn's answer may not fit the one that is due
                self.transport.abort()

        def _look(self, answered: Any) -> None:
            between_requests = self.cycle is None or self.cycle.response_complete
            if between_requests and self.cycle is answered:
                self.transport.abort()
            elif not self.transport.is_closing():
                self.loop.call_later(HEADER_SECONDS, self._look, self.cycle if between_requests else self)

    return Punctual
