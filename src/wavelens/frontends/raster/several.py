"""One scene in several files of a band each, as Sentinel-2 and Landsat come: together, or by resolution."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from wavelens.frontends.raster.raster import RasterError, RasterFile, RasterHeader, Transform

SEPARATORS = re.compile(r"[_\-. ]")
MISPLACED = 0.5  # of a pixel of the finest band, that corners may differ by


def joined(path: Path, files: Sequence[RasterFile]) -> RasterFile:
    """The bands of all files on the grid of the finest, pixels of the others repeated; `path` is what they lie in.

    `RasterError` unless they have one system and the same corners.
    """
    finest = max(files, key=lambda one: one.header.size)
    for one in files:
        check_place(path, finest.header, one)
    names = band_names([one.path for one in files])
    own = tuple(_step(one.header) for one in files)
    header = replace(finest.header, bands=names, own_spacing=own if len(set(own)) > 1 and all(own) else ())
    return RasterFile(path, header, partial(_read, tuple(files), finest.header.size))


def by_resolution(path: Path, files: Sequence[RasterFile]) -> dict[str, RasterFile]:
    """The bands of each resolution as a raster of its own, the finest first, by name: 'm10', 'm20', 'm60'.

    `path` is what all lie in; `RasterError` unless they lie on one piece of ground.
    """
    finest = max(files, key=lambda one: one.header.size)
    for one in files:
        check_place(path, finest.header, one)
    names = band_names([one.path for one in files])
    parts = {}
    for size in sorted({one.header.size for one in files}, reverse=True):
        group = [(name, one) for name, one in zip(names, files, strict=True) if one.header.size == size]
        header = replace(group[0][1].header, bands=tuple(name for name, _ in group))
        reader = partial(_read, tuple(one for _, one in group), size)
        parts[_name(header)] = RasterFile(path, header, reader)
    return parts


def band_names(paths: Sequence[Path]) -> tuple[str, ...]:
    """What differs in the names of files: 'B02', 'B8A' of 'T35_B02.tif' and 'T35_B8A.tif'."""
    stems = [path.name.partition(".")[0] for path in paths]
    common = _common_start(stems)
    cut = max((match.end() for match in SEPARATORS.finditer(common)), default=0)
    return tuple(stem[cut:] or stem for stem in stems)


def _common_start(texts: Sequence[str]) -> str:
    """The letters with which all begin."""
    alike = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*texts, strict=False))
    return "".join(letters[0] for letters in alike)


def is_one_scene(files: Sequence[RasterFile]) -> bool:
    """Whether files of a band each lie on one piece of ground, and are told apart by the ends of their names."""
    if any(len(one.header.bands) != 1 or one.header.transform is None for one in files):
        return False
    stems = [one.path.name.partition(".")[0] for one in files]
    finest = max(files, key=lambda one: one.header.size).header
    return bool(SEPARATORS.search(_common_start(stems))) and all(same_ground(finest, one.header) for one in files)


def check_place(path: Path, finest: RasterHeader, one: RasterFile) -> None:
    """`RasterError` for a file that lies elsewhere than the finest of its scene."""
    if not same_ground(finest, one.header):
        raise RasterError(
            f"files of one scene lie on the same ground; {one.path.name} in {path} has other corners or another "
            "system. Warp it onto the others, or name the files one by one."
        )


def same_ground(finest: RasterHeader, own: RasterHeader) -> bool:
    """Whether two rasters have the same corners in the same system, but for half a pixel of the first."""
    if own.crs != finest.crs or (own.transform is None) != (finest.transform is None):
        return False
    if own.transform is None or finest.transform is None:
        return own.size == finest.size
    allowed = MISPLACED * max(abs(part) for part in (*finest.transform[:2], *finest.transform[3:5]))
    pairs = zip(_corners(own.transform, own.size), _corners(finest.transform, finest.size), strict=True)
    return all(abs(a - b) <= allowed for a, b in pairs)


def _corners(transform: Transform, size: tuple[int, int]) -> list[float]:
    a, b, c, d, e, f = transform
    rows, columns = size
    return [c, f, a * columns + b * rows + c, d * columns + e * rows + f]


def _step(header: RasterHeader) -> float:
    return header.spacing[0] if header.spacing else 0.0


def _name(header: RasterHeader) -> str:
    """An identifier, since a model of several signals is called with them by name."""
    step = f"{_step(header):g}".replace(".", "_")
    return f"m{step}" if header.spacing else f"px{header.size[0]}"


def _read(files: tuple[RasterFile, ...], size: tuple[int, int], rows: slice, columns: slice) -> Tensor:
    return torch.cat([_repeated(one.reader, one.header.size, size, (rows, columns)) for one in files])


def _repeated(
    reader: Callable[[slice, slice], Tensor], own: tuple[int, int], size: tuple[int, int], part: tuple[slice, slice]
) -> Tensor:
    """A part of the finest grid, each pixel that of the coarser band in which its centre lies."""
    places = [
        ((torch.arange(piece.start, piece.stop) + 0.5) * (n / full)).floor().long()
        for piece, n, full in zip(part, own, size, strict=True)
    ]
    down, across = (slice(int(one[0]), int(one[-1]) + 1) for one in places)
    return reader(down, across)[:, places[0] - down.start][..., places[1] - across.start]
