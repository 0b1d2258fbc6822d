"""Which files are DICOM, by their content, and what stands in them."""

from __future__ import annotations

import io
import os
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from wavelens.counts import count_of
from wavelens.frontends.scans.stored import damaged, size
from wavelens.optional import optional

DICOM = (".dcm", ".dicom", ".ima")
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
DEFLATED = "1.2.840.10008.1.2.1.99"
TYPES = "AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
PREAMBLE_BYTES = 132
META_BYTES = 12  # the element with the length of the others that say how the file is encoded
MAX_NESTED_FILES = 20_000  # in the folders of a folder, which are all looked into
MAX_INFLATED_BYTES = 2**31  # of a deflated data set, which is inflated as a whole


class BoundedReader(io.BufferedReader):
    """A file that takes no memory for bytes that it does not have, whatever number of them is asked for."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._bytes = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(0, self._bytes - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM by its content, with the preamble or, as older ones, without it."""
    try:
        return path.is_file() and _is_dicom(_head(path))
    except OSError:
        return False


def read_dataset(path: Path, *, pixels: bool) -> Any:
    """The data set of a DICOM file, without its pixels where they are not wanted; `ValueError` for a damaged one."""
    pydicom = optional("pydicom", "medical")
    head = _head(path)
    if not _is_dicom(head):
        raise ValueError(f"a DICOM file begins with a preamble or a data set; {path} begins with {head[:8]!r}.")
    has_preamble = _has_preamble(head)
    with pydicom_errors(path):
        if inflated_bytes(path) > MAX_INFLATED_BYTES:
            raise ValueError(
                f"a deflated data set has at most {size(MAX_INFLATED_BYTES)}; that of {path} has more. Inflate it."
            )
        with BoundedReader(path) as file:
            dataset = pydicom.dcmread(file, stop_before_pixels=not pixels, force=not has_preamble)
        if "TransferSyntaxUID" not in dataset.file_meta:
            dataset.file_meta.TransferSyntaxUID = _syntax(dataset, pydicom.uid)
    if not is_image(dataset) and _promises_image(dataset):
        raise damaged(path, "it is a DICOM image by its class, and has no rows and columns")
    return dataset


def dicom_content(path: Path) -> str:
    """'volume' for a DICOM file with several frames that is no part of a whole, 'slice' for other images, else ''.

    What cannot be read is a slice: reading it will say why.
    """
    try:
        with pydicom_errors(path):
            dataset = read_dataset(path, pixels=False)
            if not is_image(dataset):
                return ""
            return "volume" if int(dataset.get("NumberOfFrames") or 1) > 1 and parts_in_total(dataset) == 1 else "slice"
    except (ValueError, ImportError):
        return "slice"


def parts_in_total(dataset: Any) -> int:
    """How many files make up the volume that a data set belongs to, where it says so, else 1."""
    return int(dataset.get("InConcatenationTotalNumber") or 1)


def is_image(dataset: Any) -> bool:
    """Whether a data set is an image, and no report, plan or directory."""
    return "Rows" in dataset and "Columns" in dataset


def images_of(folder: Path) -> list[tuple[Path, Any]]:
    """The DICOM images in a folder and in the folders in it, without their pixels, by folder and name.

    A folder in it belongs to the series that lies beside it, or to any where none does; other series are passed over,
    and so are other files, hidden ones and DICOM objects that are no images. `ValueError` for what is called DICOM, or
    named like the images of its folder, and is none, cannot be read or is compressed.
    """
    own = _images_in(folder)
    nested = [image for one in _folders_in(folder) for image in _images_in(one)]
    series = {dataset.get("SeriesInstanceUID") for _, dataset in own}
    images = own + [(path, one) for path, one in nested if not own or one.get("SeriesInstanceUID") in series]
    if not images:
        files = count_of(len(list(folder.iterdir())), "file")
        raise ValueError(
            f"a folder must hold the slices of a DICOM series; got {folder} with {files}, none of them a DICOM image."
        )
    return images


def _folders_in(folder: Path) -> list[Path]:
    """All folders below one that are not hidden and no links."""
    folders, count = [], 0
    for root, names, files in os.walk(folder):
        names[:] = sorted(name for name in names if not name.startswith("."))
        folders += [Path(root) / name for name in names if not (Path(root) / name).is_symlink()]
        count += len(files) if Path(root) != folder else 0
        if count > MAX_NESTED_FILES:
            raise ValueError(
                f"a DICOM series has at most {MAX_NESTED_FILES} files in the folders of its folder; {folder} has more. "
                "Name the folder of one series."
            )
    return folders


