"""Seeds made of a seed and a name: what one use draws is independent of what every other one does."""

from __future__ import annotations

import hashlib


def stream(seed: int, name: str) -> int:
    """A seed for one of several uses of a seed, so that what is judged and what judges it draw different numbers."""
    return hashed(seed, name, 8) >> 1


def hashed(seed: int, name: str, size: int) -> int:
    """`size` bytes as a number; a name may be a file's, with bytes that are no UTF-8."""
    text = f"{seed} {name}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=size).digest(), "little")
