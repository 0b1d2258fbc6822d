"""Scans as signals: files of many formats become `(1, channel, *axes)`, and NIfTI again.

Axes stay in the order and the direction of the file, so that what is computed lies over the scan, voxel by voxel. An
affine says where that is: it takes voxel indices to places in the patient, towards the right, the front and the head
(RAS, as in NIfTI).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from wavelens.frontends.dicom import DICOM, is_dicom, read_series, series_bytes
from wavelens.frontends.scans.arrays import ARRAYS, check_axes, stored_array
from wavelens.frontends.scans.metaimage import METAIMAGE, stored_metaimage
from wavelens.frontends.scans.neuro import MGH, NIFTI, NO_UNIT, PAIRS, stored_mgh, stored_nifti, stored_pair
from wavelens.frontends.scans.nrrd import NRRD, stored_nrrd
from wavelens.frontends.scans.stored import Array, Stored
from wavelens.grid import Grid
from wavelens.optional import optional
from wavelens.untrusted import check_file

READERS: dict[tuple[str, ...], Callable[[Path], Stored]] = {
    NIFTI: stored_nifti,
    PAIRS: stored_pair,
    MGH: stored_mgh,
    METAIMAGE: stored_metaimage,
    NRRD: stored_nrrd,
}
SCANS = (*(suffix for suffixes in READERS for suffix in suffixes), *ARRAYS)
SUFFIXES = (*SCANS, *DICOM)
MILLIMETRES = {"mm": 1.0, "micron": 1e-3, "meter": 1e3}  # the units that a NIfTI header knows


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels `(1, channel, *axes)` with three axes, in float32, and where they lie.

    `affine`, 4 × 4 in float64, takes voxel indices to places in `unit`: 'mm', 'micron', 'meter', or 'voxel' where the
    file says nothing of places. `channels` names them, or is empty. `ValueError` for voxels that are not finite, fewer
    than three axes longer than 1, and an affine that is no map of the axes.
    """

    data: Tensor
    affine: Array
    unit: str = "mm"
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.data, Tensor):
            raise TypeError(
                f"voxels must be a tensor (1, channel, *axes); got {type(self.data).__name__}. Try torch.as_tensor."
            )
        if self.data.ndim != 5 or len(self.data) != 1 or min(self.data.shape[2:]) < 2:
            raise ValueError(
                "a volume must be (1, channel, *axes) with three axes of at least 2 voxels; got "
                f"{tuple(self.data.shape)}. A 2-D image goes to a model of images."
            )
        slices = (one for channel in self.data[0] for one in channel)  # one by one, which takes little memory
        if missing := sum(int((~one.isfinite()).sum()) for one in slices):
            raise ValueError(
                f"a volume's voxels must be finite; got NaN or infinity in {missing} of {self.data.numel()}. "
                "Fill or mask them first."
            )
        square = np.shape(self.affine) == (4, 4) and np.isfinite(self.affine).all()
        if not square or not all(self._steps() > 0) or np.linalg.matrix_rank(np.asarray(self.affine)[:3, :3]) < 3:
            raise ValueError(
                "an affine must be a finite 4 × 4 matrix that moves along every axis, each its own way; got "
                f"{np.array2string(np.asarray(self.affine), precision=4).replace(chr(10), '')}. "
                "Write the header anew, with the voxel spacing."
            )
        if self.unit not in (*MILLIMETRES, "voxel"):
            raise ValueError(f"unit must be 'voxel' or one of {', '.join(MILLIMETRES)}; got {self.unit!r}.")
        if len(self.channels) not in (0, self.data.shape[1]):
            raise ValueError(f"channels must name each of {self.data.shape[1]} channels; got {len(self.channels)}.")

    def _steps(self) -> Array:
        """The length of one voxel along each axis, in `unit`."""
        lengths: Array = np.linalg.norm(np.asarray(self.affine)[:3, :3], axis=0)
        return lengths

    @property
    def axes(self) -> tuple[int, ...]:
        return tuple(self.data.shape[2:])

    @property
    def spacing(self) -> tuple[float, ...] | None:
        """The distance between voxels along each axis in mm, or None where the file does not say."""
        if self.unit == "voxel":
            return None
        return tuple((self._steps() * MILLIMETRES[self.unit]).tolist())

    @property
    def names(self) -> tuple[str, ...]:
        """The channels' names, by number where they have none."""
        return self.channels or tuple(f"channel {k + 1}" for k in range(self.data.shape[1]))

    @property
    def grid(self) -> Grid:
        """Voxels in mm, and where they lie in the patient; or in voxels where the file does not say."""
        if self.spacing is None:
            return Grid.plain(3)
        scale = np.diag([MILLIMETRES[self.unit]] * 3 + [1.0])
        affine = tuple(tuple(map(float, row)) for row in scale @ np.asarray(self.affine))
        return Grid(self.spacing, ("mm",) * 3, affine=affine)

    def holding(self, data: Tensor) -> Volume:
        """Other values `(1, channel, *axes)` at the same place."""
        return replace(self, data=data, channels=())


class VolumeCost(NamedTuple):
    """What reading a file takes: memory in bytes, at most; and whether other files than itself are read."""

    memory_bytes: int
    detached: bool


def read_volume(path: str | PathLike[str], *, key: str | None = None, item: int | None = None) -> Volume:
    """The volume at `path`, a file of one of `SUFFIXES`, or a folder with the slices of one DICOM series.

    Values are as the file means them (its slope, intercept or lookup table applied, for CT Hounsfield units), not
    scaled. A fourth axis, the fifth beside a fourth of length 1, and the numbers of a voxel (colours, vectors) become
    channels. An array is `(*axes)` or `(channel, *axes)`; `key` names one of several in an .npz file. `item` takes one
    of several volumes of a stack: along an array's first axis or another file's fourth. A NIfTI header without a unit
    means mm, except in a file that `write_volume` made from a volume in voxels. Whether a file is gzipped is determined
    by its content, not by its name.

    The header is compared with the size of the file before anything is decompressed. A path without a file is a
    `FileNotFoundError`; what is no intact volume, or does not fit into memory, is a `ValueError`; a missing package an
    `ImportError`. Nothing is unpickled.

    >>> import numpy
    >>> numpy.save("scan.npy", numpy.zeros((4, 5, 6), dtype="float32"))
    >>> wl.frontends.read_volume("scan.npy").data.shape
    torch.Size([1, 1, 4, 5, 6])
    """
    path = Path(path)
    _check_there(path)
    if key is not None and not path.name.lower().endswith(".npz"):
        raise ValueError(
            f"key must name an array of an .npz file; got {key!r} for {path}, which holds one array. Drop it."
        )
    if _is_series(path):
        if item is not None:
            raise ValueError(f"item takes one volume of a stack; got {item} for {path}, a DICOM series. Drop it.")
        return _volume(path, *read_series(path))
    stored = _stored(path, key)
    if path.name.lower().endswith(ARRAYS):
        check_axes(stored, item)
    voxels = stored.read(item)
    return _volume(path, voxels if voxels.ndim == 4 else voxels[None], stored.affine, stored.unit)


def volume_cost(path: str | PathLike[str]) -> VolumeCost:
    """What `read_volume(path)` would take, by the header of the file alone; raises what that raises of a header.

    A number that is stored in more than 4 bytes counts with all of them, and so does what stands before the voxels,
    such as extensions of a header.
    """
    path = Path(path)
    _check_there(path)
    if _is_series(path):
        return VolumeCost(series_bytes(path), path.is_dir())
    stored = _stored(path, None)
    return VolumeCost(stored.memory_bytes, stored.detached)


def _is_series(path: Path) -> bool:
    """Whether a path is a folder or a DICOM file; voxels of an .img file may begin like one."""
    return path.is_dir() or (is_dicom(path) and not path.name.lower().endswith(SCANS))


def _stored(path: Path, key: str | None) -> Stored:
    """What the header of a file says."""
    if path.name.lower().endswith(ARRAYS):
        return stored_array(path, key)
    read = next((read for suffixes, read in READERS.items() if path.name.lower().endswith(suffixes)), None)
    if read is None:
        raise ValueError(f"a volume must be {', '.join(SUFFIXES)} or a folder of DICOM slices; got {path}.")
    return read(path)


def channel_axis(path: Path) -> int:
    """How long the fourth axis is that is taken for channels; 1 where the file at `path` has three.

    >>> import numpy
    >>> from wavelens.frontends.volume import channel_axis
    >>> numpy.save("scan.npy", numpy.zeros((2, 4, 5, 6), dtype="float32"))
    >>> channel_axis(Path("scan.npy"))
    2
    """
    if _is_series(path):
        return 1
    shape = _stored(path, None).shape
    return shape[0] if len(shape) > 3 else 1


def write_volume(path: str | PathLike[str], volume: Volume) -> None:
    """Writes a NIfTI file (.nii or .nii.gz) that lies where `volume` says; several channels go along a fourth axis.

    `read_volume` gives back the same voxels, affine and unit.

    >>> volume = wl.frontends.Volume(torch.zeros(1, 1, 4, 5, 6), torch.eye(4).numpy())
    >>> wl.frontends.write_volume("scan.nii.gz", volume)
    >>> wl.frontends.read_volume("scan.nii.gz").data.shape
    torch.Size([1, 1, 4, 5, 6])
    """
    if not isinstance(volume, Volume):
        raise TypeError(
            f"write_volume takes a Volume, which knows its place; got {type(volume).__name__}. Wrap it in one."
        )
    if not Path(path).name.lower().endswith(NIFTI):
        raise ValueError(f"a volume must be written to a file ending in .nii or .nii.gz; got {path}.")
    nibabel = optional("nibabel", "medical")
    voxels = volume.data[0].detach().float().cpu().movedim(0, -1).numpy()
    image = nibabel.Nifti1Image(voxels[..., 0] if voxels.shape[-1] == 1 else voxels, volume.affine)
    image.header.set_xyzt_units("unknown" if volume.unit == "voxel" else volume.unit)
    if volume.unit == "voxel":
        image.header["descrip"] = NO_UNIT
    image.set_qform(volume.affine, int(image.header["sform_code"]))
    if not np.allclose(image.get_qform(), volume.affine, atol=1e-4):  # a shear fits into the sform alone
        image.set_qform(volume.affine, 0)
    nibabel.save(image, str(path))


def _check_there(path: Path) -> None:
    if not path.is_dir():
        check_file(path, "volume")


def _volume(path: Path, voxels: Array, affine: Array, unit: str = "mm") -> Volume:
    """The volume of voxels `(channel, *axes)` in float32; its errors name the file."""
    try:
        return Volume(torch.from_numpy(voxels)[None], affine, unit)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
