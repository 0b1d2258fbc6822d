"""What functions hold: the modules that they call are not among anybody's parts."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from functools import cache, partial
from types import CodeType, FunctionType, MethodType
from typing import Any
from weakref import ReferenceType

from torch import nn

DEPTH = 4  # a patched forward holds the old one in a closure, perhaps by a decorator or a partial


def modules_of(model: Any) -> list[nn.Module]:
    """A model that is a module; of a function, or of an object that is called, the modules that it holds.

    A module inside another of them is not named again.
    """
    if isinstance(model, nn.Module):
        return [model]
    own = list(vars(model).values()) if callable(model) and hasattr(model, "__dict__") else []
    found = {id(part): part for value in (model, *own) for part in held(value) if isinstance(part, nn.Module)}
    inner = {id(part) for module in found.values() for part in module.modules() if part is not module}
    return [module for key, module in found.items() if key not in inner]


def held(value: Any, depth: int = DEPTH) -> Iterator[Any]:
    """What a function holds: closures, defaults, what it is bound to, and globals that it reads."""
    yield value
    parts: list[Any] = []
    if isinstance(value, MethodType):
        parts = [value.__self__, value.__func__]
    elif isinstance(value, partial):
        parts = [value.func, *value.args, *value.keywords.values()]
    elif isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
        own = (value.__module__ or "").partition(".")[0] != "torch"  # whose functions hold no model
        read = [value.__globals__.get(name) for name in _globals_read(value.__code__)] if own else []
        parts = [*cells, *read, *(value.__defaults__ or ()), getattr(value, "__wrapped__", None)]
    elif isinstance(value, dict | list | tuple):
        parts = list(value.values() if isinstance(value, dict) else value)
    elif isinstance(value, ReferenceType):
        parts = [value()]
    for part in parts if depth else ():
        yield from held(part, depth - 1)


@cache
def _globals_read(code: CodeType) -> tuple[str, ...]:
    """The names that code looks up in its module; an attribute of the same name is none of them."""
    return tuple({one.argval for one in dis.get_instructions(code) if one.opname == "LOAD_GLOBAL"})


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # not assigned yet
        return False
