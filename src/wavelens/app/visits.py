"""`Visits`: identifies the visitor of each request; who has not loaded the page or signed in is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from wavelens.app.messages import SESSION, checked_message
from wavelens.app.passwords import Gatekeeper
from wavelens.app.refusals import RequestRefused, refuse
from wavelens.app.request_limits import HEARTBEAT, JOIN, MESSAGES, replayed
from wavelens.app.sign_in import sign_in_page
from wavelens.app.visitors import Visitor, Visitors

PUBLIC = ("/favicon.ico", "/theme.css", "/static/", "/assets/")  # the same for all, and nothing of anyone


class Visits:
    """ASGI middleware between the limits of requests and the app, which finds the visitor in `request.state`.

    Loading the page makes a visitor; where there is a password, signing in does. `inputs` is the number of inputs of
    each of the page's events.
    """

    def __init__(self, app: Any, visitors: Visitors, inputs: Mapping[int, int], gatekeeper: Gatekeeper | None) -> None:
        self.app, self.visitors, self.inputs, self.gatekeeper = app, visitors, inputs, gatekeeper

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        if scope["type"] != "http" or scope["path"].startswith(PUBLIC):
            return await self.app(scope, receive, send)
        try:
            return await self._answer(scope, receive, send)
        except RequestRefused as refusal:
            return await refuse(scope, send, refusal)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        path, visitor = scope["path"], self.visitors.recognise(_cookie(scope, self.visitors.cookie))
        if path == "/login":
            await self._sign_in(scope, receive, send)
        elif visitor is None and path == "/":
            await self._first_visit(scope, receive, send)
        elif visitor is None and (self.gatekeeper is not None or not path.startswith("/results/")):
            raise RequestRefused(
                401 if self.gatekeeper else 403, "Load the app's page first; if it is open, load it again."
            )
        else:
            scope.setdefault("state", {})["visitor"] = visitor
            await self._visit(scope, receive, send, visitor)

    async def _first_visit(self, scope: Any, receive: Any, send: Any) -> Any:
        if self.gatekeeper is not None:
            return await sign_in_page(send)
        visitor = self.visitors.admit()
        scope.setdefault("state", {})["visitor"] = visitor
        return await self.app(scope, receive, self._with_cookie(scope, send, visitor))

    async def _sign_in(self, scope: Any, receive: Any, send: Any) -> None:
        if self.gatekeeper is None or scope["method"] != "POST":
            return await _to_the_page(send)
        password = _password((await receive())["body"])
        address = scope["client"][0] if scope.get("client") else ""
        try:
            right = self.gatekeeper.admits(password, address)
        except RequestRefused as refusal:
            return await sign_in_page(send, refusal)
        if not right:
            return await sign_in_page(send, RequestRefused(403, "This is not the password."))
        return await _to_the_page(self._with_cookie(scope, send, self.visitors.admit()))

    async def _visit(self, scope: Any, receive: Any, send: Any, visitor: Visitor | None) -> None:
        path = scope["path"]
        if visitor is not None and path.startswith(HEARTBEAT):
            await self._stay(scope, receive, send, visitor)
        elif visitor is not None and path == JOIN:
            await self.app(*await self._message(scope, receive, visitor), send)
        elif visitor is not None and path == MESSAGES:
            self.visitors.open(visitor, _session(scope))
            await self._messages(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _messages(self, scope: Any, receive: Any, send: Any) -> None:
        """Gradio's stream, which ends in an error where the page waits for nothing; by then the page knows."""
        try:
            await self.app(scope, receive, send)
        except RuntimeError as error:
            if getattr(error.__cause__, "status_code", None) != 404:
                raise
            await send({"type": "http.response.body", "body": b""})

    async def _stay(self, scope: Any, receive: Any, send: Any, visitor: Visitor) -> None:
        """The page is open for as long as its heartbeat is."""
        page = scope["path"].removeprefix(HEARTBEAT)
        self.visitors.open(visitor, page).heartbeats += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.visitors.close(visitor, page)

    async def _message(self, scope: Any, receive: Any, visitor: Visitor) -> tuple[Any, Any]:
        """The request with the checked message in place of its body."""
        self.visitors.count_message(visitor)
        message = checked_message((await receive())["body"], self.inputs)
        self.visitors.open(visitor, message["session_hash"])
        body = json.dumps(message).encode()
        kept = [(name, value) for name, value in scope["headers"] if name not in (b"content-length", b"content-type")]
        added = [(b"content-length", str(len(body)).encode()), (b"content-type", b"application/json")]
        return scope | {"headers": kept + added}, replayed(body, receive)

    def _with_cookie(self, scope: Any, send: Any, visitor: Visitor) -> Any:
        proxied = (b"x-forwarded-proto", b"https") in scope["headers"]
        secure = "; Secure" if proxied or scope.get("scheme") == "https" else ""
        cookie = f"{self.visitors.cookie}={visitor.key}; Path=/; HttpOnly; SameSite=Lax{secure}"

        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"set-cookie", cookie.encode())]
            await send(message)

        return sent


async def _to_the_page(send: Any) -> None:
    await send({"type": "http.response.start", "status": 303, "headers": [(b"location", b"./")]})
    await send({"type": "http.response.body", "body": b""})


def _password(form: bytes) -> str:
    """The password of the form, empty where it is another form."""
    try:
        return parse_qs(form.decode(), max_num_fields=8, errors="strict").get("password", [""])[0]
    except ValueError:
        return ""


def _cookie(scope: Any, name: str) -> str | None:
    """The value of a cookie; others of this host may be of any form."""
    pairs = (pair for key, value in scope["headers"] if key == b"cookie" for pair in value.decode("latin-1").split(";"))
    return next((value for key, _, value in (pair.strip().partition("=") for pair in pairs) if key == name), None)


def _session(scope: Any) -> str:
    session: str = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])[0]
    if not SESSION.fullmatch(session):
        raise RequestRefused(400, "A request for messages names the page that asks.")
    return session
