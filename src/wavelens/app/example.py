"""A photo to try the app with, where a package is installed that brings one."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from wavelens.app.served import Served
from wavelens.explaining.kinds.photo import PHOTO

NAME = "chelsea.png"  # a cat, in the public domain, of scikit-image


def example_photo(models: Iterable[Served]) -> Path | None:
    """The photo; None where no model takes photos, or scikit-image is not installed."""
    package = find_spec("skimage")
    if package is None or package.origin is None or all(one.kind is not PHOTO for one in models):
        return None
    path = Path(package.origin).parent / "data" / NAME
    return path if path.is_file() else None
