"""Files as a data set: which they are, and the class of each."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from torch import Tensor

from wavelens.counts import part_of
from wavelens.untrusted import check_file

TOP, FOLDERS = "top", "folders"


class Objects(Protocol):
    """Where a photo's objects are; its `repr` tells it from every other."""

    def region(self, shape: tuple[int, int], target: int) -> Tensor:
        """True on the objects of a class, `(height, width)` of the photo."""


@dataclass(frozen=True)
class Sample:
    """A file of a data set: its name in the folder `root`, its bytes, its class and its objects, if they are known.

    The location of the folder is not part of a sample: a run can be moved and resumed.
    """

    name: str
    bytes: int
    target: int | None = None
    objects: Objects | None = None
    root: str = field(default="", repr=False)

    @property
    def path(self) -> Path:
        return Path(self.root) / self.name

    def __str__(self) -> str:
        return self.name


def itself(path: Path) -> Sequence[Path]:
    """An input of one file."""
    return [path]


def check_root(root: Path) -> None:
    """`FileNotFoundError` where a data set is no folder, and `ValueError` where nothing is in it."""
    if not root.is_dir():
        raise FileNotFoundError(f"a data set must be a folder; got {root}. Check the path.")
    if not any(root.iterdir()):
        raise ValueError(f"the folder {root} is empty. Name another.")


def samples(
    root: Path, inside: Callable[[Path], Sequence[Path]], files: Callable[[Path], Sequence[Path]] = itself
) -> list[Sample]:
    """The inputs in a folder and its folders, by name; `inside` lists those of one folder, which may be one itself.

    `files` lists the files of an input, all of whose bytes count.
    """
    check_root(root)
    folders = sorted(Path(folder) for folder, _, _ in os.walk(root))
    paths = [path for folder in folders for path in inside(folder)]
    if not paths:
        raise ValueError(f"the folder {root} has no files that the model takes. Name another.")
    return [Sample(path.relative_to(root).as_posix(), sum(map(_bytes, files(path))), root=str(root)) for path in paths]


def _bytes(path: Path) -> int:
    """The size of a file, or of those in a folder; 0 for a link that leads nowhere, which fails when it is read."""
    if path.is_dir():
        return sum(_bytes(file) for file in path.iterdir() if not file.is_dir())
    try:
        return path.stat().st_size
    except OSError:
        return 0


def labelled(samples: Sequence[Sample], labels: str, index: Callable[[str], int]) -> list[Sample]:
    """The samples with their classes: 'top' leaves them to the model, 'folders' takes the folder's name, and a CSV
    file names file and class in its first two columns. `index` gives the class of a text."""
    if labels == TOP:
        return list(samples)
    texts = _folders(samples) if labels == FOLDERS else _table(samples, Path(labels))
    classes = {text: index(text) for text in dict.fromkeys(texts)}
    return [replace(sample, target=classes[text]) for sample, text in zip(samples, texts, strict=True)]


def _folders(samples: Sequence[Sample]) -> list[str]:
    loose = next((sample.name for sample in samples if "/" not in sample.name), None)
    if loose is not None:
        raise ValueError(
            f"labels from folders need a folder for each class; {loose} lies in none. Move it, or use top."
        )
    return [sample.path.parent.name for sample in samples]


def _table(samples: Sequence[Sample], path: Path) -> list[str]:
    if not path.exists():
        raise FileNotFoundError(
            f"labels must be '{TOP}', '{FOLDERS}' or a CSV file; got {path}, and there is no such file."
        )
    check_file(path, "CSV file")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = {row[0].strip(): row[1].strip() for row in csv.reader(file) if len(row) > 1}
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is a CSV file in UTF-8; this one cannot be read ({error}). Write it anew.") from None
    missing = [sample.name for sample in samples if sample.name not in table]
    if missing:
        raise ValueError(
            f"{path} has the file and its class in each row; "
            f"{part_of(len(missing), len(samples), 'file', 'is', 'are')} not in it, "
            f"such as {missing[0]}. Names are relative to the data set's folder."
        )
    return [table[sample.name] for sample in samples]
