"""The data that is at hand, in the folder that WAVELENS_DATA names."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def at(path: str) -> Path:
    """A file or folder of the data; the program ends with a line that says where it is missing."""
    folder = Path(os.environ.get("WAVELENS_DATA", "../shared/data"))
    if not (folder / path).exists():
        sys.exit(f"{folder} lacks {path}. Name the folder that has weights/, images/, audio/ … in WAVELENS_DATA.")
    return folder / path