def _images_in(folder: Path) -> list[tuple[Path, Any]]:
    """The DICOM images that lie in a folder itself."""
    files = sorted(path for path in folder.iterdir() if not path.is_dir() and not path.name.startswith("."))
    datasets = {path: read_dataset(path, pixels=False) for path in files if is_dicom(path)}
    images = [(path, dataset) for path, dataset in datasets.items() if is_image(dataset)]
    suffixes = {_suffix(path) for path, _ in images}
    for path in (one for one in files if one not in datasets):
        if path.is_file() and _is_dicom(_unpacked_head(path)):
            raise ValueError(f"{path} is a DICOM file that is compressed as a whole. Unpack it, or remove it.")
        if _is_called_dicom(path) or (_suffix(path) in suffixes and any(map(str.isdigit, path.name))):
            content = f"begins with {_head(path)[:8]!r}" if path.is_file() else "is no regular file"
            called = "has a name of DICOM" if _is_called_dicom(path) else "is named like the images of its folder"
            raise ValueError(f"{path} {called} and {content}. Get a fresh copy, or remove it.")
    return images


def _is_called_dicom(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith(DICOM)


def _suffix(path: Path) -> str:
    """The suffix of a name; a number is none, as at the end of an identifier."""
    return "" if path.suffix[1:].isdigit() else path.suffix.lower()


def _unpacked_head(path: Path) -> bytes:
    """The first bytes of what a file holds once it is unpacked, or none where it is not compressed by gzip."""
    with path.open("rb") as file:
        packed = file.read(2**12)
    try:
        return zlib.decompressobj(31).decompress(packed, PREAMBLE_BYTES + META_BYTES)
    except zlib.error:
        return b""


def _promises_image(dataset: Any) -> bool:
    """Whether a data set is an image by its class, or says no class at all, as where a file was cut."""
    if "DirectoryRecordSequence" in dataset:
        return False
    return "SOPClassUID" not in dataset or "Image Storage" in getattr(dataset.SOPClassUID, "name", "")


@contextmanager
def pydicom_errors(path: Path) -> Iterator[None]:
    """Names the file in what pydicom raises, and silences what it notes of values; may be nested."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ImportError:
        raise
    except MemoryError as error:
        raise ValueError(f"{path} does not fit into memory. Crop it first.") from error
    except Exception as error:  # pydicom raises anything on broken bytes and values
        judged_already = isinstance(error, ValueError) and str(path) in str(error)
        if judged_already or (isinstance(error, OSError) and error.errno is not None):  # the disk's
            raise
        reason = " ".join(str(error).split()).rstrip(".")
        raise ValueError(f"{path} could not be read as DICOM: {reason}.{_remedy(reason)}") from error


def _remedy(reason: str) -> str:
    return " python-gdcm decodes most: pip install 'wavelens[medical]'" if "plugins" in reason else ""


def inflated_bytes(path: Path) -> int:
    """How long a deflated data set is, counted to just beyond `MAX_INFLATED_BYTES`; 0 for others."""
    pydicom = optional("pydicom", "medical")
    if not _has_preamble(_head(path)):
        return 0
    with pydicom_errors(path), BoundedReader(path) as file:
        file.seek(PREAMBLE_BYTES)
        meta = pydicom.filereader._read_file_meta_info(file)  # leaves the file where pydicom will inflate it from
        return _inflated(file) if meta.get("TransferSyntaxUID") == DEFLATED else 0


def _inflated(file: IO[bytes]) -> int:
    decoder, count, pending = zlib.decompressobj(-zlib.MAX_WBITS), 0, b""
    while count <= MAX_INFLATED_BYTES and (pending := decoder.unconsumed_tail or file.read(2**16)) and not decoder.eof:
        count += len(decoder.decompress(pending, 2**20))
    return count


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(PREAMBLE_BYTES)


def _has_preamble(head: bytes) -> bool:
    return head[128:132] == b"DICM"


def _is_dicom(head: bytes) -> bool:
    """With the letters after the preamble, or a first element of group 2 or 8 that has a type or a short length."""
    if _has_preamble(head):
        return True
    starts = {head[:2]: head[2:4], head[1::-1]: head[3:1:-1]}  # group and element in either byte order
    if not any(group in (b"\2\0", b"\x08\0") and element[1:] == b"\0" for group, element in starts.items()):
        return False
    length = int.from_bytes(head[4:8], "little")
    return head[4:6].decode("latin-1") in TYPES or (len(head) >= 8 and 0 < length < 2**10 and length % 2 == 0)


def _syntax(dataset: Any, uid: Any) -> Any:
    """The transfer syntax of a file that does not name it."""
    implicit, little = dataset.original_encoding
    if implicit:
        return uid.ImplicitVRLittleEndian
    return uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian
