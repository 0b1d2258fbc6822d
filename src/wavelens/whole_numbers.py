"""Which arguments are whole numbers; `True` and `False` are none, although Python counts them among its integers."""

from __future__ import annotations

import math
from typing import TypeGuard


def is_whole(value: object, low: float = -math.inf, high: float = math.inf) -> TypeGuard[int]:
    """Whether a value is an integer from `low` to `high`, and no boolean.

    >>> is_whole(3, 1), is_whole(0, 1), is_whole(True), is_whole(3.0)
    (True, False, False, False)
    """
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def check_seed(seed: object) -> None:
    """`ValueError` unless it is a whole number."""
    if not is_whole(seed):
        raise ValueError(f"seed must be a whole number; got {seed!r:.40}.")
