"""`Visitors`: the browsers that use the app, each known by a cookie, and the pages that each has open."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from wavelens.app.limits import Limits
from wavelens.app.refusals import RequestRefused
from wavelens.counts import count_of

MAX_VISITORS = 1024
MAX_MESSAGES_PER_MINUTE = 60  # of a visitor's pages: what is chosen, dropped or pressed


@dataclass(eq=False)
class _OpenPage:
    touched: float
    heartbeats: int = 0


@dataclass(eq=False)
class Visitor:
    """One browser; `key` is the value of its cookie."""

    key: str
    touched: float
    pages: dict[str, _OpenPage] = field(default_factory=dict)
    messages: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_MESSAGES_PER_MINUTE))


class Visitors:
    """The visitors and their open pages, bounded in number; used from the event loop alone.

    A page belongs to the visitor that opened it: others can neither send in its name nor read what it is sent. It ends
    with its heartbeat, the connection that it keeps open, or after `limits.idle` seconds without a request.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits, self.clock = limits, clock
        self.cookie = f"wavelens-{secrets.token_hex(4)}"  # cookies are shared by all ports of a host
        self._visitors: dict[str, Visitor] = {}

    def recognise(self, key: str | None) -> Visitor | None:
        """The visitor with this cookie, if there is one."""
        visitor = self._visitors.get(key) if key is not None else None
        if visitor is None or self._expired(visitor):
            return None
        visitor.touched = self.clock()
        return visitor

    def admit(self) -> Visitor:
        """A new visitor; the one that was idle longest makes room, unless all have pages open."""
        if len(self._visitors) >= MAX_VISITORS:
            self._make_room()
        visitor = Visitor(secrets.token_urlsafe(24), self.clock())
        self._visitors[visitor.key] = visitor
        return visitor

    def open(self, visitor: Visitor, page: str) -> _OpenPage:
        """The page with this session hash, opened where it is new; `RequestRefused` if it is another visitor's."""
        owner = next((one for one in self._visitors.values() if page in one.pages), None)
        if owner is None:
            self._check_room(visitor)
            visitor.pages[page] = _OpenPage(self.clock())
        elif owner is not visitor:
            raise RequestRefused(403, "This page belongs to another visitor.")
        visitor.pages[page].touched = self.clock()
        return visitor.pages[page]

    def close(self, visitor: Visitor, page: str) -> None:
        """A heartbeat of the page ended; the page is closed with its last one."""
        opened = visitor.pages.get(page)
        if opened is not None:
            opened.heartbeats -= 1
            if opened.heartbeats <= 0:
                del visitor.pages[page]

    def count_message(self, visitor: Visitor) -> None:
        """`RequestRefused` for more than `MAX_MESSAGES_PER_MINUTE`."""
        recent, now = visitor.messages, self.clock()
        if len(recent) == recent.maxlen and now - recent[0] < 60:
            raise RequestRefused(429, "Too many requests within a minute; try again in a while.")
        recent.append(now)

    def _check_room(self, visitor: Visitor) -> None:
        for one in self._visitors.values():
            for page in [page for page, opened in one.pages.items() if self._idle(opened)]:
                del one.pages[page]
        if len(visitor.pages) >= self.limits.pages_per_visitor:
            most = self.limits.pages_per_visitor
            raise RequestRefused(429, f"A browser has at most {count_of(most, 'page')} of the app open; close some.")
        if sum(len(one.pages) for one in self._visitors.values()) >= self.limits.pages:
            raise RequestRefused(
                429, f"The app has at most {count_of(self.limits.pages, 'page')} open; try again later."
            )

    def _make_room(self) -> None:
        without_pages = [one for one in self._visitors.values() if not one.pages or self._expired(one)]
        if not without_pages:
            raise RequestRefused(429, "The app serves no more visitors; try again later.")
        del self._visitors[min(without_pages, key=lambda one: one.touched).key]

    def _idle(self, page: _OpenPage) -> bool:
        return not page.heartbeats and self.clock() - page.touched > self.limits.idle

    def _expired(self, visitor: Visitor) -> bool:
        idle = self.clock() - visitor.touched > self.limits.idle
        return idle and all(self._idle(page) for page in visitor.pages.values())
