"""NIfTI, Analyze and MGH files, whose headers nibabel reads; extensions of a header are passed over."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from wavelens.frontends.scans.sources import FileSource
from wavelens.frontends.scans.stored import Stored, damaged, decoding_errors, layout
from wavelens.optional import optional

NIFTI = (".nii", ".nii.gz")
PAIRS = (".hdr", ".img", ".hdr.gz", ".img.gz")
MGH = (".mgh", ".mgz")
NO_UNIT = b"wavelens: distances in voxels"  # the description of a NIfTI file whose spacing is not known
HEADER_BYTES = 540  # of NIfTI-2, the longest
ANALYZE_BYTES = 348  # of Analyze and NIfTI-1, and no MGH file is shorter
MGH_BYTES = 90
SIZES = tuple(size.to_bytes(4, order) for size in (ANALYZE_BYTES, HEADER_BYTES) for order in ("little", "big"))


def stored_nifti(path: Path) -> Stored:
    """The voxels of a single NIfTI-1 or NIfTI-2 file, `(channel, i, j, k)`, gzipped or not."""
    source = FileSource.sniffed(path)
    raw = _head(path, source, SIZES, "a NIfTI file begins with the size of its header, 348 or 540")
    image = _nifti_image(raw, "n+")
    if image is None:
        raise ValueError(
            f"a NIfTI file has n+1 or n+2 in its header; {path} has {raw[344:347]!r}. Is it half of a pair?"
        )
    return _of_nifti(path, source, image, raw)


def stored_pair(path: Path) -> Stored:
    """The voxels of a header and an image file, NIfTI or Analyze 7.5, `(channel, i, j, k)`; `path` is either of both.

    Analyze stores no orientation: as in nibabel it is radiological, unless SPM's origin or `.mat` file says otherwise.
    """
    header, data = _partner(path, "hdr"), FileSource.sniffed(_partner(path, "img"))
    raw = _head(header, FileSource.sniffed(header), SIZES, "a .hdr file begins with the size of its header, 348 or 540")
    image = _nifti_image(raw, "ni")
    return _of_analyze(path, header, data, raw) if image is None else _of_nifti(path, data, image, raw)


def stored_mgh(path: Path) -> Stored:
    """The voxels of a FreeSurfer file, `(channel, i, j, k)`, gzipped or not."""
    source = FileSource.sniffed(path)
    raw = _head(path, source, (b"\0\0\0\x01",), "an MGH file begins with version 1")
    header = _header(path, optional("nibabel.freesurfer.mghformat", "medical").MGHImage, raw[:MGH_BYTES])
    with _nibabel_errors(path):
        return _stored(path, source, header, header.get_affine(), "mm")


def _head(path: Path, source: FileSource, beginnings: tuple[bytes, ...], expected: str) -> bytes:
    """The bytes of a header, which has one of the `beginnings`."""
    with decoding_errors(path):
        raw = source.head(HEADER_BYTES)
    if raw[:4] not in beginnings:
        raise ValueError(f"{expected}; {path} begins with {raw[:8]!r}. Is it another format?")
    if len(raw) < ANALYZE_BYTES:
        raise damaged(path, f"its header ends after {len(raw)} bytes")
    return raw


def _nifti_image(raw: bytes, kind: str) -> Any:
    """The class of nibabel for a NIfTI header; `kind` is 'n+' for one file, 'ni' for a pair; None for other headers."""
    nibabel = optional("nibabel", "medical")
    classes = {
        (b"n+1", "n+"): nibabel.Nifti1Image,
        (b"ni1", "ni"): nibabel.Nifti1Pair,
        (b"n+2", "n+"): nibabel.Nifti2Image,
        (b"ni2", "ni"): nibabel.Nifti2Pair,
    }
    return classes.get((raw[344:347], kind)) or classes.get((raw[4:7], kind))


def _of_nifti(path: Path, data: FileSource, image: Any, raw: bytes) -> Stored:
    raw = raw[: image.header_class.template_dtype.itemsize]
    header = _header(path, image, raw)
    _check_spacing(path, image.header_class(raw, check=False))
    with _nibabel_errors(path):
        unit = header.get_xyzt_units()[0]
        usual = "voxel" if header["descrip"].item() == NO_UNIT else "mm"
        return _stored(path, data, header, header.get_best_affine(), usual if unit == "unknown" else unit)


def _of_analyze(path: Path, header: Path, data: FileSource, raw: bytes) -> Stored:
    nibabel = optional("nibabel", "medical")
    kinds = (nibabel.Spm2AnalyzeImage, nibabel.Spm99AnalyzeImage, nibabel.AnalyzeImage)
    image = next((kind for kind in kinds if kind.header_class.may_contain_header(raw)), kinds[-1])
    parsed = _header(path, image, raw[:ANALYZE_BYTES])
    with _nibabel_errors(path):
        affine = parsed.get_best_affine()
        matrix = header.with_name(header.name.split(".hdr")[0] + ".mat")
        if matrix.is_file():
            holders = {"header": header, "image": data.path, "mat": matrix}
            affine = image.from_file_map({k: nibabel.FileHolder(str(file)) for k, file in holders.items()}).affine
        return _stored(path, data, parsed, affine, "mm")


def _header(path: Path, image: Any, raw: bytes) -> Any:
    with _nibabel_errors(path):
        return image.header_class(raw)


def _stored(path: Path, source: FileSource, header: Any, affine: Any, unit: str) -> Stored:
    dtype, shape = header.get_data_dtype(), tuple(int(n) for n in header.get_data_shape())
    slope, intercept = header.get_slope_inter()
    while len(shape) > 4 and shape[3] == 1:
        shape = shape[:3] + shape[4:]
    components = len(dtype.names or "1")  # colours
    sizes, order = layout(path, shape, components)
    return Stored(
        path,
        source,
        dtype[0] if dtype.names else dtype,
        sizes,
        order,
        int(header.get_data_offset()),
        1.0 if slope is None else float(slope),
        0.0 if intercept is None else float(intercept),
        np.asarray(affine, dtype=np.float64),
        unit,
        path.name.lower().endswith(PAIRS),
    )


def _check_spacing(path: Path, header: Any) -> None:
    """A header without sform has spacings; nibabel takes 1 mm for what is 0, and says so in its log alone."""
    if int(header["sform_code"]) == 0 and not (np.abs(header["pixdim"][1:4]) > 0).all():
        raise ValueError(
            f"{path} does not say how far apart its voxels lie: its spacing is {header['pixdim'][1:4].tolist()} mm. "
            "Write its header anew."
        )


def _partner(path: Path, part: str) -> Path:
    """The header ('hdr') or the image ('img') of a pair, gzipped or not."""
    base = re.sub(r"\.(hdr|img)(\.gz)?$", "", path.name, flags=re.IGNORECASE)
    if re.search(rf"\.{part}(\.gz)?$", path.name, re.IGNORECASE):
        return path
    names = [f"{base}.{part}{end}" for end in ("", ".gz")]
    names += [name.upper() for name in names]
    partner = next((path.with_name(name) for name in names if path.with_name(name).is_file()), None)
    if partner is None:
        raise ValueError(f"a volume in two files has its .hdr and its .img side by side; {path} has no {names[0]}.")
    return partner


@contextmanager
def _nibabel_errors(path: Path) -> Iterator[None]:
    """Silences nibabel's notes on a header; what it cannot accept is a `ValueError` that names the file."""
    nibabel = optional("nibabel", "medical")
    logger: logging.Logger = nibabel.imageglobals.logger
    before, logger.disabled = logger.disabled, True  # its own way takes its handlers, and then Python's last one speaks
    try:
        yield
    except (ImportError, OSError):
        raise
    except Exception as error:  # nibabel and NumPy raise anything on broken bytes
        if str(path) in str(error):  # it is judged already
            raise
        if "supported" in str(error):
            raise ValueError(
                f"{path} has voxels of a type that nibabel does not read: {error}. Save float32."
            ) from error
        raise damaged(path, str(error)) from error
    finally:
        logger.disabled = before
