"""A DICOM series becomes the volume that it was cut from, in its place; what is no whole series says so."""

import contextlib
import gzip
import os
import tracemalloc

import numpy as np
import pytest

from wavelens.frontends import read_image
from wavelens.frontends.dicom import files
from wavelens.frontends.scans import stored
from wavelens.frontends.volume import read_volume, volume_cost

ROW, COLUMN = np.array([0.8, 0.6, 0.0]), np.array([0.0, 0.0, -1.0])  # a coronal slice, turned
SHAPE, SPACING, START = (5, 4, 6), (0.7, 1.5, 2.5), np.array([-10.0, 20.0, 30.0])  # columns, rows, slices


def voxels():
    return np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)


def dicom_slice(k, **changes):
    """Slice `k` of `voxels()`, stored as (value + 1024) / 2 in sixteen bits."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = CTImageStorage, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = generate_uid()
    one = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    one.SOPClassUID, one.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    one.InstanceNumber = k + 1
    one.Modality, one.SeriesInstanceUID, one.SeriesDescription = "CT", "1.2.3", "thorax"
    one.ImageOrientationPatient = [*ROW, *COLUMN]
    one.ImagePositionPatient = [round(v, 6) for v in START + k * SPACING[2] * np.cross(ROW, COLUMN)]
    one.PixelSpacing = [SPACING[1], SPACING[0]]
    one.Columns, one.Rows = SHAPE[:2]
    one.SamplesPerPixel, one.PhotometricInterpretation, one.PixelRepresentation = 1, "MONOCHROME2", 0
    one.BitsAllocated, one.BitsStored, one.HighBit = 16, 16, 15
    one.RescaleSlope, one.RescaleIntercept = 2, -1024
    one.PixelData = ((2 * voxels()[:, :, k].T + 1024) // 2).astype("<u2").tobytes()
    for name, value in changes.items():
        if value is None:
            delattr(one, name)
        else:
            setattr(one, name, value)
    return one


def series(folder, slices):
    """Writes them under names that sort in no useful order."""
    folder.mkdir()
    for k, one in enumerate(slices):
        one.save_as(folder / f"{(7 * k) % 11:02}.dcm", enforce_file_format=True)
    (folder / "notes.txt").write_text("not an image")
    return folder


@pytest.fixture
def whole(tmp_path):
    return series(tmp_path / "whole", [dicom_slice(k) for k in (3, 0, 5, 1, 4, 2)])


@pytest.mark.needs("pydicom")
def test_empty_elements_are_as_good_as_none(tmp_path):
    plain = {"RescaleSlope": None, "RescaleIntercept": None, "SamplesPerPixel": 1}
    empty = {"RescaleSlope": "", "RescaleIntercept": "", "SamplesPerPixel": 1}
    found = [
        read_volume(series(tmp_path / name, [dicom_slice(k, **changes) for k in range(3)]))
        for name, changes in (("plain", plain), ("empty", empty))
    ]
    assert (found[0].data == found[1].data).all()


@pytest.mark.needs("pydicom")
def test_a_series_is_the_volume_it_was_cut_from(whole):
    with pytest.raises(ValueError, match=r"item takes one volume of a stack; got 1 for .*whole, a DICOM series"):
        read_volume(whole, item=1)
    with pytest.raises(ValueError, match=r"key must name an array of an \.npz file; got 'a' for .*whole"):
        read_volume(whole, key="a")
    found = read_volume(whole)
    np.testing.assert_array_equal(found.data[0, 0].numpy(), 2 * voxels())
    assert found.spacing == pytest.approx(SPACING)
    for index in [(0, 0, 0), (4, 0, 0), (0, 3, 0), (0, 0, 5), (4, 3, 5)]:
        i, j, k = index
        place = START + i * SPACING[0] * ROW + j * SPACING[1] * COLUMN + k * SPACING[2] * np.cross(ROW, COLUMN)
        np.testing.assert_allclose((found.affine @ [*index, 1])[:3], place * [-1, -1, 1], atol=1e-6)


@pytest.mark.needs("pydicom", "monai", "nibabel")
def test_monai_reads_the_same_voxels_at_the_same_places(whole):
    from monai.data import PydicomReader

    (whole / "notes.txt").unlink()
    reader = PydicomReader()
    theirs, meta = reader.get_data(reader.read(str(whole)))
    ours = read_volume(whole)
    corners = np.array([(i, j, k, 1) for i in (0, 4) for j in (0, 3) for k in (0, 5)], dtype=float).T
    there = np.linalg.inv(meta["affine"]) @ ours.affine @ corners
    np.testing.assert_allclose(there, there.round(), atol=1e-4)
    for mine, other in zip(corners[:3].T.astype(int), there[:3].T.round().astype(int), strict=True):
        assert float(ours.data[(0, 0, *mine)]) == float(theirs[tuple(other)])


@pytest.mark.needs("pydicom")
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda: [dicom_slice(k) for k in (0, 1, 3, 4)], "got 2.5 to 5 mm between 4 slices .* A slice is missing"),
        (
            lambda: [dicom_slice(k) for k in (0, 0, 1, 1)],
            "one slice at each place; 00.dcm and 07.dcm in .* share theirs",
        ),
        (
            lambda: [dicom_slice(k, SOPInstanceUID=uid) for k, uid in ((0, "1.2"), (1, "1.3"), (2, "1.3"))],
            r"03.dcm and 07.dcm are one image twice \(SOPInstanceUID 1.3\)",
        ),
        (lambda: [dicom_slice(0)], "a volume must have at least 2 slices; got 1"),
        (
            lambda: [dicom_slice(0), dicom_slice(1), dicom_slice(2, SeriesInstanceUID="9", SeriesDescription="scout")],
            "must hold one DICOM series; got 2 slices of 'thorax'; 1 slices of 'scout'",
        ),
        (
            lambda: [dicom_slice(0), dicom_slice(1, PixelSpacing=[1.5, 1.4]), dicom_slice(2)],
            r"share PixelSpacing; got \[1.5, 0.7\] and \[1.5, 1.4\]",
        ),
        (
            lambda: [dicom_slice(0), dicom_slice(1, ImageOrientationPatient=[0, 1, 0, 0, 0, -1])],
            r"share ImageOrientationPatient; got \[0.8, 0.6, 0.0, 0.0, 0.0, -1.0\] and \[0.0, 1.0",
        ),
        (
            lambda: [dicom_slice(k, Modality="PT", Units=unit) for k, unit in ((0, "BQML"), (1, "CNTS"))],
            "share Units; got BQML and CNTS",
        ),
        (
            lambda: [dicom_slice(k, RescaleType=kind) for k, kind in ((0, "HU"), (1, "US"))],
            "share RescaleType; got HU and US",
        ),
        (
            lambda: [dicom_slice(0), dicom_slice(1, FrameOfReferenceUID="1.2")],
            "share FrameOfReferenceUID; got None and 1.2",
        ),
        (
            lambda: [dicom_slice(k, ImagePositionPatient=None) for k in (0, 1)],
            "say where they lie; 00.dcm in .* has no whole ImagePositionPatient",
        ),
        (
            lambda: [dicom_slice(k, NumberOfFrames=2, PixelData=2 * dicom_slice(k).PixelData) for k in (0, 1)],
            "one slice at each place; frame 1 of 00.dcm and frame 2 of 00.dcm in .* share theirs",
        ),
        (
            lambda: [
                dicom_slice(k, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
                for k in (0, 1)
            ],
            "the slices of a volume are grey; .*00.dcm is RGB with 3 samples",
        ),
        (
            lambda: [dicom_slice(k, PhotometricInterpretation="PALETTE COLOR") for k in (0, 1)],
            "the slices of a volume are grey; .*00.dcm is PALETTE COLOR",
        ),
        (
            lambda: [dicom_slice(0), dicom_slice(1, PixelData=b"\0\0")],
            "07.dcm could not be read as DICOM: The number of b",
        ),
        (lambda: [dicom_slice(0), dicom_slice(1, PixelData=None)], "07.dcm is damaged: .* no pixel data"),
        (
            lambda: [dicom_slice(0), dicom_slice(1, Rows=60000)],
            "07.dcm is damaged: its header promises 600 kB of pixels",
        ),
        (list, "with 1 file, none of them a DICOM image"),
    ],
)
def test_what_is_no_whole_series_says_so(tmp_path, changed, message):
    folder = series(tmp_path / "some", changed())
    with pytest.raises(ValueError, match=message) as caught:
        read_volume(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.needs("pydicom")
@pytest.mark.parametrize("content", [b"", b"no scan at all", bytes(500)])
def test_a_file_that_is_called_dicom_and_is_not_is_told(tmp_path, content):
    """At the end of a series its absence would leave no gap."""
    folder = series(tmp_path / "some", [dicom_slice(k) for k in range(3)])
    (folder / "last.dcm").write_bytes(content)
    with pytest.raises(ValueError, match=r"last\.dcm has a name of DICOM and begins with .*remove it"):
        read_volume(folder)


@pytest.mark.needs("pydicom")
def test_a_slice_that_was_cut_is_told(tmp_path):
    folder = series(tmp_path / "some", [dicom_slice(k) for k in range(3)])
    whole = (folder / "03.dcm").read_bytes()  # the last
    for length in (len(whole) - 5, len(whole) - 60, 200, 140):
        (folder / "03.dcm").write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"03\.dcm"):
            read_volume(folder)


def linked(path, content):
    path.symlink_to("nowhere")


def piped(path, content):
    os.mkfifo(path)


@pytest.mark.needs("pydicom")
@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("last.dcm", linked, "has a name of DICOM and is no regular file"),
        ("last.dcm", piped, "has a name of DICOM and is no regular file"),
        ("last.dcm.gz", lambda p, c: p.write_bytes(gzip.compress(c)), "DICOM file that is compressed as a whole"),
        ("last", lambda p, c: p.write_bytes(gzip.compress(c)), "DICOM file that is compressed as a whole"),
        ("last.dcm", lambda p, c: p.write_bytes(c[128:]), "has a name of DICOM and begins with b'DICM"),
        ("last.dcm", lambda p, c: p.write_bytes(c[64:]), "has a name of DICOM and begins with"),
    ],
)
def test_a_slice_of_another_form_is_told(tmp_path, name, change, sentence):
    folder = series(tmp_path / "some", [dicom_slice(k) for k in range(4)])
    content = (folder / "03.dcm").read_bytes()
    (folder / "03.dcm").unlink()
    change(folder / name, content)
    with pytest.raises(ValueError, match=sentence):
        read_volume(folder)


@pytest.mark.needs("pydicom")
def test_slices_without_suffixes_are_known_by_their_names(tmp_path):
    folder = series(tmp_path / "some", [dicom_slice(k) for k in range(4)])
    for path in sorted(folder.glob("*.dcm")):
        path.rename(folder / f"IM{path.stem}")
    for name in ("LICENSE", "DICOMDIR.txt", "notes.txt", "list01.csv", "words.csv.gz"):
        (folder / name).write_bytes(gzip.compress(b"a,b") if name.endswith("gz") else b"a,b")
    (folder / "more").mkdir()
    assert read_volume(folder).axes == (5, 4, 4)
    (folder / "IM03").write_bytes((folder / "IM03").read_bytes()[:100])
    with pytest.raises(ValueError, match=r"IM03 is named like the images of its folder and begins with"):
        read_volume(folder)


@pytest.mark.needs("pydicom")
@pytest.mark.parametrize("names", [("a", "b"), (".", "b"), ("a/b", "c/d/e")])
def test_slices_in_folders_of_a_folder_are_of_its_series(tmp_path, names):
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "x.dcm").write_bytes(b"none")
    for k in range(SHAPE[2]):
        folder = tmp_path / names[k % 2]
        folder.mkdir(parents=True, exist_ok=True)
        dicom_slice(k).save_as(folder / f"{k}.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_volume(tmp_path).data[0, 0].numpy(), 2 * voxels())
    assert volume_cost(tmp_path).memory_bytes > 4 * np.prod(SHAPE)
    (folder / f"{k}.dcm").write_bytes(b"cut")
    with pytest.raises(ValueError, match=r"5\.dcm has a name of DICOM and begins with b'cut'"):
        read_volume(tmp_path)


@pytest.mark.needs("pydicom")
def test_another_series_in_a_folder_of_a_series_is_passed_over_and_two_in_folders_are_told(tmp_path):
    for name, uid in (("a", "1.2.3"), ("a/derived", "1.2.4")):
        series(tmp_path / name, [dicom_slice(k, SeriesInstanceUID=uid) for k in range(3)])
    assert read_volume(tmp_path / "a").axes == (5, 4, 3)
    with pytest.raises(ValueError, match=r"a folder must hold one DICOM series; got 3 slices of 'thorax'; 3 slices of"):
        read_volume(tmp_path)


@pytest.mark.needs("pydicom")
def test_folders_of_a_folder_are_looked_into_up_to_a_number_of_files(tmp_path, monkeypatch):
    series(tmp_path / "a", [dicom_slice(k) for k in range(4)])
    monkeypatch.setattr(files, "MAX_NESTED_FILES", 3)
    assert read_volume(tmp_path / "a").axes == (5, 4, 4)
    with pytest.raises(ValueError, match=r"at most 3 files in the folders of its folder"):
        read_volume(tmp_path)
    (tmp_path / "a").rename(tmp_path / ".a")
    with pytest.raises(ValueError, match=r"with 1 file, none of them a DICOM image"):
        read_volume(tmp_path)


@pytest.mark.needs("pydicom")
def test_dicom_objects_without_an_image_are_passed_over(tmp_path):
    from pydicom.uid import BasicTextSRStorage

    pixels = ("PixelData", "Rows", "Columns", "ImagePositionPatient", "PixelSpacing", "ImageOrientationPatient")
    report = dicom_slice(5, **dict.fromkeys(pixels), Modality="SR", SOPClassUID=BasicTextSRStorage)
    folder = series(tmp_path / "some", [*(dicom_slice(k) for k in range(3)), report])
    assert read_volume(folder).axes == (5, 4, 3)
    alone = series(tmp_path / "report", [report])
    with pytest.raises(ValueError, match="with 2 files, none of them a DICOM image"):
        read_volume(alone)
    with pytest.raises(ValueError, match=r"00\.dcm has none\. It is a report or a plan"):
        read_volume(alone / "00.dcm")


@pytest.mark.needs("pydicom", "SimpleITK")
def test_simpleitk_has_the_series_at_the_same_place(whole):
    import SimpleITK

    names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(whole))
    image = SimpleITK.ReadImage(names)
    ours = read_volume(whole)
    np.testing.assert_array_equal(ours.data[0, 0].numpy(), SimpleITK.GetArrayFromImage(image).T)
    directions = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    np.testing.assert_allclose(ours.affine[:3, :3], np.diag([-1, -1, 1]) @ directions, atol=1e-5)
    np.testing.assert_allclose(ours.affine[:3, 3], np.array(image.GetOrigin()) * [-1, -1, 1], atol=1e-5)


def group(**macros):
    """A functional group: the elements of each macro in a sequence of one item."""
    from pydicom.dataset import Dataset

    made = Dataset()
    for macro, elements in macros.items():
        item = Dataset()
        for name, value in elements.items():
            setattr(item, name, value)
        setattr(made, macro, [item])
    return made


def enhanced(order, **changes):
    """The slices of `voxels()` as frames of one file, in any order, each with a slope of its own."""
    classic = dicom_slice(0)
    frames = [
        group(
            PlanePositionSequence={"ImagePositionPatient": dicom_slice(k).ImagePositionPatient},
            PixelValueTransformationSequence={"RescaleSlope": 2 + k, "RescaleIntercept": -1024, "RescaleType": "HU"},
        )
        for k in order
    ]
    shared = group(
        PlaneOrientationSequence={"ImageOrientationPatient": classic.ImageOrientationPatient},
        PixelMeasuresSequence={"PixelSpacing": classic.PixelSpacing, "SliceThickness": SPACING[2]},
    )
    pixels = b"".join(dicom_slice(k).PixelData for k in order)
    places = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept")
    return dicom_slice(
        0,
        **dict.fromkeys(places),
        NumberOfFrames=len(order),
        PerFrameFunctionalGroupsSequence=frames,
        SharedFunctionalGroupsSequence=[shared],
        PixelData=pixels,
        **changes,
    )


def slopes():
    """`voxels()` with the slope of each frame of `enhanced`."""
    stored = (2 * voxels() + 1024) // 2
    return stored * (2.0 + np.arange(SHAPE[2])) - 1024


@pytest.mark.needs("pydicom")
@pytest.mark.parametrize("compressed", [False, True])
def test_frames_of_one_file_are_the_slices_of_a_series(tmp_path, whole, compressed):
    from pydicom.uid import RLELossless

    one = enhanced((4, 0, 5, 1, 3, 2))
    if compressed:
        one.compress(RLELossless)
    one.save_as(tmp_path / "enhanced.dcm", enforce_file_format=True)
    volume, classic = read_volume(tmp_path / "enhanced.dcm"), read_volume(whole)
    np.testing.assert_array_equal(volume.data[0, 0].numpy(), slopes())
    np.testing.assert_allclose(volume.affine, classic.affine, atol=1e-9)
    assert read_volume(tmp_path / "enhanced.dcm").spacing == pytest.approx(SPACING)


@pytest.mark.needs("pydicom")
def test_frames_of_several_files_are_one_volume(tmp_path):
    folder = series(tmp_path / "some", [enhanced((4, 0)), enhanced((5, 1, 2)), enhanced((3,))])
    np.testing.assert_array_equal(read_volume(folder).data[0, 0].numpy(), slopes())
    part = enhanced((0, 1), InConcatenationTotalNumber=3)
    part.save_as(tmp_path / "part.dcm", enforce_file_format=True)
    with pytest.raises(ValueError, match=r"a volume in 3 files needs all of them; got 1 in .*part\.dcm"):
        read_volume(tmp_path / "part.dcm")


@pytest.mark.needs("pydicom")
def test_one_slice_is_no_volume_and_has_no_need_of_its_suffix(tmp_path, whole):
    (tmp_path / "IM0001").write_bytes((whole / "00.dcm").read_bytes())
    with pytest.raises(
        ValueError, match=r"a volume must have at least 2 slices; got 1 in .*IM0001\. A 2-D image goes to"
    ):
        read_volume(tmp_path / "IM0001")
    for path in whole.glob("*.dcm"):
        path.rename(path.with_suffix(""))
    assert read_volume(whole).axes == SHAPE


@pytest.mark.needs("pydicom")
def test_a_deflated_file_is_read_and_its_inflated_length_is_bounded(tmp_path, monkeypatch):
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    one = enhanced((4, 0, 5, 1, 3, 2))
    one.save_as(tmp_path / "plain.dcm", enforce_file_format=True)
    one.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    one.save_as(tmp_path / "packed.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_volume(tmp_path / "packed.dcm").data[0, 0].numpy(), slopes())
    plain, packed = (tmp_path / f"{name}.dcm" for name in ("plain", "packed"))
    inflated = volume_cost(packed).memory_bytes - volume_cost(plain).memory_bytes
    assert inflated == pytest.approx(2 * packed.stat().st_size, abs=1000)  # its inflated length is that of plain
    monkeypatch.setattr(files, "MAX_INFLATED_BYTES", 1000)
    with pytest.raises(ValueError, match=r"a deflated data set has at most 1 kB; that of .*packed\.dcm has more"):
        read_volume(packed)


LONG_ELEMENTS = {  # where the length of an element stands: after its tag and the type, or after its tag alone
    "how it is encoded": ("ExplicitVRLittleEndian", b"\2\0\1\0OB\0\0"),
    "pixels": ("ExplicitVRLittleEndian", b"\xe0\x7f\x10\0OW\0\0"),
    "a text": ("ImplicitVRLittleEndian", b"\x08\0\x3e\x10"),
    "pixels without a type": ("ImplicitVRLittleEndian", b"\xe0\x7f\x10\0"),
}


@pytest.mark.needs("pydicom")
@pytest.mark.parametrize("name", LONG_ELEMENTS)
def test_a_length_that_the_file_does_not_have_takes_no_memory(tmp_path, name):
    import pydicom.uid

    syntax, before = LONG_ELEMENTS[name]
    one, path = dicom_slice(0), tmp_path / "a.dcm"
    one.file_meta.TransferSyntaxUID = getattr(pydicom.uid, syntax)
    one.save_as(path, enforce_file_format=True)
    data = path.read_bytes()
    assert data.count(before) == 1
    at = data.index(before) + len(before)
    path.write_bytes(data[:at] + (2**31).to_bytes(4, "little") + data[at + 4 :])
    tracemalloc.start()
    try:
        with contextlib.suppress(ValueError):  # pixels may all be there
            read_image(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**26


@pytest.mark.needs("pydicom")
def test_a_series_that_does_not_fit_into_memory_says_so(whole, monkeypatch):
    monkeypatch.setattr(stored, "_free_bytes", lambda: 100)
    with pytest.raises(ValueError, match=r"has 1 × 5 × 4 × 6 voxels, which take 480 bytes .* has 100 bytes free"):
        read_volume(whole)
    monkeypatch.setattr(stored, "_free_bytes", lambda: None)

    def refuse(*_, **__):
        raise MemoryError

    monkeypatch.setattr("pydicom.pixels.iter_pixels", refuse)
    with pytest.raises(ValueError, match=r"whole.* does not fit into memory\. Crop it first"):
        read_volume(whole)
