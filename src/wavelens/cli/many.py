"""Many inputs of one `wavelens explain`: a line for each, summary.csv, and a report that grows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.text import Text

from wavelens.cli.pace import pace
from wavelens.cli.terminal import complain, plain
from wavelens.counts import part_of
from wavelens.explaining import Explanation, explained
from wavelens.explaining.errors import INPUT_ERRORS, sentence_of
from wavelens.explaining.ledger import Ledger, Row, as_shown, digest_at, digest_of, failed_row, has_results, row_of
from wavelens.explaining.report import report_path
from wavelens.explaining.request import Request
from wavelens.reports import section, write_page
from wavelens.reports.page import Section, read_section, write_section
from wavelens.runs.store.shards import write_whole

FEW = 5  # inputs that are shown in full
PARTS = "report-parts"  # a folder beside the report, from which it is put together again
INTERRUPTED = 130


@dataclass
class Many:
    """Inputs with the names of their files, explained one after another into `out`."""

    request: Request
    named: list[tuple[Path, str]]
    out: Path
    console: Console
    report: bool
    clock: Callable[[], float] = time.monotonic
    failures: int = 0
    computed: int = 0
    left: int = 0  # to be computed when this call began
    started: float = 0.0
    reported: float = 0.0  # when the report was written last
    writing: float = 0.0  # seconds that this took
    sections: dict[str, Section] = field(default_factory=dict)

    def __call__(self) -> int:
        """Explains what has no results yet, and gives the exit code."""
        ledger, of_request = Ledger.in_folder(self.out), digest_of(self.request)
        digests = {path: digest_at(self.request, of_request, path) for path, _ in self.named}
        there = {path: row for path, stem in self.named if (row := self._kept(ledger, digests[path], stem))}
        ledger.keep(there.values(), [str(path) for path, _ in self.named])
        if there:
            self._print(f"results of {part_of(len(there), len(self.named), 'file')} are in {self.out} and are kept")
        self.started = self.reported = self.clock()
        self.left = len(self.named) - len(there)
        try:
            for number, (path, stem) in enumerate(self.named, 1):
                if path not in there:
                    self._one(number, path, stem, digests[path], ledger)
        except KeyboardInterrupt:
            self._close(ledger)
            done = len(there) + self.computed
            complain(
                f"interrupted; {part_of(done, len(self.named), 'file', 'has', 'have')} results. Run the same command "
                "again to go on."
            )
            return INTERRUPTED
        self._close(ledger)
        return 0 if not self.failures else 1 if there or self.computed else 2

    def _kept(self, ledger: Ledger, digest: str, stem: str) -> Row | None:
        """The row of an input whose results are there, with its part of the report where there is to be one."""
        row = ledger.result_of(digest) if digest else None
        if row is None or as_shown(str(row["result"])) != as_shown(stem) or not has_results(self.out / stem):
            return None
        if self.report:
            one = read_section(self._part(stem), digest)
            if one is None:
                return None
            self.sections[stem] = one
        return row

    def _one(self, number: int, path: Path, stem: str, digest: str, ledger: Ledger) -> None:
        try:
            explanation = explained(self.request, path, progress=self.console.is_terminal)
            one = section(explanation.entry(), len(self.named)) if self.report else None
            for _ in explanation.write(self.out / stem):
                pass
            if one is not None:
                self._add_section(one, stem, digest)
            ledger.add(row_of(explanation, stem, digest))
        except INPUT_ERRORS as error:
            self._fail(path, sentence_of(error), ledger)
            return
        self.computed += 1  # before the report, in which Ctrl-C then costs no result and no count
        self._report_so_far()
        self._print(f"{number} of {len(self.named)}  {_line(explanation)} {self._pace()}")

    def _fail(self, path: Path, message: str, ledger: Ledger) -> None:
        complain(message if str(path) in message else f"{path}: {message}")
        ledger.add(failed_row(path, message))
        self.failures += 1

    def _pace(self) -> str:
        done = self.computed + self.failures
        seconds = max(self.clock() - self.started, 1e-9)
        return f"{pace(done / seconds, (self.left - done) * seconds / done)}."

    def _part(self, stem: str) -> Path:
        return self.out / PARTS / f"{stem}.json"

    def _add_section(self, one: Section, stem: str, digest: str) -> None:
        """Keeps an input's part of the report."""
        self.sections[stem] = one
        self._part(stem).parent.mkdir(exist_ok=True)
        write_whole(self._part(stem), write_section(one, digest).encode())

    def _report_so_far(self) -> None:
        """Writes the report where that took little of the time since; one that cannot be written costs no result."""
        if not self.sections or self.clock() - self.reported <= 10 * self.writing:
            return
        try:
            self._write_report()
        except OSError as error:
            complain(sentence_of(error))

    def _write_report(self) -> Path:
        began = self.clock()
        sections = [self.sections[stem] for _, stem in self.named if stem in self.sections]
        path = write_page(sections, report_path(self.out))
        self.reported = self.clock()
        self.writing = self.reported - began
        return path

    def _close(self, ledger: Ledger) -> None:
        """Writes the table in the order of the inputs, and the report; says where they are."""
        ledger.sort([str(path) for path, _ in self.named])
        written = [ledger.path, *([self._write_report()] if self.sections else [])]
        for path in written:
            self._print(f"wrote {path}")
        if self.failures:
            failed = f"{part_of(self.failures, len(self.named), 'file')} could not be explained"
            complain(f"{failed}; the column error of {ledger.path} says why.")

    def _print(self, text: str) -> None:
        self.console.print(Text(plain(text)), soft_wrap=True)


def _line(explanation: Explanation) -> str:
    """'a/dog.jpg: golden retriever (98.2 %). The largest contributions are d4 …'."""
    target, logits = explanation.target, explanation.input.logits
    name = explanation.label
    if logits is not None and len(target.classes) == 1:
        chance = explanation.request.loaded.probability(logits, target.classes[0])
        name += "" if chance is None else f" ({chance:.1%})"
    sentences = [explanation.sentences().largest, explanation.caution]
    return " ".join([f"{explanation.input.path}: {name}.", *filter(None, sentences)])
