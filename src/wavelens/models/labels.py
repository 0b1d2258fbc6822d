"""The names of a model's classes: from a file, from a sequence, and those that the package has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from wavelens.untrusted import check_regular


def read_class_names(source: str | Path | Sequence[str]) -> tuple[str, ...]:
    """The names of classes 0, 1, …: a sequence of them, or a file.

    A file has one name per line; a `.json` file has a list of names, a mapping of indices to names, or one of names to
    indices. Raises `ValueError` unless there is a name for each index, `OSError` where there is no file.
    """
    if not isinstance(source, str | Path):
        return tuple(source)
    path = Path(source)
    check_regular(path, "list of class names")
    if not path.is_file():
        raise FileNotFoundError(f"no such class names: {path}. Give a file with one name per line, or JSON.")
    try:
        text = path.read_text(encoding="utf-8-sig")
        names = _from_json(json.loads(text)) if path.suffix.lower() == ".json" else text.rstrip().splitlines()
    except ValueError as error:  # also of bytes that are no UTF-8
        raise ValueError(
            f"class names are a text file with one name per line, or JSON with a list of names or the name of each "
            f"index from 0; {path} is neither ({error})."
        ) from error
    return tuple(name.strip() for name in names)


def _from_json(content: Any) -> list[str]:
    if isinstance(content, list):
        return [str(name) for name in content]
    if not isinstance(content, dict):
        raise ValueError(f"it holds {type(content).__name__}")
    by_name = all(type(value) is int for value in content.values())
    pairs = [(index, name) for name, index in content.items()] if by_name else content.items()
    names = {int(index): str(name) for index, name in pairs}
    if sorted(names) != list(range(len(content))):
        raise ValueError(f"its indices are not 0 to {len(content) - 1}")
    return [names[index] for index in sorted(names)]


@cache
def imagenet_labels() -> tuple[str, ...]:
    """The names of the 1000 classes of ImageNet-1k, in the order of a classifier's outputs."""
    return shipped_labels("imagenet1k.txt")


def shipped_labels(file: str) -> tuple[str, ...]:
    """The lines of a file of `wavelens/data`, without its comments."""
    lines = (files("wavelens") / "data" / file).read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if not line.startswith("#"))
