"""The page that asks for the password."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from wavelens.app.refusals import RequestRefused
from wavelens.reports.markup import tag


async def sign_in_page(send: Any, refusal: RequestRefused | None = None) -> None:
    """Answer with the page; after a refusal it says why."""
    template = (files("wavelens.app") / "assets" / "sign-in.html").read_text(encoding="utf-8")
    reason = str(tag("p", refusal.sentence, class_="wl-said", role="alert")) if refusal else ""
    body = template.replace("{reason}", reason).encode()
    headers = {"content-type": "text/html; charset=utf-8", "cache-control": "no-store"}
    headers |= refusal.headers if refusal else {}
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status if refusal else 200, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
