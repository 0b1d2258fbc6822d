"""Packages that only some users have."""

from __future__ import annotations

import importlib
from typing import Any


def optional(name: str, extra: str) -> Any:
    """The module called `name`; `ImportError` that says why and what to do where it cannot be imported."""
    try:
        return importlib.import_module(name)
    except Exception as error:  # a torchvision made for another torch raises RuntimeError, as does all that imports it
        raise unloadable(name.partition(".")[0], extra, error) from None


def installed(name: str) -> Any:
    """The module called `name`, of a package that no extra brings; `ImportError` that says how to install it."""
    try:
        return importlib.import_module(name)
    except Exception as error:
        package, cause = name.partition(".")[0], first_cause(error)
        raise ImportError(
            f"{package} is needed here and cannot be imported ({type(cause).__name__}: {cause}): pip install {package}"
        ) from None


def unloadable(package: str, extra: str, error: Exception) -> ImportError:
    """That a package is not there, with the extra that brings it; or that it is and cannot be loaded, and why."""
    cause = first_cause(error)
    if isinstance(cause, ModuleNotFoundError):
        return ImportError(
            f"{package} is needed here and cannot be imported ({cause}): pip install 'wavelens[{extra}]'"
        )
    return ImportError(
        f"{package} is needed here and cannot be loaded ({type(cause).__name__}: {cause}). It is installed; reinstall "
        "it, and what it is made for (torchvision for its torch), in versions that fit each other."
    )


def first_cause(error: BaseException) -> BaseException:
    """What an error was raised from; some packages say of any fault in their parts that a module is not found."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
