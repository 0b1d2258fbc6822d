"""Retrieval by a model of signals and texts: which texts fit a file best, and which files a text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from wavelens.runs.statistics.cells import comma_separated_lines


@dataclass(frozen=True, eq=False)
class Retrieval:
    """The `scores` `(files, texts)` of files and texts."""

    files: tuple[Path, ...]
    texts: tuple[str, ...]
    scores: Tensor

    def texts_of(self, file: int, count: int) -> list[tuple[str, float]]:
        """The best texts of a file with their scores, best first."""
        return [(self.texts[k], score) for k, score in _best(self.scores[file], count)]

    def files_of(self, text: int, count: int) -> list[tuple[Path, float]]:
        """The best files of a text with their scores, best first."""
        return [(self.files[k], score) for k, score in _best(self.scores[:, text], count)]

    def best(self) -> tuple[Path, str]:
        """The pair of the highest score."""
        file, text = divmod(int(self.scores.argmax()), len(self.texts))
        return self.files[file], self.texts[text]

    def write(self, path: Path) -> Path:
        """All scores as CSV: a row per file, a column per text."""
        rows = [[str(name), *row] for name, row in zip(self.files, self.scores.tolist(), strict=True)]
        path.write_text(comma_separated_lines([["file", *self.texts], *rows]), encoding="utf-8", newline="")
        return path


def _best(scores: Tensor, count: int) -> list[tuple[int, float]]:
    order = scores.argsort(descending=True, stable=True)[:count]
    return list(zip(order.tolist(), scores[order].tolist(), strict=True))
