"""What `--report` adds: an answer as an entry of the report, and the command that gives it again."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from wavelens.cli.answers import caution, top_classes
from wavelens.cli.kinds import Answer, Job, Kind
from wavelens.cli.model_options import words_of
from wavelens.own import written
from wavelens.reports import GENERATOR, Chance, Entry
from wavelens.reports.markup import is_printable
from wavelens.untrusted import check_file

NAME = "report"


def entry_of(job: Job, kind: Kind, answer: Answer) -> Entry:
    """What a report shows of an explained input."""
    base = getattr(job.method, "baseline", 0.0)
    chances = [Chance(**row) for row in top_classes(job.loaded, answer.logits, max(job.top, 1))]
    missing = set(answer.asked.classes) - {one.index for one in chances}
    every = top_classes(job.loaded, answer.logits, len(job.loaded.labels)) if missing else []
    chances += [Chance(**row) for row in every if row["index"] in missing]
    return Entry(
        answer.attribution,
        answer.x,
        name=answer.path.name,
        label=answer.asked.label,
        classes=chances,
        kind=kind.name,
        grid=answer.grid,
        start=f"a constant {base:g}" if base else kind.start,
        note=caution(answer.attribution, job.method),
        command=command_of(job, answer),
        facts={
            "file": str(answer.path),
            "model": job.loaded.name,
            **{name.replace("_", " "): str(value) for name, value in job.loaded.options.given.items()},
            "preparation": repr(job.loaded.preprocess),
            **({"note": answer.note} if answer.note else {}),
        },
    )


def command_of(job: Job, answer: Answer) -> str:
    """`wavelens explain` with every choice written out."""
    words = ["wavelens", "explain", str(answer.path), "--model", job.loaded.name]
    words += words_of(job.loaded.options)
    words += _spacing(job.loaded.preprocess)
    words += [
        *answer.asked.options,
        "--domain",
        written(answer.attribution.domain),
        "--method",
        written(job.method),
        *["--exact-passes"] * job.exact_passes,
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
    """For a shell; texts in single quotes inside double ones, as one would write them, and bytes of what is unseen."""
    if not all(map(is_printable, word)):
        return f"$'{''.join(map(_seen, word))}'"
    return f'"{word}"' if "'" in word and not set(word) & set('"$`\\!') else shlex.quote(word)


def _seen(c: str) -> str:
    """A character inside $'…'."""
    if is_printable(c):
        return f"\\{c}" if c in "'\\" else c
    return "".join(f"\\x{byte:02x}" for byte in c.encode("utf-8", "surrogateescape"))


def report_path(out: Path) -> Path:
    """Where the report goes: report.html, or report-2.html … where that is somebody else's file."""
    names = [f"{NAME}.html", *(f"{NAME}-{n}.html" for n in range(2, 10_000))]
    return next(path for name in names if not (path := out / name).exists() or _is_ours(path))


def _is_ours(path: Path) -> bool:
    try:
        check_file(path, "report")
        return f'<meta name="generator" content="{GENERATOR.split()[0]} ' in path.read_text("utf-8", "replace")[:400]
    except (OSError, ValueError):
        return False
