"""Scans as signals: NIfTI, NumPy arrays and DICOM series become `(1, channel, *axes)`, and NIfTI again.

Axes stay in the order and the direction of the file, so that what is computed lies over the scan, voxel by voxel. An
affine says where that is: it takes voxel indices to places in the patient, towards the right, the front and the head
(RAS, as in NIfTI).
"""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wavelens.frontends import dicom
from wavelens.grid import Grid
from wavelens.optional import optional

Array = NDArray[Any]

NIFTI = (".nii", ".nii.gz")
ARRAYS = (".npy", ".npz")
SUFFIXES = (*NIFTI, *ARRAYS)
NO_UNIT = b"wavelens: distances in voxels"  # the description of a NIfTI file whose spacing is not known
MILLIMETRES = {"mm": 1.0, "micron": 1e-3, "meter": 1e3}  # the units that a NIfTI header knows


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels `(1, channel, *axes)` with three axes, in float32, and where they lie.

    `affine`, 4 × 4 in float64, takes voxel indices to places in `unit`: 'mm', 'micron', 'meter', or 'voxel' where the
    file says nothing of places. `ValueError` for voxels that are not finite, fewer than three axes longer than 1, and
    an affine that is no map of the axes.
    """

    data: Tensor
    affine: Array
    unit: str = "mm"

    def __post_init__(self) -> None:
        if not isinstance(self.data, Tensor):
            raise TypeError(
                f"voxels are a tensor (1, channel, *axes); got {type(self.data).__name__}. Try torch.as_tensor."
            )
        if self.data.ndim != 5 or len(self.data) != 1 or min(self.data.shape[2:]) < 2:
            raise ValueError(
                f"a volume is (1, channel, *axes) with three axes of at least 2 voxels; got {tuple(self.data.shape)}. "
                "A 2-D image goes to a model of images."
            )
        if missing := int((~self.data.isfinite()).sum()):
            raise ValueError(
                f"a volume's voxels are finite; got NaN or infinity in {missing} of {self.data.numel()}. "
                "Fill or mask them first."
            )
        square = np.shape(self.affine) == (4, 4) and np.isfinite(self.affine).all()
        if not square or not all(self._steps() > 0) or np.linalg.matrix_rank(np.asarray(self.affine)[:3, :3]) < 3:
            raise ValueError(
                "an affine is a finite 4 × 4 matrix that moves along every axis, each its own way; got "
                f"{np.array2string(np.asarray(self.affine), precision=4).replace(chr(10), '')}. "
                "The header is damaged, or the file was written without one: give the voxel spacing."
            )
        if self.unit not in (*MILLIMETRES, "voxel"):
            raise ValueError(f"unit is 'voxel' or one of {', '.join(MILLIMETRES)}; got {self.unit!r}.")

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
    def grid(self) -> Grid:
        """Voxels in mm, or in voxels where the file does not say."""
        return Grid.plain(3) if self.spacing is None else Grid(self.spacing, ("mm",) * 3)


def read_volume(path: str | PathLike[str], *, key: str | None = None, item: int | None = None) -> Volume:
    """The volume at `path`: a NIfTI file, an array (.npy, .npz) or a folder with the slices of one DICOM series.

    Values are as the file means them (its slope and intercept applied, for CT Hounsfield units), not scaled. A NIfTI
    file's fourth axis, the fifth beside a fourth of length 1, and the colours of RGB voxels become channels. An array
    is `(*axes)` or `(channel, *axes)`; `key` names one of several in an .npz file. `item` takes one of several
    volumes of a stack: along an array's first axis or a NIfTI file's fourth. A NIfTI header without a unit means mm,
    but in a file that `write_volume` made of a volume in voxels.

    A path without a file is a `FileNotFoundError`; what is no intact volume is a `ValueError`; a missing package an
    `ImportError`. Nothing is unpickled.
    """
    path = Path(path)
    _check_there(path)
    if path.is_dir():
        voxels, affine = dicom.read_series(path)
        return _volume(path, voxels[None], affine)
    if path.name.lower().endswith(NIFTI):
        return _read_nifti(path, item)
    if path.suffix.lower() in ARRAYS:
        return _volume(path, _channels_first(path, _array(path, key), item), np.eye(4), "voxel")
    raise ValueError(f"a volume is {', '.join(SUFFIXES)} or a folder of DICOM slices; got {path}.")


def write_volume(path: str | PathLike[str], volume: Volume) -> None:
    """Writes a NIfTI file (.nii or .nii.gz) that lies where `volume` says; several channels go along a fourth axis.

    `read_volume` gives back the same voxels, affine and unit.
    """
    if not isinstance(volume, Volume):
        raise TypeError(f"a Volume, which knows its place, is written; got {type(volume).__name__}. Wrap it in one.")
    if not Path(path).name.lower().endswith(NIFTI):
        raise ValueError(f"a volume is written to a file ending in .nii or .nii.gz; got {path}.")
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
    if not path.exists():
        raise FileNotFoundError(f"no such volume: {path}. Check the spelling of the path.")
    if path.is_file() and path.stat().st_size == 0:
        raise ValueError(f"a volume has bytes; got the empty file {path}. Get a fresh copy.")


def _volume(path: Path, voxels: Array, affine: Array, unit: str = "mm") -> Volume:
    """The volume of voxels `(channel, *axes)`; its errors name the file."""
    if voxels.dtype.kind not in "buif":
        raise ValueError(f"voxels are numbers; got {voxels.dtype} in {path}.")
    try:
        return Volume(torch.from_numpy(np.ascontiguousarray(voxels, dtype=np.float32))[None], affine, unit)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


# NIfTI.


def _read_nifti(path: Path, item: int | None) -> Volume:
    nibabel = optional("nibabel", "medical")
    try:
        with _unheard(nibabel.imageglobals.logger):  # what it notes of a header is judged here
            image = nibabel.load(path)
            _check_spacing(image)
            voxels = np.asanyarray(image.dataobj)
            affine, unit = np.asarray(image.affine, dtype=np.float64), image.header.get_xyzt_units()[0]
            usual = "voxel" if image.header["descrip"].item() == NO_UNIT else "mm"
    except Exception as error:  # nibabel, zlib and NumPy raise anything on broken bytes
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{path} could not be read as NIfTI: {reason}. The file is damaged; get a fresh copy."
        ) from error
    if voxels.dtype.names:  # RGB
        voxels = np.stack([voxels[name] for name in voxels.dtype.names], -1)
    return _volume(path, _channels_last(path, voxels, item), affine, usual if unit == "unknown" else unit)


@contextmanager
def _unheard(logger: logging.Logger) -> Iterator[None]:
    """A logger that says nothing; nibabel's own way takes its handlers, and then Python's last one speaks."""
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _check_spacing(image: Any) -> None:
    """A header without sform has spacings; nibabel takes 1 mm for what is 0, and says so in its log alone."""
    with image.file_map["image"].get_prepare_fileobj("rb") as file:
        stored = type(image.header).from_fileobj(file, check=False)
    if int(stored["sform_code"]) == 0 and not (np.abs(stored["pixdim"][1:4]) > 0).all():
        raise ValueError(f"its spacing is {stored['pixdim'][1:4].tolist()} mm")


def _channels_last(path: Path, voxels: Array, item: int | None) -> Array:
    """NIfTI's `(i, j, k[, 1][, channel])` as `(channel, i, j, k)`."""
    while voxels.ndim > 4 and voxels.shape[3] == 1:
        voxels = voxels.squeeze(3)
    if voxels.ndim not in (3, 4):
        raise ValueError(
            f"a NIfTI volume has three axes, or four with the channels last; got {voxels.shape} in {path}. "
            "A 2-D image goes to a model of images."
        )
    channels = np.moveaxis(voxels, 3, 0) if voxels.ndim == 4 else voxels[None]
    return channels if item is None else _taken(path, channels, item)[None]


