"""`Gatekeeper`: compares passwords in constant time, and lets an address that keeps guessing wait."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from wavelens.app.refusals import RequestRefused
from wavelens.counts import count_of

FREE_GUESSES = 5  # wrong passwords of an address before it has to wait
MAX_WAIT_SECONDS = 64.0
FORGIVEN_AFTER_SECONDS = 3600.0
MAX_ADDRESSES = 4096


@dataclass(eq=False)
class _Guesses:
    wrong: int = 0
    last: float = 0.0

    def wait(self) -> float:
        """Seconds after the last guess: 1, 2, 4, … once the free ones are used up."""
        beyond = self.wrong - FREE_GUESSES
        return min(2.0**beyond, MAX_WAIT_SECONDS) if beyond >= 0 else 0.0


class Gatekeeper:
    """Knows the password, and how often each address was wrong."""

    def __init__(self, password: str, clock: Callable[[], float] = time.monotonic) -> None:
        check_password(password)
        self._digest, self.clock = _digest(password), clock
        self._guesses: dict[str, _Guesses] = {}

    def admits(self, password: str, address: str) -> bool:
        """Whether the password is right; `RequestRefused` while the address has to wait, right or wrong."""
        key, now = _network(address), self.clock()
        guesses = self._guesses.pop(key, None)
        if guesses is None or now - guesses.last > FORGIVEN_AFTER_SECONDS:
            guesses = _Guesses()
        left = math.ceil(guesses.last + guesses.wait() - now)
        if left > 0:
            self._remember(key, guesses)
            raise RequestRefused(
                429, f"Too many wrong passwords; try again in {count_of(left, 'second')}.", {"retry-after": str(left)}
            )
        if hmac.compare_digest(_digest(password), self._digest):
            return True
        guesses.wrong, guesses.last = guesses.wrong + 1, now
        self._remember(key, guesses)
        return False

    def _remember(self, key: str, guesses: _Guesses) -> None:
        if len(self._guesses) >= MAX_ADDRESSES:
            del self._guesses[next(iter(self._guesses))]  # the one whose last guess is the oldest
        self._guesses[key] = guesses


def check_password(password: str) -> None:
    """`ValueError` for an empty one, with which everyone would be let in."""
    if not password.strip():
        raise ValueError("a password must have at least one character that is not a space; got an empty one.")


def _digest(password: str) -> bytes:
    """Of one length for all, so that a comparison tells nothing of it."""
    return hashlib.sha256(password.encode(errors="surrogatepass")).digest()


def _network(address: str) -> str:
    """The address, or the /64 network of an IPv6 address, all of which one machine may use."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = getattr(parsed, "ipv4_mapped", None)
    if isinstance(parsed, ipaddress.IPv4Address) or mapped is not None:
        return str(mapped or parsed)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
