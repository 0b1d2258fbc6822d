"""What wrong input raises, and how a user is told of it."""

from __future__ import annotations

INPUT_ERRORS = (ValueError, OSError, ImportError, TypeError, RuntimeError, MemoryError)


def sentence_of(error: BaseException) -> str:
    """The error as a sentence; a `MemoryError` has none of its own."""
    return str(error) or "it takes more memory than there is. Make it smaller, or cut it."
