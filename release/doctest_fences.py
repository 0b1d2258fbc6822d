"""For the pages: examples of docstrings (`>>> …`) as blocks of code, which Markdown would take for quotations."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

EXAMPLE = re.compile(r"(?:^>>> .*\n(?:.+\n?)*)+", re.MULTILINE)


class DoctestFences(Extension):  # type: ignore[misc]  # griffe is not among what is checked
    """Puts the examples of every docstring into fences."""

    def on_object(self, *, obj: Object, **context: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(text: str) -> str:
    """The text with each run of lines from `>>>` to the next empty line in a fence."""
    return EXAMPLE.sub(lambda match: f"```pycon\n{match[0].rstrip()}\n```\n", f"{text}\n").rstrip("\n")
