"""Categories of COCO that captions name, the words that name them, and the masks of their instances."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness import coco

from wavelens.models.pairs import Word

SIDE = 224  # of the squeezed photo
ALSO = {  # what captions call a category beside its own name
    "person": "man men woman women boy boys girl girls people child children kid kids baby lady guy player skier "
    "surfer skateboarder snowboarder",
    "bicycle": "bike bikes",
    "motorcycle": "motorbike motorbikes",
    "airplane": "plane planes jet jets aircraft",
    "couch": "sofa sofas",
    "dining table": "table tables",
    "potted plant": "plant plants",
    "tv": "television televisions",
    "cell phone": "phone phones cellphone",
    "sports ball": "ball balls",
    "refrigerator": "fridge",
    "donut": "doughnut doughnuts",
    "tie": "necktie",
    "skis": "ski",
    "toilet": "toilets",
}


class Named(NamedTuple):
    """A category of a photo, the caption that names it, and which of its words do so."""

    file: str
    category: str
    caption: int
    words: tuple[int, ...]


def names_of(category: str) -> list[tuple[str, ...]]:
    """The name, its plural, and what else captions call it, each as its words."""
    last = category.split()[-1]
    plural = f"{category}es" if last.endswith(("s", "x", "ch", "sh")) else f"{category}s"
    if last.endswith("fe"):
        plural = f"{category[:-2]}ves"
    every = [category, plural, *ALSO.get(category, "").split()]
    return [tuple(name.split()) for name in every]


def plain(word: str) -> str:
    return re.sub(r"[^a-z]", "", word.lower())


def places(words: Sequence[str], category: str) -> tuple[int, ...]:
    """Which words of a caption name the category first; none where none does."""
    said = [plain(word) for word in words]
    names = names_of(category)
    for start in range(len(said)):
        for name in names:
            if tuple(said[start : start + len(name)]) == name:
                return tuple(range(start, start + len(name)))
    return ()


def every(pair: Any) -> Iterator[Named]:
    """Each category of each photo that a caption names, by the first caption that does."""
    for image in coco.annotations()["images"]:
        words = [[word.text for word in own] for own in pair.tokenize(image["captions"]).words]
        for category in coco.categories(image["file"]):
            found = [(k, places(own, category)) for k, own in enumerate(words)]
            if first := next(((k, which) for k, which in found if which), None):
                yield Named(image["file"], category, *first)


def mask(file: str, category: str) -> Tensor:
    """Where the category's instances are in the squeezed photo, `(224, 224)`."""
    return coco.mask(file, category, (SIDE, SIDE))


def phrase(words: Sequence[Word], which: Sequence[int]) -> tuple[int, int]:
    """The tokens of neighbouring words."""
    return words[which[0]].start, words[which[-1]].stop
