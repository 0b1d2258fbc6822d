"""Functions by the name package.module:function, the working folder included."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from wavelens.models.trust import importable_working_folder
from wavelens.untrusted import one_line


def is_function(name: str) -> bool:
    """Whether a name is written package.module:function."""
    module, colon, function = name.partition(":")
    return bool(colon) and all(part.isidentifier() for part in (*module.split("."), function))


def imported(name: str) -> Any:
    """What `module:Name` names; the module is imported, from the working folder last, and its code runs.

    `ValueError`, whatever the module raises.
    """
    module, _, attribute = name.partition(":")
    try:
        with importable_working_folder():
            found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise ValueError(f"{module} cannot be imported: {one_line(str(error))}. Install what it needs.") from error
        if module.endswith(".py"):
            raise ValueError(
                f"{name} names a file; a function is named by its module. Write {module[:-3]}:{attribute}."
            ) from error
        raise ValueError(
            f"there is no module {error.name} for {name}. Put {error.name.partition('.')[0]}.py into the working "
            "folder, or install it."
        ) from error
    except Exception as error:  # a user's own code raises anything
        reason = f"{type(error).__name__}: {one_line(str(error))}"
        raise ValueError(f"{module} cannot be imported, and {name} is in it: {reason}. Mend the module.") from error
    try:
        return getattr(found, attribute)
    except AttributeError as error:
        file, own = getattr(found, "__file__", None), Path(*module.split(".")).with_suffix(".py")
        hidden = own.is_file() and not (file is not None and Path(file).exists() and own.samefile(file))
        advice = f"It comes before {own} of the working folder; give that another name" if hidden else "Check the name"
        where = f", {one_line(file)}," if file else ""
        raise ValueError(f"{name} cannot be found: module {module}{where} has no {attribute!r}. {advice}.") from error
