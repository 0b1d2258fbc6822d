"""Clouds by the suffix of their files: how each format is read, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from torch import Tensor

from wavelens.frontends.clouds.arrays import ARRAYS, array_points, is_array_of_points, read_array
from wavelens.frontends.clouds.cloud import Cloud
from wavelens.frontends.clouds.lidar import LIDAR, lidar_points, read_lidar
from wavelens.frontends.clouds.meshes import OBJ, OFF, STL, read_obj, read_off, read_stl
from wavelens.frontends.clouds.ply import PLY, ply_points, read_ply, write_ply
from wavelens.frontends.clouds.tables import TABLES, TEXTS, is_table_of_points, read_points
from wavelens.untrusted import check_file

BYTES_PER_POINT = 6  # of text: three digits and what separates them
NUMBERS_PER_POINT = 12  # of 4 bytes, while a file is read: coordinates in double precision, twice


def by_length(path: Path) -> int:
    """No more points than a text of this length has."""
    return path.stat().st_size // BYTES_PER_POINT + 1


def surely(path: Path) -> bool:
    """The suffix is that of clouds alone."""
    return True


@dataclass(frozen=True)
class Format:
    """How files of a format are read; `points` bounds how many there are, `holds` says whether a file is a cloud."""

    suffixes: tuple[str, ...]
    read: Callable[[Path], Cloud]
    points: Callable[[Path], int] = by_length
    holds: Callable[[Path], bool] = surely


FORMATS = (
    Format(PLY, read_ply, ply_points),
    Format(OBJ, read_obj),
    Format(OFF, read_off),
    Format(STL, read_stl),
    Format(TEXTS, read_points),
    Format(LIDAR, read_lidar, lidar_points),
    Format(TABLES, read_points, holds=is_table_of_points),
    Format(ARRAYS, read_array, array_points, is_array_of_points),
)
SUFFIXES = tuple(suffix for form in FORMATS for suffix in form.suffixes)


def read_cloud(path: str | PathLike[str]) -> Cloud:
    r"""The cloud at `path`: its points in float32, from an origin near them where they lie far from 0.

    PLY, OBJ, OFF and STL meshes are read by their vertices; .xyz, .pts, .asc and .csv are text with three columns, or
    columns called x, y and z, whose names may hold a unit, `x (m)`; .npy and .npz hold `(points, 3)` or `(3, points)`.
    LAS and LAZ need the extra `points`; feet become metres where the file's coordinate system says so, and `note` tells
    it. Other formats say no unit, but a PLY file that `write_cloud` wrote.

    A path without a file is a `FileNotFoundError`; damage, fewer than two points, points that are all in one place or
    have no third coordinate, NaN and infinity are a `ValueError`; a missing package is an `ImportError`.

    >>> from pathlib import Path
    >>> _ = Path("corner.xyz").write_text("0 0 0\n1 0 0\n0 2 0\n0 0 3\n")
    >>> cloud = wl.frontends.read_cloud("corner.xyz")
    >>> cloud.data.shape, cloud.data[0, :, -1].tolist()
    (torch.Size([1, 3, 4]), [0.0, 0.0, 3.0])
    """
    path = Path(path)
    return _format(path).read(path)


def write_cloud(path: str | PathLike[str], cloud: Cloud, values: Mapping[str, Tensor] | None = None) -> None:
    """Write a cloud as PLY with its faces, its unit, and `values` per point, `(points,)` each by name.

    `red`, `green` and `blue`, whole numbers from 0 to 255, are the colours that viewers show.

    >>> wl.frontends.write_cloud("two.ply", wl.frontends.Cloud(torch.eye(3)[None, :, :2], unit="m"))
    >>> wl.frontends.read_cloud("two.ply").unit
    'm'
    """
    path = Path(path)
    if path.suffix.lower() not in PLY:
        raise ValueError(f"a cloud must be written as .ply; got {path.name!r}.")
    write_ply(path, cloud, values)


def cloud_cost(path: Path) -> int:
    """What reading takes in numbers of 4 bytes, by the header or by the length of a text."""
    return NUMBERS_PER_POINT * _format(path).points(path)


def is_cloud(path: Path) -> bool:
    """Whether a file is a cloud, where other signals have files with the same suffix: arrays and tables."""
    form = next((form for form in FORMATS if path.name.lower().endswith(form.suffixes)), None)
    return form is not None and form.holds(path)


def clouds_inside(folder: Path) -> list[Path]:
    """The clouds in a folder."""
    return sorted(path for path in folder.iterdir() if path.is_file() and is_cloud(path))


def _format(path: Path) -> Format:
    check_file(path, "cloud")
    for form in FORMATS:
        if path.name.lower().endswith(form.suffixes):
            return form
    raise ValueError(f"a cloud must be a file ending in {', '.join(SUFFIXES)}; got {path}. Rename or convert it.")
