"""Model files that are programs, and the folder in which a user's own functions are looked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def check_trust(path: Path, trust: bool) -> None:
    """`ValueError` for a model file from outside the working folder, unless it is trusted: loading it runs its code.

    Links and `..` are followed first, and folders are compared by what they are, not by how they are written.
    """
    working = Path.cwd()
    if trust or any(parent.samefile(working) for parent in path.resolve().parents):
        return
    raise ValueError(
        f"{path} lies outside the working folder, and loading it runs code stored in the file, which can overwrite or "
        "read whatever you can. If you know who made it, pass --trust (in Python trust=True)."
    )


@contextmanager
def importable_working_folder() -> Iterator[None]:
    """The working folder as the last place where Python looks for modules."""
    folder = os.getcwd()
    added = folder not in sys.path
    if added:
        sys.path.append(folder)
    try:
        yield
    finally:
        if added and folder in sys.path:
            sys.path.remove(folder)
