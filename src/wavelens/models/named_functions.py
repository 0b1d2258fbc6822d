"""Functions by the name package.module:function, the working folder included."""

from __future__ import annotations

import importlib
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
            return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise ValueError(f"{module} cannot be imported: {one_line(str(error))}. Install what it needs.") from error
        raise ValueError(
            f"there is no module {error.name} for {name}. Put {error.name.partition('.')[0]}.py into the working "
            "folder, or install it."
        ) from error
    except AttributeError as error:
        raise ValueError(f"{name} cannot be found: {one_line(str(error))}. Check the name.") from error
    except Exception as error:  # a user's own code raises anything
        reason = f"{type(error).__name__}: {one_line(str(error))}"
        raise ValueError(f"{module} cannot be imported, and {name} is in it: {reason}. Mend the module.") from error
