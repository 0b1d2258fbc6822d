"""The names of a model's classes: from a file, from a sequence, and those that the package has."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from wavelens.untrusted import check_regular


def read_class_names(source: str | Path | Sequence[str] | Mapping[Any, Any]) -> tuple[str, ...]:
    """The names of classes 0, 1, …: a sequence of them, a mapping, or a file.

    A file has one name per line; a `.json` file has a list of names, a mapping of indices to names, or one of names to
    indices. A name may be a pair of an identifier and the name, as ImageNet's, or a mapping with `name`, as COCO's.
    Raises `ValueError` unless there is a name for each index, `OSError` where there is no file.
    """
    if isinstance(source, Mapping):
        return tuple(_from_json(dict(source)))
    if not isinstance(source, str | Path):
        return tuple(source)
    path = Path(source)
    check_regular(path, "list of class names")
    if not path.is_file():
        raise FileNotFoundError(f"no such class names: {path}. Give a file with one name per line, or JSON.")
    try:
        text = path.read_text(encoding="utf-8-sig")
        names = _from_json(json.loads(text)) if path.suffix.lower() == ".json" else _from_lines(text)
        if not names:
            raise ValueError("it is empty")
    except ValueError as error:  # also of bytes that are no UTF-8
        raise ValueError(
            f"class names are a text file with one name per line, or JSON with a list of names or the name of each "
            f"index from 0; {path} is neither ({error})."
        ) from error
    return tuple(name.strip() for name in names)


def _from_lines(text: str) -> list[str]:
    lines = text.rstrip().splitlines()
    if blank := [number for number, line in enumerate(lines, 1) if not line.strip()]:
        raise ValueError(f"line {blank[0]} is blank")
    return lines


def _from_json(content: Any) -> list[str]:
    if isinstance(content, list):
        return [_name(one) for one in content]
    if not isinstance(content, dict):
        raise ValueError(f"it holds {type(content).__name__}")
    by_name = all(type(value) is int for value in content.values())
    pairs = [(index, name) for name, index in content.items()] if by_name else content.items()
    names = {int(index): _name(name) for index, name in pairs}
    if sorted(names) != list(range(len(content))):
        raise ValueError(f"its indices are not 0 to {len(content) - 1}")
    return [names[index] for index in sorted(names)]


def _name(value: Any) -> str:
    """A class's name, alone or in what a data set keeps beside it; `ValueError` for what is none."""
    inside = value.get("name") if isinstance(value, dict) else value
    if isinstance(inside, list | tuple) and len(inside) == 2 and all(isinstance(part, str) for part in inside):
        inside = inside[1]  # after an identifier such as n01440764
    if isinstance(inside, bool) or not isinstance(inside, str | int | float):
        raise ValueError(f"{value!r:.60} is no name")
    return str(inside)


@cache
def imagenet_labels() -> tuple[str, ...]:
    """The names of the 1000 classes of ImageNet-1k, in the order of a classifier's outputs."""
    return shipped_labels("imagenet1k.txt")


def shipped_labels(file: str) -> tuple[str, ...]:
    """The lines of a file of `wavelens/data`, without its comments."""
    lines = (files("wavelens") / "data" / file).read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if not line.startswith("#"))
