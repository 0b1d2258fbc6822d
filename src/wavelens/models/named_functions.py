"""Functions by the name package.module:function, the working folder included."""

from __future__ import annotations

import importlib
from typing import Any

from wavelens.models.trust import importable_working_folder


def is_function(name: str) -> bool:
    """Whether a name is written package.module:function."""
    module, colon, function = name.partition(":")
    return bool(colon) and all(part.isidentifier() for part in (*module.split("."), function))


def function_called(name: str) -> Any:
    """What 'package.module:function' names, the working folder included; `ImportError`, `AttributeError` if nothing."""
    module, _, function = name.partition(":")
    with importable_working_folder():
        return getattr(importlib.import_module(module), function)
