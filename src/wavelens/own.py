"""Classes and functions of a user's own: their texts, `module:Name(…)`, and what such a text names."""

from __future__ import annotations

import inspect
from dataclasses import fields, is_dataclass
from typing import Any

from wavelens.bound import Bound
from wavelens.core import Domain

PACKAGE = Domain.__module__.partition(".")[0]


def is_own(cls: type) -> bool:
    """Whether a class is a user's own, and not of this package."""
    return cls.__module__.partition(".")[0] != PACKAGE


def text_of(value: Any) -> str:
    """The text of a value: its `repr`, with the module in front of a user's own classes.

    `parse(text_of(v), also=own_classes(v)) == v`, and `text_of(v) == repr(v)` where nothing in `v` is a user's own.

    >>> import wavelens as wl
    >>> text_of(wl.baselines.FromMethod(wl.Saliency(), wl.Identity()))
    'FromMethod(method=Saliency(), domain=Identity())'
    """
    if isinstance(value, Bound):
        return text_of(value.domain)
    if isinstance(value, tuple):
        return f"({', '.join(map(text_of, value))}{',' * (len(value) == 1)})"
    if not is_dataclass(value) or isinstance(value, type):
        return repr(value)
    cls, pairs = type(value), [(f.name, getattr(value, f.name)) for f in fields(value) if f.repr]
    module = f"{cls.__module__}:" if is_own(cls) else ""
    if repr(value) != f"{cls.__qualname__}({', '.join(f'{name}={part!r}' for name, part in pairs)})":
        return f"{module}{value!r}"  # the class has a form of its own
    return f"{module}{cls.__name__}({', '.join(f'{name}={text_of(part)}' for name, part in pairs)})"


def as_typed(value: Any) -> str:
    """The shortest text of a value that is parsed as it: fields that have their defaults are left out.

    >>> import wavelens as wl
    >>> as_typed(wl.IntegratedGradients(tolerance=0.02)), as_typed(wl.Saliency())
    ('IntegratedGradients(tolerance=0.02)', 'Saliency()')
    """
    pairs = [(one, getattr(value, one.name)) for one in fields(value) if one.repr]
    changed = [f"{one.name}={text_of(part)}" for one, part in pairs if part != one.default]
    return f"{type(value).__name__}({', '.join(changed)})"


def own_classes(value: Any) -> tuple[type, ...]:
    """The classes of a value, and of the values in it, that are a user's own."""
    if isinstance(value, Bound):
        return own_classes(value.domain)
    if isinstance(value, tuple):
        return tuple(dict.fromkeys(cls for part in value for cls in own_classes(part)))
    if not is_dataclass(value) or isinstance(value, type):
        return ()
    inner = own_classes(tuple(getattr(value, f.name) for f in fields(value)))
    return (type(value), *inner) if is_own(type(value)) else inner


def positional_count(value: Any) -> int:
    """The number of positional arguments that a user's own value is called with; 0 for domains and what is not called.

    Three are those of a method, `(ask, lifts, baseline)`, and of an explainer, `(model, x, target, *, batch_size)`.
    """
    if not is_own(type(value)) or isinstance(value, type | Domain) or not callable(value):
        return 0
    parameters = inspect.signature(value).parameters.values()
    return sum(one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) for one in parameters)


def is_own_explainer(value: Any) -> bool:
    """Whether a user's own value is called as `(model, x, target, *, batch_size)`."""
    return positional_count(value) >= 3 and "batch_size" in inspect.signature(value).parameters


def is_own_method(value: Any) -> bool:
    """Whether a user's own value is called as `(ask, lifts, baseline)`."""
    return positional_count(value) == 3 and not is_own_explainer(value)
