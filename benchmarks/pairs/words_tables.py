"""The tables of the guide on a picture and its words, from the records of these studies.

python benchmarks/pairs/words_tables.py          # print them
python benchmarks/pairs/words_tables.py --write  # and put each under its `<!-- table: NAME -->` in docs/
"""

from __future__ import annotations

import argparse
import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

_SPEC = spec_from_file_location("domain_tables", Path(__file__).parents[1] / "domains" / "tables.py")
assert _SPEC is not None
assert _SPEC.loader is not None
shared = module_from_spec(_SPEC)  # by its place: other folders have tables, too
_SPEC.loader.exec_module(shared)
filled, number, table = shared.filled, shared.number, shared.table

RESULTS = Path(__file__).parent / "results"
DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("guides/words.md",)
Record = dict[str, Any]


def record(name: str) -> Record:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


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


def tables() -> dict[str, str]:
    """Every table that a record is there for."""
    return {"vqa": vqa(), "vqa words": vqa_words()} if record("vqa") else {}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--write", action="store_true")
    made = tables()
    if not options.parse_args().write:
        print("\n\n".join(f"{name}\n{text}" for name, text in made.items()))
        return
    for name in PAGES:
        page = DOCS / name
        page.write_text(filled(page.read_text("utf-8"), made), encoding="utf-8")


if __name__ == "__main__":
    main()
