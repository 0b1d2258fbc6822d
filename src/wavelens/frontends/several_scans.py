"""Several scans of one body as one volume, a channel per file: the sequences of an MR examination, PET beside CT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wavelens.frontends.joined import joined_files, joined_names
from wavelens.frontends.scans.stored import Array
from wavelens.frontends.volume import Volume, read_volume

SAME_PLACE = 0.01  # of a voxel, which rounding in headers does not reach
SLAB_LENGTH = 16  # planes that are resampled at a time


def read_scans(path: str | PathLike[str], *, resample: bool = False) -> Volume:
    """The volume at `path`, or at several paths written with commas: each file is then a channel, named after it.

    All files have the shape of the first and lie where it lies, or `ValueError` says which differs and by how much;
    `resample` brings the others to its voxels by linear interpolation, 0 where they do not reach. Each file of several
    has one channel. Other errors are those of `read_volume`.

    >>> import numpy
    >>> for name in ("case_t1", "case_flair"):
    ...     numpy.save(f"{name}.npy", numpy.zeros((4, 5, 6), dtype="float32"))
    >>> volume = wl.frontends.read_scans("case_t1.npy,case_flair.npy")
    >>> volume.data.shape, volume.channels
    (torch.Size([1, 2, 4, 5, 6]), ('t1', 'flair'))
    """
    files = joined_files(Path(path))
    if len(files) == 1:
        return read_volume(path)
    _check_files(files, str(path))
    first = _one_channel(files[0])
    others = [_at_place_of(first, files[0], _one_channel(file), file, resample) for file in files[1:]]
    return replace(first, data=torch.cat([one.data for one in (first, *others)], 1), channels=joined_names(files))


def resampled(volume: Volume, like: Volume) -> Volume:
    """The values of a volume at the voxels of another, by linear interpolation; 0 where it does not reach.

    >>> a = wl.frontends.Volume(torch.arange(64.0).reshape(1, 1, 4, 4, 4), torch.eye(4).numpy())
    >>> wl.frontends.several_scans.resampled(a, a).data.equal(a.data)
    True
    """
    to_own = np.linalg.inv(volume.affine) @ like.affine
    planes = torch.arange(like.axes[0]).split(SLAB_LENGTH)
    return replace(like, data=torch.cat([_interpolated(volume, like, to_own, rows) for rows in planes], 2), channels=())


def _interpolated(volume: Volume, like: Volume, to_own: Array, rows: Tensor) -> Tensor:
    """The values of `volume` in some planes of `like`, whose voxels `to_own` takes to its own."""
    lines = [rows, *(torch.arange(n) for n in like.axes[1:])]
    index = torch.stack(torch.meshgrid(*lines, indexing="ij"), -1).double()
    own = index @ torch.from_numpy(to_own[:3, :3]).T + torch.from_numpy(to_own[:3, 3])
    ends = torch.tensor(volume.axes, dtype=torch.float64) - 1
    grid = (2 * own / ends - 1).flip(-1)[None].to(volume.data.dtype)  # the last axis comes first there
    return torch.nn.functional.grid_sample(volume.data, grid, align_corners=True)


def _check_files(files: Sequence[Path], text: str) -> None:
    if any(str(file) in ("", ".") for file in files):
        raise ValueError(
            f"several files of one input must be separated by single commas; got {text!r}. Leave none empty."
        )
    if twice := next((file for k, file in enumerate(files) if file in files[:k]), None):
        raise ValueError(f"the files of one input differ; {twice} is named twice. Name each channel's own file.")


def _one_channel(file: Path) -> Volume:
    volume = read_volume(file)
    if volume.data.shape[1] != 1:
        raise ValueError(
            f"each file of several is one channel; {file} has {volume.data.shape[1]} along its fourth axis. Name it "
            "alone, or save the one that is meant."
        )
    return volume


def _at_place_of(first: Volume, first_file: Path, volume: Volume, file: Path, resample: bool) -> Volume:
    difference = _difference(first, volume, first_file, file)
    if not difference:
        return volume
    if not resample or first.unit != volume.unit or "voxel" in (first.unit, volume.unit):
        remedy = "Register them and resample to one grid, or ask for it in the model's preparation: resample=True."
        raise ValueError(f"the files of one input have one grid; {difference}. {remedy}")
    return resampled(volume, first)


def _difference(first: Volume, volume: Volume, first_file: Path, file: Path) -> str:
    """How the grids of two files differ; empty where they do not."""
    if volume.axes != first.axes:
        own, expected = (" × ".join(map(str, one.axes)) for one in (volume, first))
        return f"{file} has {own} voxels and {first_file} {expected}"
    if volume.unit != first.unit:
        return f"distances in {file} are in {volume.unit} and those in {first_file} in {first.unit}"
    steps = [np.linalg.norm(one.affine[:3, :3], axis=0) for one in (volume, first)]
    if np.abs(steps[0] - steps[1]).max() > SAME_PLACE * steps[1].min():
        own, expected = (" × ".join(f"{step:.4g}" for step in one) for one in steps)
        return f"{file} has voxels of {own} {first.unit} and {first_file} of {expected}"
    off = _largest_distance(first, volume)
    if off > SAME_PLACE * steps[1].min():
        return f"{file} lies elsewhere than {first_file}, up to {off:.4g} {first.unit} away"
    return ""


def _largest_distance(first: Volume, volume: Volume) -> float:
    """The largest distance between corresponding corners of two volumes with the same axes."""
    corners = np.stack(np.meshgrid(*((0, n - 1) for n in first.axes), indexing="ij")).reshape(3, -1)
    moved = volume.affine - first.affine
    return float(np.linalg.norm(moved[:3, :3] @ corners + moved[:3, 3:], axis=0).max())