# Arrays.


def _array(path: Path, key: str | None) -> Array:
    try:
        found = np.load(path, allow_pickle=False)
        arrays = found if path.suffix.lower() == ".npz" else {"": found}
        keys = list(arrays)
        if path.suffix.lower() == ".npz" and key is None and len(keys) == 1:
            key = keys[0]
        if (key or "") in keys:
            array: Array = arrays[key or ""]
            return array
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} holds no array that can be read without pickle: {reason}.") from error
    if "" in keys:
        raise ValueError(f"key names an array of an .npz file; got {key!r} for {path}, which holds one array. Drop it.")
    wanted = f"got {key!r}" if key else "name one of them, read_volume(path, key=…), or save it alone"
    raise ValueError(f"key is one of {', '.join(keys) or 'none'} in {path}; {wanted}.")


def _channels_first(path: Path, array: Array, item: int | None) -> Array:
    """`(*axes)` or `(channel, *axes)`, of one item if there are several, as `(channel, *axes)`."""
    one = array if item is None else _taken(path, array, item)
    if one.ndim not in (3, 4):
        hint = "item takes one volume of a stack." if one.ndim == 5 else "A 2-D image goes to a model of images."
        raise ValueError(
            f"an array is a volume (*axes) or (channel, *axes) with three axes; got {one.shape} in {path}. {hint}"
        )
    return one if one.ndim == 4 else one[None]


def _taken(path: Path, stack: Array, item: int) -> Array:
    if stack.ndim == 0 or not -len(stack) <= item < len(stack):
        count = len(stack) if stack.ndim else 0
        raise ValueError(f"item is one of {count} volumes in {path}; got {item}.")
    one: Array = stack[item]
    return one
