"""The tables of the guide on a picture and its words, from the records of these studies.

python benchmarks/pairs/words_tables.py          # print them
python benchmarks/pairs/words_tables.py --write  # and put each under its `<!-- table: NAME -->` in docs/
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness import guides
from harness.guides import number, table

RESULTS = Path(__file__).parent / "results"
DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("guides/words.md",)


record = partial(guides.record, RESULTS)


def _plain(name: str) -> str:
    return name.replace("|", "\\|")


def vqa() -> str:
    made = record("vqa")
    figures = made["figures"]
    orders = [f"{space}, {reading}" for space in ("wavelets", "pixels") for reading in ("signed", "|γ|")]
    lines = [
        [_plain(order), *(number(figures[f"{order}: {what}"]) for what in ("hit", "hit, smoothed", "mass"))]
        for order in [*orders, "energy"]
    ]
    lines += [[name, number(figures[f"{name}: hit"]), "", ""] for name in ("random", "centre")]
    head = f"region: {made['questions']} questions of {made['pictures']} pictures"
    return table([head, "hits", "hits, smoothed", "mass inside"], lines)


def vqa_words() -> str:
    figures = record("vqa")["figures"]
    lines = [
        ["the largest word carries the question", number(figures["word"])],
        ["a random word does", number(figures["word, random"])],
        ["the last word does", number(figures["word, the last"])],
        ["the answer changes without the largest word", number(figures["fall"])],
        ["without another word", number(figures["fall, others"])],
    ]
    return table(["word", ""], lines)


def pointing() -> str:
    """Hits of the largest place, smoothed and as it is, and the part of the positive mass."""
    made = record("pointing")
    lines = [
        [_plain(name), number(cell["smoothed"]), number(cell["as it is"]), number(mass) if mass else ""]
        for name, cell in made["hits"].items()
        for mass in [made["mass"].get(name)]
    ]
    head = f"{made['cases']} cases of {made['photos']} photos"
    return table([head, "hits, smoothed", "hits, as it is", "mass inside"], lines)


def swaps() -> str:
    made = record("pointing")["swaps"]
    lines = [
        ["the word that changes most is the swapped one", number(made["word"])],
        ["by chance", number(made["random word"])],
        ["part of the words' change on the swapped word", number(made["part of the words' change"])],
        ["fall of the score", number(made["fall"])],
        *(
            [f"the picture's account of the difference, {_plain(name)}: hits, smoothed", number(cell["smoothed"])]
            for name, cell in made["hits"].items()
        ),
        *([f"hits of {name}", number(made[name])] for name in ("energy", "random", "centre")),
    ]
    return table([f"{made['cases']} cases of {made['photos']} photos", ""], lines)


def tables() -> dict[str, str]:
    """Every table that a record is there for."""
    made = {}
    if record("pointing"):
        made |= {"pointing": pointing(), "swaps": swaps()}
    if record("vqa"):
        made |= {"vqa": vqa(), "vqa words": vqa_words()}
    return made


if __name__ == "__main__":
    guides.print_or_write(__doc__, tables(), [DOCS / name for name in PAGES])
