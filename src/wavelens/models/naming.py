"""Names of networks with arguments, such as `resnet50(classes=5)`. Literals only, nothing is executed."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any


def read_call(prefix: str, text: str) -> tuple[str, dict[str, Any]]:
    """The name in `text` and the arguments after it; `ValueError` where they are no named literals."""
    name, bracket, _ = text.partition("(")
    try:
        call = ast.parse(f"f{text[len(name) :]}" if bracket else "f()", mode="eval").body
        if (
            not isinstance(call, ast.Call)
            or not isinstance(call.func, ast.Name)
            or call.args
            or not all(word.arg for word in call.keywords)
        ):
            raise ValueError("arguments have names")
        arguments = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(
            f"{prefix}: takes a name and named arguments with literal values, such as resnet18(classes=3); got "
            f"{text!r}."
        ) from error
    classes = arguments.get("classes", 1)
    if type(classes) is not int or classes < 1:
        raise ValueError(f"classes must be a whole number from 1; got {classes!r} in {prefix}:{text}.")
    return name, arguments


def unknown_name(library: str, name: str, known: Iterable[str], listing: str = "") -> ValueError:
    """The error for a name that a library has not: names that are like it, else `listing`, else all that it knows.

    >>> from wavelens.models.naming import unknown_name
    >>> print(unknown_name("timm", "resnet5", ["resnet50", "vgg16"]))
    timm has no model 'resnet5'. Did you mean resnet50?
    """
    spelled = {one.casefold(): one for one in known}
    near = [spelled[one] for one in difflib.get_close_matches(name.casefold(), spelled, n=3)]
    every = listing or f"It has {', '.join(spelled.values())}."
    return ValueError(f"{library} has no model {name!r}. {f'Did you mean {one_of(near)}?' if near else every}")


def one_of(names: Sequence[str]) -> str:
    """'a', 'a or b', 'a, b or c'."""
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def read_threshold(prefix: str, text: str) -> tuple[str, float | None]:
    """The name of a model that may be a folder, and the `threshold` in brackets after it, such as NAME(threshold=0.3).

    >>> from wavelens.models.naming import read_threshold
    >>> read_threshold("hf", "facebook/detr-resnet-50(threshold=0.3)")
    ('facebook/detr-resnet-50', 0.3)
    """
    match = re.fullmatch(r"(?P<name>.+)\((?P<named>\s*threshold\s*=[^()]*)\)", text)
    if match is None:
        return text, None
    value = read_call(prefix, f"f({match['named']})")[1]["threshold"]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"threshold must be a probability from 0 to 1; got {value!r} in {prefix}:{text}.")
    return match["name"], float(value)
