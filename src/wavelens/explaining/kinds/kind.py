"""`Kind`: all that differs between photos, sounds, volumes, videos and what else is explained."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wavelens.attribution import Attribution
from wavelens.core import Domain
from wavelens.explaining.kinds.input import Input
from wavelens.models import Preparation

if TYPE_CHECKING:  # matplotlib: only once there is something to draw
    from matplotlib.figure import Figure


def no_note(path: Path) -> str:
    return ""


def no_extras(a: Attribution, shown: Input, label: str, base: Path) -> Iterable[Path]:
    return []


@dataclass(frozen=True, eq=False)
class Kind:
    """Signals of one kind: which files hold them, how they are read, explained by default, drawn and written.

    `name` is the `kind` of the preparations that take them. `domain` gives the default domain for the axes of the
    model's input. `start` is what the zero baseline is to a reader. `panel(a, input, title)` draws the figure;
    `extras(a, input, label, base)` writes further files called `base` + something and gives their paths. `model` is
    explained where none is named; `models` says which there are. `gather` lists the inputs in a folder, where they are
    not files by their suffix. `note(path)` is a line on how a file is read, where files of a format are read in more
    ways than one, or empty. `open` gives a file to preparations that take files, and read no more of it than they need.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path], Any]
    domain: Callable[[tuple[int, ...]], Domain]
    start: str
    panel: Callable[[Attribution, Input, str], Figure]
    extras: Callable[[Attribution, Input, str, Path], Iterable[Path]] = no_extras
    model: str | None = None
    models: str = ""
    gather: Callable[[Path], list[Path]] | None = None
    note: Callable[[Path], str] = no_note
    open: Callable[[Path], Any] | None = None

    def reader(self, preparation: Preparation) -> Callable[[Path], Any]:
        """What makes of a file the signal that a preparation takes."""
        return self.open if self.open and getattr(preparation, "takes_files", False) else self.read

    def reads(self, path: Path) -> bool:
        return path.name.lower().endswith(self.suffixes)

    def stem(self, path: Path) -> str:
        """The name without the suffix of this kind, which may have two parts."""
        name = path.resolve().name if path.name in ("", "..") else path.name
        rest = "" if path.is_dir() else path.suffix
        found = max((s for s in self.suffixes if name.lower().endswith(s)), key=len, default=rest)
        return name[: len(name) - len(found)] or name

    def inside(self, folder: Path) -> list[Path]:
        """The inputs in a folder, by name."""
        if self.gather is not None:
            return self.gather(folder)
        return sorted(path for path in folder.iterdir() if self.reads(path))

    def signal_at(self, path: Path, preparation: Preparation) -> Any:
        """What the front end reads at a path; `ValueError` for a folder without inputs that says where there are some.

        A folder that reaches this has none of its own, or is one (`gather`).
        """
        if path.is_dir() and self.gather is None:
            deeper = next((file for file in path.rglob("*") if self.reads(file)), None)
            hint = f"Those in its folders are '{path / '**' / f'*{deeper.suffix}'}'." if deeper else "Name another."
            raise ValueError(f"a folder of {self.name}s holds {', '.join(self.suffixes)}; {path} has none. {hint}")
        return self.reader(preparation)(path)
