"""`OwnAddress`: requests are answered under the app's own names, and only when they come from its own pages.

A page of another site can have a browser send requests here, and can give its own name the address of this machine
(DNS rebinding). `Host`, `Origin` and `Sec-Fetch-Site`, which no page can set, name that site.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from wavelens.app.refusals import RequestRefused, refuse

SAFE_METHODS = ("GET", "HEAD")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


class OwnAddress:
    """ASGI middleware that refuses requests under foreign names (400) and from pages of other origins (403).

    Bound to loopback, the app's names are `localhost` and loopback addresses; otherwise the machine's name and every
    numeric address, which cannot be rebound. `allowed_hosts` are further names, such as that of a proxy.
    """

    def __init__(self, app: Any, host: str, allowed_hosts: Sequence[str] = ()) -> None:
        self.app = app
        self.loopback = is_loopback(host)
        self.public = {name.lower().rstrip(".") for name in allowed_hosts}
        machine = () if self.loopback else (socket.gethostname(), f"{socket.gethostname().split('.')[0]}.local")
        self.names = self.public | {"localhost", host.lower(), *(name.lower() for name in machine)}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        if scope["type"] == "http":
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            try:
                self._check_host(headers.get("host", ""))
                self._check_origin(scope["method"], headers)
            except RequestRefused as refusal:
                return await refuse(scope, send, refusal)
        return await self.app(scope, receive, send)

    def _check_host(self, authority: str) -> None:
        name = _name(f"//{authority}")
        if name not in self.names and not self._numeric(name):
            shown = name if name.isprintable() and len(name) < 254 else "another name"
            remedy = f" If the name is right, start the app with --allowed-host {shown}." if name == shown else ""
            raise RequestRefused(
                400, f"This app is not served as {shown or 'a request without a Host header'}.{remedy}"
            )

    def _numeric(self, name: str) -> bool:
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self.loopback

    def _check_origin(self, method: str, headers: dict[str, str]) -> None:
        """Links may lead here from anywhere; everything else comes from the app's own pages."""
        site, origin = headers.get("sec-fetch-site", "none"), headers.get("origin")
        link = method in SAFE_METHODS and headers.get("sec-fetch-mode", "navigate") == "navigate"
        foreign_site = site not in ("same-origin", "none") and not link
        if foreign_site or (origin is not None and not self._is_own(origin, headers["host"])):
            raise RequestRefused(403, "This request comes from a page of another site; the app answers only its own.")

    def _is_own(self, origin: str, authority: str) -> bool:
        return origin.lower().partition("://")[2] == authority.lower() or _name(origin) in self.public


def _name(url: str) -> str:
    """The host of an address, without brackets and port; empty where there is none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""
