"""Whether the options of a dataclass are of the types that it declares."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from wavelens.whole_numbers import is_whole

SIMPLE: dict[Any, tuple[str, str, Callable[[Any], bool]]] = {  # what one is called, what several are, and the test
    int: ("a whole number", "whole numbers", is_whole),
    float: ("a number", "numbers", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    str: ("a text", "texts", lambda value: isinstance(value, str)),
    bool: ("True or False", "truth values", lambda value: isinstance(value, bool)),
    NoneType: ("None", "None", lambda value: value is None),
}


def check_fields(value: Any, *names: str) -> None:
    """`ValueError` for the first field of a dataclass, or the first of those named, that is not of its type.

    Looks at numbers, texts, flags, None, tuples of them, and what may be one or the other; further types are left to
    the class, and so is the range of a number. Numbers are Python's: options are written into records as texts that
    give them again, which those of numpy and torch do not.

    >>> from dataclasses import dataclass
    >>> from wavelens.field_types import check_fields
    >>> @dataclass
    ... class Cut:
    ...     size: tuple[int, int]
    ...     rate: float | None = None
    >>> check_fields(Cut((8, 8), 0.5))
    >>> check_fields(Cut(8))
    Traceback (most recent call last):
    ValueError: size must be a tuple of 2 whole numbers; got 8.
    """
    for name, kinds in _declared(value.__class__):
        given = getattr(value, name)
        if (not names or name in names) and not any(_fits(given, kind) for kind in kinds):
            wanted = " or ".join(_called(kind) for kind in kinds)
            parts = given if isinstance(given, tuple) else (given,)
            hint = " Take Python's numbers, by item()." if any(hasattr(part, "item") for part in parts) else ""
            raise ValueError(f"{name} must be {wanted}; got {given!r:.60}.{hint}")


@cache
def _declared(cls: type) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    """Names of fields, and what each may be, of those that are made of simple types alone."""
    found = []
    for base in reversed(cls.__mro__):
        names = vars(sys.modules[base.__module__]) if base.__module__ in sys.modules else {}
        for name, text in vars(base).get("__annotations__", {}).items():
            kind = _evaluated(text, names)
            kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
            if all(_is_known(one) for one in kinds):
                found.append((name, kinds))
    known = dict(found)
    return tuple((field.name, known[field.name]) for field in fields(cls) if field.name in known)


def _evaluated(annotation: Any, names: dict[str, Any]) -> Any:
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, names)  # of source code, as `typing.get_type_hints` has it, but one by one
    except Exception:  # it was imported for the type checker alone, say
        return None


def _is_known(kind: Any) -> bool:
    if get_origin(kind) is tuple:
        return all(one in SIMPLE or one is ... for one in get_args(kind))
    return kind in SIMPLE


def _fits(value: Any, kind: Any) -> bool:
    if get_origin(kind) is not tuple:
        return SIMPLE[kind][2](value)
    first, *further = get_args(kind)
    if not isinstance(value, tuple):
        return False
    if further == [...]:
        return all(_fits(one, first) for one in value)
    return len(value) == 1 + len(further) and all(map(_fits, value, (first, *further)))


def _called(kind: Any) -> str:
    if get_origin(kind) is not tuple:
        return SIMPLE[kind][0]
    first, *further = get_args(kind)
    if further == [...]:
        return f"a tuple of {SIMPLE[first][1]}"
    if any(other is not first for other in further):
        return f"a tuple of {', '.join(SIMPLE[one][0] for one in (first, *further))}"
    return f"a tuple of {1 + len(further)} {SIMPLE[first][1]}"
