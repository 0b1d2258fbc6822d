"""Points in NumPy's .npy and .npz files, whose headers are read without unpickling anything."""

from __future__ import annotations

import math
from pathlib import Path

from wavelens.frontends.clouds.cloud import Cloud, CloudError, cloud_of
from wavelens.frontends.scans.arrays import ARRAYS, array_keys, stored_array
from wavelens.frontends.scans.stored import Stored

KEYS = ("points", "xyz", "vertices", "pos", "coordinates")  # what .npz files call them


def read_array(path: Path) -> Cloud:
    """The cloud in an array `(points, 3)` or `(3, points)`; of several in an .npz file, that called points or xyz."""
    stored = _stored(path)
    if len(stored.shape) != 2 or 3 not in stored.shape:
        axes = stored.shape
        hint = " Give a plane a z of 0." if len(axes) == 2 and 2 in axes else " Save one cloud alone."
        raise CloudError(f"an array must be a cloud (points, 3) or (3, points); got {axes} in {path}.{hint}")
    points = stored.read()
    return cloud_of(path, points if stored.shape[1] == 3 else points.T)


def is_array_of_points(path: Path) -> bool:
    """Whether a file is an array `(points, 3)`, by its header; `(3, points)` may be a series of three channels."""
    try:
        axes = _stored(path).shape
    except (ValueError, OSError):
        return False
    return len(axes) == 2 and axes[1] == 3 and axes[0] > 3


def array_points(path: Path) -> int:
    """How many points an array has room for, by its header."""
    return math.ceil(_stored(path).memory_bytes / 12)


def _stored(path: Path) -> Stored:
    keys = array_keys(path)
    named = [key for key in keys if key.casefold() in KEYS]
    if len(keys) > 1 and len(named) != 1:
        raise CloudError(f"of several arrays one is called {KEYS[0]}; {path} has {', '.join(keys)}. Rename one.")
    return stored_array(path, named[0] if named else None, "coordinates")


__all__ = ["ARRAYS", "array_points", "is_array_of_points", "read_array"]
