"""Objects of a detector as texts: 'car', the most probable car, and 'car#2', the next."""

from __future__ import annotations

import re
from typing import NamedTuple

NUMBERED = re.compile(r"(?P<label>.*?)\s*#\s*(?P<number>\d+)", re.DOTALL)


class ObjectText(NamedTuple):
    """A class by its name or index, any class where that is empty, and the number of the object, from 1."""

    label: str
    number: int = 1


def object_text(text: str) -> ObjectText:
    """What 'car', 'car#2' or '#2' says; `ValueError` for an object numbered 0.

    >>> wl.targets.object_text("car#2"), wl.targets.object_text("#3").label
    (ObjectText(label='car', number=2), '')
    """
    match = NUMBERED.fullmatch(text.strip())
    if match is None:
        return ObjectText(text.strip())
    if int(match["number"]) < 1:
        raise ValueError(f"objects of a class must be numbered from 1, the most probable; got {text!r}. Write #1.")
    return ObjectText(match["label"], int(match["number"]))
