"""`Cloud`: points in space, with what a file says of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wavelens.grid import Grid
from wavelens.untrusted import excerpt

Array = NDArray[Any]

MIN_POINTS = 2
MAX_POINTS = 2**28  # 3 GiB of coordinates
FAR = 16  # times a cloud's size from the origin, from which on single precision would round its form
UNKNOWN_UNIT = "units"


class CloudError(ValueError):
    """What a reader itself says of a file, and no library."""


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points in space: `data` `(1, 3, points)` in `unit`, '' where a file does not say it.

    Coordinates are from `origin`, which is not 0 for clouds that lie far from it, as those of a survey do. `faces`
    `(faces, 3)` are the triangles of a mesh by the numbers of its vertices, or None. `note` is a line on how a file was
    read, where it leaves that open.

    >>> cloud = wl.frontends.Cloud(torch.rand(1, 3, 100), unit="m")
    >>> cloud.points, cloud.grid.units
    (100, ('m',))
    """

    data: Tensor
    unit: str = ""
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    faces: Tensor | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.data.ndim != 3 or self.data.shape[:2] != (1, 3) or self.data.shape[2] < MIN_POINTS:
            raise ValueError(
                f"a cloud must be (1, 3, points) with {MIN_POINTS} points or more; got {tuple(self.data.shape)}."
            )
        if len(self.origin) != 3 or not all(map(math.isfinite, self.origin)):
            raise ValueError(f"origin must be a point, (x, y, z); got {self.origin}.")
        if self.faces is not None and (self.faces.ndim != 2 or self.faces.shape[1] != 3):
            raise ValueError(f"faces must be (faces, 3) numbers of points; got {tuple(self.faces.shape)}.")

    @property
    def points(self) -> int:
        return self.data.shape[2]

    @property
    def grid(self) -> Grid:
        """Lengths are in the cloud's own unit."""
        return Grid((1.0,), (self.unit or UNKNOWN_UNIT,), scattered=True)

    @property
    def repeated(self) -> int:
        """How many points lie where another does."""
        return self.points - len(self.data[0].T.unique(dim=0))


def cloud_of(path: Path, points: Array, unit: str = "", faces: Array | None = None, note: str = "") -> Cloud:
    """The cloud that a reader makes of `(points, 3)` numbers, which are checked: finite, several, in several places."""
    if points.ndim != 2 or points.shape[1] < 3:
        axes = {1: "x alone", 2: "x and y alone"}.get(points.shape[-1] if points.ndim == 2 else 0, f"{points.shape}")
        raise CloudError(f"points have three coordinates; those of {path} have {axes}. Give a plane a z of 0.")
    if len(points) < MIN_POINTS:
        count = {0: "no point", 1: "one point"}[len(points)]
        raise CloudError(f"a cloud has {MIN_POINTS} points or more; {path} has {count}. Name another file.")
    if len(points) > MAX_POINTS:
        raise CloudError(f"a cloud has at most {MAX_POINTS:,} points; {path} has {len(points):,}. Thin it out first.")
    points = points[:, :3].astype(np.float64)
    wrong = ~np.isfinite(points).all(1)
    if wrong.any():
        raise CloudError(
            f"coordinates must be finite; {int(wrong.sum())} of {len(points)} points of {path} have NaN or infinity, "
            f"the first is point {int(wrong.argmax()) + 1}. Leave them out."
        )
    low, high = points.min(0), points.max(0)
    size = float((high - low).max())
    if size == 0:
        raise CloudError(f"all {len(points)} points of {path} lie in one place. Name another file.")
    far = np.abs((low + high) / 2).max() > FAR * size
    origin = np.round((low + high) / 2) if far and size > 1 else (low + high) / 2 if far else np.zeros(3)
    data = torch.from_numpy((points - origin).astype(np.float32).T.copy())[None]
    place = (float(origin[0]), float(origin[1]), float(origin[2]))
    return Cloud(data, unit, place, _faces(path, faces, len(points)), note)


def _faces(path: Path, faces: Array | None, count: int) -> Tensor | None:
    """Triangles as numbers of points; None where there are none, `ValueError` for points that are not there."""
    if faces is None or not len(faces):
        return None
    if faces.min() < 0 or faces.max() >= count:
        raise CloudError(
            f"faces name points of their file; {path} has {count} points and a face with point {int(faces.max()) + 1}. "
            "Get a fresh copy."
        )
    return torch.from_numpy(faces.astype(np.int64))


@contextmanager
def reading_errors(path: Path, noun: str) -> Iterator[None]:
    """Turns whatever is raised on broken bytes into a `ValueError` that names the file."""
    try:
        yield
    except (MemoryError, ImportError, CloudError):
        raise
    except Exception as error:
        reason = excerpt(str(error)).rstrip(".") or type(error).__name__
        raise CloudError(
            f"{path} cannot be read as {noun}: {reason}. Get a fresh copy, or check what it is."
        ) from error


def fans(polygons: list[list[int]]) -> Array:
    """Polygons as triangles around the first corner of each, `(faces, 3)`."""
    corners = [(one[0], one[k], one[k + 1]) for one in polygons for k in range(1, len(one) - 1)]
    return np.array(corners, dtype=np.int64).reshape(-1, 3)
