"""A tree of 800 samples, whose text would be too long: a domain of one's own, called by its class."""

from dataclasses import dataclass, field
from typing import Any

import wavelens as wl


def halves(first: int, last: int) -> Any:
    middle = (first + last) // 2
    return first if last - first == 1 else (halves(first, middle), halves(middle, last))


@dataclass(frozen=True)
class Sentences(wl.TreeHaar):
    """`TreeHaar` on a tree that belongs to the class."""

    tree: Any = field(default=halves(0, 800), repr=False)
