"""summary.csv: one row per file of a folder, written as files are explained, by which an interrupted run goes on."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wavelens.counts import count_of
from wavelens.explaining.answer import Explanation
from wavelens.explaining.files import WRITTEN, beside
from wavelens.explaining.records import words_of
from wavelens.explaining.request import Request
from wavelens.own import text_of
from wavelens.runs.evaluation import weights_digest
from wavelens.runs.statistics.cells import comma_separated_lines
from wavelens.runs.store.shards import write_whole
from wavelens.untrusted import check_file
from wavelens.version import __version__

NAME = "summary"
FIRST = ("file", "result", "error", "target", "label", "probability", "score", "baseline score", "gap")
DIGEST = "digest"
TEXTS = ("file", "result", "error", "target", "label", DIGEST)  # columns without numbers
Row = Mapping[str, Any]


@dataclass
class Ledger:
    """The rows at `path`, of which each new one is added to the file at once; columns grow where a file has others."""

    path: Path
    rows: list[Row] = field(default_factory=list)
    columns: list[str] = field(default_factory=lambda: [*FIRST, DIGEST])

    @classmethod
    def in_folder(cls, out: Path) -> Ledger:
        """The ledger of a folder: summary.csv, or summary-2.csv … where that file is somebody else's."""
        names = [f"{NAME}.csv", *(f"{NAME}-{n}.csv" for n in range(2, 10_000))]
        for path in (out / name for name in names):
            if not path.exists():
                return cls(path)
            if (table := _table(path)) is not None:
                return cls(path, [row for row in table if row["file"]], list(table[0]) if table else [*FIRST, DIGEST])
        raise FileExistsError(f"{out} has {count_of(len(names), 'file')} {NAME}-….csv of others. Choose another --out.")

    def result_of(self, digest: str) -> Row | None:
        """The row of a file that was explained in the same way, if there is one."""
        return next((row for row in self.rows if row.get(DIGEST) == digest and not row.get("error")), None)

    def keep(self, wanted: Collection[Row], files: Collection[str]) -> None:
        """Drops the rows of `files` that are not among those `wanted`."""
        shown = {as_shown(name) for name in files}
        self.rows = [row for row in self.rows if row["file"] not in shown or any(row is one for one in wanted)]
        self.write()

    def add(self, row: Row) -> None:
        """Adds a row, to the file as well."""
        self.rows.append(row)
        if new := [name for name in row if name not in self.columns]:
            self.columns[-1:-1] = new
            self.write()
        else:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(comma_separated_lines([self._cells(row)]))

    def sort(self, files: Sequence[str]) -> None:
        """Puts the rows of `files` into their order, after those of others."""
        order = {as_shown(name): place for place, name in enumerate(files)}
        self.rows.sort(key=lambda row: order.get(as_shown(str(row["file"])), -1))
        self.write()

    def write(self) -> None:
        """Writes all rows."""
        text = comma_separated_lines([self.columns, *map(self._cells, self.rows)])
        write_whole(self.path, text.encode())

    def _cells(self, row: Row) -> list[str | float]:
        return ["" if row.get(name) is None else row[name] for name in self.columns]


def _table(path: Path) -> list[dict[str, Any]] | None:
    """The rows of a ledger; None for another file. A last line that was cut off is left out."""
    try:
        check_file(path, "table")
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")), restval=None)
        rows = list(reader)
    except (OSError, ValueError, csv.Error):
        return None
    if tuple(reader.fieldnames or ())[: len(FIRST)] != FIRST or (reader.fieldnames or [""])[-1] != DIGEST:
        return None
    whole = [row for row in rows if None not in row and None not in row.values()]
    return [{name: cell if name in TEXTS else _number(cell) for name, cell in row.items()} for row in whole]


def _number(cell: str) -> float | str:
    """A number as it was written, so that it is written alike again."""
    try:
        return float(cell.removeprefix("'"))
    except ValueError:
        return cell


def as_shown(name: str) -> str:
    """A name as its cell shows it."""
    return next(csv.reader(io.StringIO(comma_separated_lines([[name]]))), [""])[0]


def row_of(explanation: Explanation, result: str, digest: str) -> Row:
    """What the ledger says of a file that was explained; `result` is what its files are called."""
    a, target, loaded = explanation.attribution, explanation.target, explanation.request.loaded
    logits = explanation.input.logits
    number = target.classes[0] if target.classes else ""
    known = logits is not None and bool(target.classes)
    probability = loaded.probability(logits, target.classes[0]) if logits is not None and known else None
    scalars = {"score": a.score, "baseline score": a.baseline_score, "gap": a.gap}
    numbers = {name: None if value is None else value.reshape(-1)[0].item() for name, value in scalars.items()}
    columns = {"signed": "signed", "share": "share", "Shapley": "shapley"}
    scales = {
        f"{name} {row['scale']}": row[key]
        for name, key in columns.items()
        for row in explanation.profile
        if row.get(key) is not None
    }
    named = {"file": str(explanation.input.path), "result": result, "error": "", "target": number}
    return {**named, "label": target.label, "probability": probability, **numbers, **scales, DIGEST: digest}


def failed_row(path: Path, reason: str) -> Row:
    """What the ledger says of a file that could not be explained."""
    return {"file": str(path), "result": "", "error": reason, DIGEST: ""}


def has_results(base: Path) -> bool:
    """Whether the files are there that each explained input has."""
    return all(beside(base, ending).exists() for ending in WRITTEN)


def digest_of(request: Request) -> str:
    """A digest of all that decides what a request finds: the model with its weights, the options, the version."""
    question = request.question
    parts = {
        "version": __version__,
        "model": request.loaded.name,
        "weights": weights_digest(request.loaded.module),
        "labels": request.loaded.labels,
        "answer": [request.loaded.link, repr(request.loaded.answer)],
        "options": words_of(request.loaded.options),
        "preparation": repr(request.loaded.preprocess),
        "question": [question.target, question.against, question.name, repr(question.place), repr(question.answer)],
        "domains": [text_of(one) for one in request.domains],
        "decompose": [text_of(one) for one in request.decompose],
        "methods": [text_of(one) for one in (request.method, *request.further_methods)],
        "exact": request.exact_passes,
        "interventions": request.interventions,
        "words": request.words,
        "top": request.top,
        "figures": repr(request.figures),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def digest_at(request: Request, of_request: str, path: Path) -> str:
    """A digest of a request and of what a file is: its name, size and time of change; empty where it is not there."""
    try:
        files = [(str(one), one.stat()) for one in request.kind.files(path)]
    except (OSError, ValueError):
        return ""
    parts = [of_request, str(path), *((name, status.st_size, status.st_mtime_ns) for name, status in files)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
