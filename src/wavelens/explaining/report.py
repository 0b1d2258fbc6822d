"""An explanation as an entry of a report, the command that makes it again, and where the report is written."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from wavelens.explaining.answer import Explanation, caution, top_classes
from wavelens.explaining.records import words_of
from wavelens.reports import GENERATOR, Chance, Entry
from wavelens.reports.markup import is_printable
from wavelens.untrusted import check_file

REPORT_NAME = "report"


def entry_of(explanation: Explanation) -> Entry:
    """What a report shows of an explanation."""
    request, one = explanation.request, explanation.input
    loaded, kind, method = request.loaded, request.kind, request.method
    base = getattr(method, "baseline", 0.0)
    return Entry(
        explanation.attribution,
        one.x,
        name=one.path.name,
        label=explanation.target.label,
        classes=_chances(explanation),
        kind=kind.name,
        grid=one.grid,
        start=f"a constant {base:g}" if base else kind.start,
        note=caution(explanation.attribution, method),
        command=command_of(explanation),
        facts={
            "file": str(one.path),
            "model": loaded.name,
            **{name.replace("_", " "): str(value) for name, value in loaded.options.given.items()},
            "preparation": repr(loaded.preprocess),
            **({"note": explanation.note} if explanation.note else {}),
        },
    )


def _chances(explanation: Explanation) -> list[Chance]:
    """The top classes, then those of the target that are not among them."""
    loaded, logits = explanation.request.loaded, explanation.input.logits
    chances = [Chance(**row) for row in top_classes(loaded, logits, max(explanation.request.top, 1))]
    missing = set(explanation.target.classes) - {one.index for one in chances}
    every = top_classes(loaded, logits, len(loaded.labels)) if missing else []
    return chances + [Chance(**row) for row in every if row["index"] in missing]


def command_of(explanation: Explanation) -> str:
    """`wavelens explain` with every choice written out."""
    request = explanation.request
    words = ["wavelens", "explain", str(explanation.input.path), "--model", request.loaded.name]
    words += words_of(request.loaded.options)
    words += _spacing(request.loaded.preprocess)
    words += [
        *explanation.target.options,
        "--domain",
        repr(explanation.attribution.domain),
        "--method",
        repr(request.method),
        *["--exact-passes"] * request.exact_passes,
        "--report",
    ]
    return " ".join(map(_quoted, words))


def _spacing(preparation: Any) -> list[str]:
    """The options that say how far pixels or voxels lie apart, where they were given."""
    place = getattr(preparation, "picture", preparation)  # of a video's frames
    found = getattr(place, "spacing", None)
    if found is None:
        return []
    return ["--spacing", ",".join(f"{step:.12g}" for step in found), "--unit", getattr(place, "unit", "mm")]


def _quoted(word: str) -> str:
    """For a shell: double quotes around texts in single ones, and invisible characters as bytes."""
    if not all(map(is_printable, word)):
        return f"$'{''.join(map(_escaped, word))}'"
    return f'"{word}"' if "'" in word and not set(word) & set('"$`\\!') else shlex.quote(word)


def _escaped(c: str) -> str:
    """A character inside $'…'."""
    if is_printable(c):
        return f"\\{c}" if c in "'\\" else c
    return "".join(f"\\x{byte:02x}" for byte in c.encode("utf-8", "surrogateescape"))


def report_path(out: Path) -> Path:
    """Where the report goes: report.html, or report-2.html … where that file is not a report."""
    names = [f"{REPORT_NAME}.html", *(f"{REPORT_NAME}-{n}.html" for n in range(2, 10_000))]
    return next(path for name in names if not (path := out / name).exists() or _is_ours(path))


def _is_ours(path: Path) -> bool:
    try:
        check_file(path, "report")
        return f'<meta name="generator" content="{GENERATOR.split()[0]} ' in path.read_text("utf-8", "replace")[:400]
    except (OSError, ValueError):
        return False
