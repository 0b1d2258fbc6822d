"""Which files a call reads, and the names of those that it writes."""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from wavelens.explaining.kinds import Kind
from wavelens.frontends.joined import joined_files
from wavelens.models import Preparation
from wavelens.untrusted import no_such_files

ATTRIBUTION = ".safetensors"  # for each domain of an input
SUMMARY = ".json"
WRITTEN = (ATTRIBUTION, SUMMARY)  # for each input
OVERLAY = "-overlay"  # a figure for each domain of a photo of which the model is given a part, or a smaller one
MARGINAL = "-marginal"  # a figure with several domains
DECOMPOSED = ("-decomposed", "-scales")  # figures with --decompose


def inputs(arguments: Sequence[str], kind: Kind, preparation: Preparation | None = None) -> list[Path]:
    """Each input that the arguments mean, once; what means none stays in the list, to be complained about.

    In folders the files that a preparation takes as channels are one input.
    """
    paths = [path for argument in arguments for path in _matches(argument, kind, preparation) or [Path(argument)]]
    return list({os.path.realpath(path): path for path in paths}.values())  # a circular link stays, and fails alone


def _matches(argument: str, kind: Kind, preparation: Preparation | None) -> list[Path]:
    path = Path(argument)
    if len(kind.parts(path)) > 1:
        return [path]
    if path.is_dir():
        return kind.inside(path, preparation)
    if path.exists():
        return [path]
    return sorted(Path(p) for p in glob.glob(argument, recursive=True) if not Path(p).is_dir())


def check_there(arguments: Sequence[str]) -> None:
    """`FileNotFoundError` or `ValueError` if none of the arguments names anything: before a model is loaded for it."""
    if any(map(_holds_something, arguments)):
        return
    folders = [argument for argument in arguments if os.path.isdir(argument)]
    if folders:
        raise ValueError(f"the folder {folders[0]} is empty. Name another.")
    raise no_such_files(arguments)


def _holds_something(argument: str) -> bool:
    """Whether it is a file, a folder that is not empty, some of several files, or a pattern that any file fits."""
    if os.path.isdir(argument):
        return bool(os.listdir(argument))
    return any(os.path.lexists(part) for part in joined_files(Path(argument))) or bool(
        glob.glob(argument, recursive=True)
    )


def stems(
    paths: list[Path], out: Path, kind: Kind, written: Sequence[str] = WRITTEN, also: Sequence[str] = ()
) -> list[str]:
    """A name for each input's files: its stem, or stem-2 … where that would overwrite an input or a stranger.

    `written` are the endings of the files that are always written together, `also` those of others beside them.
    """

    def names_of(stem: str) -> set[str]:
        """Its files by names that no other input may have, whatever the case."""
        return {f"{stem}{ending}".casefold() for ending in ("", *written, *also)}

    folder = os.path.realpath(out)
    real = [Path(os.path.realpath(part)) for path in paths for part in kind.parts(path)]
    used = {name for path in real if str(path.parent) == folder for name in names_of(kind.stem(path))}
    stems = []
    for path in paths:
        free = (s for s in _candidates(kind.stem(path)) if not used & names_of(s))
        stem = next(s for s in free if not _is_foreign(out / s, written, also))
        used |= names_of(stem)
        stems.append(stem)
    return stems


def _candidates(stem: str) -> Iterator[str]:
    return itertools.chain([stem], (f"{stem}-{n}" for n in itertools.count(2)))


def _is_foreign(base: Path, written: Sequence[str], also: Sequence[str]) -> bool:
    """Whether some of the files are there that come together, and some are not: then they are not ours."""
    there = {beside(base, ending).exists() for ending in written}
    return len(there) == 2 or (there == {False} and any(beside(base, ending).exists() for ending in also))


def beside(base: Path, suffix: str) -> Path:
    return base.with_name(base.name + suffix)
