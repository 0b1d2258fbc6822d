"""Names of networks with arguments, such as `resnet50(classes=5)`. Literals only, nothing is executed."""

from __future__ import annotations

import ast
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
        raise ValueError(f"classes is a whole number from 1; got {classes!r} in {prefix}:{text}.")
    return name, arguments
