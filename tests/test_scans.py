"""Scans of every format lie where nibabel and SimpleITK have them; damage is told, and only damage is called so."""

import bz2
import gzip
import io
import time
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest

from test_volume import nifti, ramp
from wavelens.frontends.scans import stored
from wavelens.frontends.volume import read_volume, volume_cost

TURNED = np.array([[0.0, 0.8, 0.6], [-1.0, 0.0, 0.0], [0.0, -0.6, 0.8]])  # a rotation
SPACING, ORIGIN = (1.0, 2.5, 3.0), (10.0, -20.0, 30.0)
RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
PLACED = np.eye(4)
PLACED[:3, :3], PLACED[:3, 3] = TURNED * SPACING, ORIGIN


def itk(path, voxels, *, compress=False, vector=False):
    """Voxels `(k, j, i)` written by SimpleITK, turned."""
    import SimpleITK

    image = SimpleITK.GetImageFromArray(voxels, isVector=vector)
    image.SetSpacing((*SPACING, 1.0)[: image.GetDimension()])
    if image.GetDimension() == 3:
        image.SetOrigin(ORIGIN)
        image.SetDirection(TURNED.ravel().tolist())
    SimpleITK.WriteImage(image, str(path), compress)
    return path


def by_itk(path):
    """The voxels `(i, j, k)` and the affine in RAS as SimpleITK reads them."""
    import SimpleITK

    image = SimpleITK.ReadImage(str(path))
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return SimpleITK.GetArrayFromImage(image).T, RAS @ affine


def assert_same(path, voxels, affine):
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.data[0, 0].numpy(), voxels.astype(np.float32))
    np.testing.assert_allclose(volume.affine, affine, atol=1e-6)  # headers are float32 or decimal
    assert volume.unit == "mm"


@pytest.mark.needs("SimpleITK")
@pytest.mark.parametrize("suffix", ["mha", "mhd", "nrrd", "nhdr"])
@pytest.mark.parametrize("compress", [False, True])
def test_voxels_and_places_of_itk_formats_are_simpleitks(tmp_path, suffix, compress):
    for dtype in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"):
        voxels = (ramp(4, 5, 6) - 50 * (dtype[0] != "u")).astype(dtype)
        path = itk(tmp_path / f"{dtype}.{suffix}", voxels, compress=compress)
        theirs, affine = by_itk(path)
        np.testing.assert_array_equal(theirs, voxels.T)
        assert_same(path, theirs, affine)


@pytest.mark.needs("SimpleITK")
@pytest.mark.parametrize("suffix", ["mha", "nrrd"])
def test_numbers_of_a_voxel_and_a_fourth_axis_are_channels(tmp_path, suffix):
    vectors = read_volume(itk(tmp_path / f"v.{suffix}", ramp(4, 5, 6, 3), vector=True)).data[0]
    np.testing.assert_array_equal(vectors.numpy(), ramp(4, 5, 6, 3).T)
    times = read_volume(itk(tmp_path / f"t.{suffix}", ramp(2, 4, 5, 6)))
    np.testing.assert_array_equal(times.data[0].numpy(), ramp(2, 4, 5, 6).transpose(0, 3, 2, 1))
    assert times.spacing == pytest.approx(SPACING)
    last = read_volume(tmp_path / f"t.{suffix}", item=-1)
    np.testing.assert_array_equal(last.data[0].numpy(), ramp(2, 4, 5, 6)[1:].transpose(0, 3, 2, 1))


def metaimage(path, voxels, more="", name="LOCAL", data=None):
    """A MetaImage of big-endian shorts, by hand."""
    header = (
        f"ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = True\n{more}"
        f"DimSize = {' '.join(map(str, voxels.shape[::-1]))}\nElementType = MET_SHORT\nElementDataFile = {name}\n"
    )
    path.write_bytes(header.encode() + (voxels.astype(">i2").tobytes() if data is None else data))
    return path


@pytest.mark.needs("SimpleITK")
def test_metaimages_by_hand_are_read_as_simpleitk_reads_them(tmp_path):
    voxels = ramp(4, 5, 6)
    packed = zlib.compress(voxels.astype(">i2"))
    places = "Position = 1 2 3\nOrientation = 0 1 0 -1 0 0 0 0 1\nElementSize = 1 2 3\n"
    (tmp_path / "far.raw").write_bytes(b"header" + voxels.astype(">i2").tobytes())
    paths = [
        metaimage(tmp_path / "a.mha", voxels, places),
        metaimage(
            tmp_path / "b.mha",
            voxels,
            f"{places}CompressedData = True\nCompressedDataSize = {len(packed)}\n",
            data=packed,
        ),
        metaimage(tmp_path / "c.mhd", voxels, places + "HeaderSize = -1\n", name="far.raw", data=b""),
        metaimage(tmp_path / "d.mhd", voxels, places + "HeaderSize = 6\n", name="far.raw", data=b""),
    ]
    for path in paths:
        theirs, affine = by_itk(path)
        np.testing.assert_array_equal(theirs, voxels.T)
        assert_same(path, theirs, affine)


def test_a_metaimage_without_spacing_is_in_voxels_and_its_intensity_function_is_applied(tmp_path):
    more = "ElementToIntensityFunctionSlope = 0.5\nElementToIntensityFunctionOffset = -3\n"
    volume = read_volume(metaimage(tmp_path / "a.mha", ramp(4, 5, 6), more))
    np.testing.assert_array_equal(volume.data[0, 0].numpy(), ramp(4, 5, 6).T / 2 - 3)
    assert (volume.unit, volume.spacing) == ("voxel", None)


def nrrd(path, voxels, fields, data=None):
    header = (
        f"NRRD0005\n# by hand\ntype: int16\ndimension: {voxels.ndim}\nsizes: {' '.join(map(str, voxels.shape[::-1]))}\n"
    )
    path.write_bytes(f"{header}{fields}\n\n".encode() + (voxels.astype("<i2").tobytes() if data is None else data))
    return path


VECTORS = "space directions: (0, -1.5, 0) (2, 0, 0) (0, 0, 3)\nspace origin: (1, 2, 3)"


@pytest.mark.needs("SimpleITK")
@pytest.mark.parametrize(
    "places",
    [
        *(f"space: {space}\n{VECTORS}" for space in ("RAS", "left-anterior-superior", "left-posterior-superior")),
        f"space dimension: 3\n{VECTORS}",
        "spacings: 1 2 3",
    ],
)
def test_nrrd_spaces_are_simpleitks(tmp_path, places):
    path = nrrd(tmp_path / "a.nrrd", ramp(4, 5, 6), f"endian: little\nencoding: raw\n{places}")
    assert_same(path, *by_itk(path))


def test_nrrd_codings_skips_and_units(tmp_path):
    voxels = ramp(4, 5, 6)
    data, big = voxels.astype("<i2").tobytes(), voxels.astype(">i2").tobytes()
    (tmp_path / "data.raw").write_bytes(b"one\ntwo\nxx" + big)
    files = {
        "a": ("encoding: gz\nendian: little", gzip.compress(data)),
        "b": ("encoding: bzip2\nendian: little", bz2.compress(data)),
        "c": ("encoding: raw\nendian: big\nbyte skip: -1", b"any" + big),
        "d": ("encoding: raw\nendian: big\nline skip: 2\nbyte skip: 2\ndata file: data.raw", b""),
    }
    for name, (fields, content) in files.items():
        path = nrrd(tmp_path / f"{name}.nrrd", voxels, f'{fields}\nspacings: 1 2 3\nunits: "um" "um" "um"', content)
        volume = read_volume(path)
        np.testing.assert_array_equal(volume.data[0, 0].numpy(), voxels.T)
        assert volume.spacing == pytest.approx((1e-3, 2e-3, 3e-3))
    assert read_volume(nrrd(tmp_path / "e.nrrd", voxels, "encoding: raw\nendian: little")).unit == "voxel"


@pytest.mark.needs("nibabel")
@pytest.mark.parametrize("suffix", ["mgh", "mgz"])
def test_freesurfer_files_are_nibabels(tmp_path, suffix):
    import nibabel

    for dtype in (np.uint8, np.int16, np.int32, np.float32):
        image = nibabel.MGHImage(ramp(4, 5, 6).astype(dtype), PLACED)
        nibabel.save(image, tmp_path / f"a.{suffix}")
        theirs = nibabel.load(tmp_path / f"a.{suffix}")
        assert_same(tmp_path / f"a.{suffix}", np.asarray(theirs.dataobj), theirs.affine)
    nibabel.save(nibabel.MGHImage(ramp(4, 5, 6, 2), PLACED), tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(read_volume(tmp_path / f"a.{suffix}").data[0, 1].numpy(), ramp(4, 5, 6, 2)[..., 1])


@pytest.mark.needs("nibabel", "scipy")
@pytest.mark.parametrize("kind", ["AnalyzeImage", "Spm99AnalyzeImage", "Spm2AnalyzeImage", "Nifti1Pair", "Nifti2Pair"])
def test_a_header_and_its_image_are_one_volume_from_either(tmp_path, kind):
    import nibabel

    affine = np.diag([-1.0, 2.0, 3.0, 1.0]) if kind == "AnalyzeImage" else PLACED
    nibabel.save(getattr(nibabel, kind)(ramp(4, 5, 6).astype(np.int16), affine), tmp_path / "a.img")
    theirs = nibabel.load(tmp_path / "a.img")
    expected = np.asarray(theirs.dataobj).copy(), theirs.affine
    for name in ("a.img", "a.hdr"):
        assert_same(tmp_path / name, *expected)
    packed = gzip.compress((tmp_path / "a.img").read_bytes())
    (tmp_path / "a.img").unlink()
    (tmp_path / "a.img.gz").write_bytes(packed)
    assert_same(tmp_path / "a.hdr", *expected)
    (tmp_path / "a.img.gz").unlink()
    with pytest.raises(ValueError, match=r"has its \.hdr and its \.img side by side; .*a\.hdr has no a\.img"):
        read_volume(tmp_path / "a.hdr")


@pytest.mark.needs("nibabel")
def test_gzip_is_known_by_its_bytes_and_not_by_the_name(tmp_path):
    import nibabel

    plain = nifti(tmp_path / "a.nii", ramp(4, 5, 6)).read_bytes()
    nibabel.save(nibabel.MGHImage(ramp(4, 5, 6), PLACED), tmp_path / "a.mgh")
    np.save(tmp_path / "a.npy", ramp(4, 5, 6))
    swapped = {
        "packed.nii": gzip.compress(plain),
        "plain.nii.gz": plain,
        "packed.mgh": gzip.compress((tmp_path / "a.mgh").read_bytes()),
        "plain.mgz": (tmp_path / "a.mgh").read_bytes(),
        "packed.npy": gzip.compress((tmp_path / "a.npy").read_bytes()),
    }
    for name, content in swapped.items():
        (tmp_path / name).write_bytes(content)
        np.testing.assert_array_equal(read_volume(tmp_path / name).data[0, 0].numpy(), ramp(4, 5, 6))


@pytest.mark.parametrize("fortran", [False, True])
@pytest.mark.parametrize("numbers", [1, 7, 40, 10**6])
def test_blocks_of_any_size_are_the_whole_array(tmp_path, monkeypatch, fortran, numbers):
    monkeypatch.setattr(stored, "BLOCK_NUMBERS", numbers)
    voxels = ramp(3, 2, 4, 5, 6).astype("<f8")
    np.savez_compressed(tmp_path / "a.npz", a=np.asfortranarray(voxels) if fortran else voxels)
    for item in (0, 2, -1):
        np.testing.assert_array_equal(read_volume(tmp_path / "a.npz", item=item).data[0].numpy(), voxels[item])


def files(folder):
    """A file of each format, with voxels that do not compress."""
    import nibabel

    noise = np.random.default_rng(0).random((12, 12, 12)).astype(np.float32)
    nibabel.save(nibabel.MGHImage(noise, PLACED), folder / "a.mgz")
    np.save(folder / "a.npy", noise)
    np.savez_compressed(folder / "a.npz", a=noise)
    raw = noise.astype("<f4").tobytes()
    meta = "ObjectType = Image\nNDims = 3\nCompressedData = True\nDimSize = 12 12 12\nElementType = MET_FLOAT\n"
    (folder / "a.mha").write_bytes(f"{meta}ElementDataFile = LOCAL\n".encode() + zlib.compress(raw))
    fields = "type: float\ndimension: 3\nsizes: 12 12 12\nendian: little\nencoding: gzip\n\n"
    (folder / "a.nrrd").write_bytes(f"NRRD0004\n{fields}".encode() + gzip.compress(raw))
    return [
        nifti(folder / "a.nii", noise),
        nifti(folder / "a.nii.gz", noise),
        *(folder / f"a.{suffix}" for suffix in ("mgz", "npy", "npz", "mha", "nrrd")),
    ]


@pytest.mark.needs("nibabel")
def test_a_file_that_was_cut_or_changed_is_called_damaged(tmp_path):
    for path in files(tmp_path):
        whole = path.read_bytes()
        assert read_volume(path).axes == (12, 12, 12)
        changed = bytearray(whole)
        changed[len(whole) // 2] ^= 0x55
        spoilt = [whole[: len(whole) // 2]]
        if path.suffix not in (".nii", ".npy"):  # the others have checksums
            spoilt.append(bytes(changed))
        for content in spoilt:
            path.write_bytes(content)
            with pytest.raises(ValueError, match=rf"{path.name} is damaged: .*Get a fresh copy") as caught:
                read_volume(path)
            assert "\n" not in str(caught.value)


@pytest.mark.needs("nibabel")
def test_what_is_of_another_kind_is_not_called_damaged(tmp_path):
    cases = {
        "a.nii": (
            b"hello" * 200,
            "a NIfTI file begins with the size of .*begins with b'hellohel'. Is it another format",
        ),
        "a.mgz": (b"hello" * 200, "an MGH file begins with version 1"),
        "a.hdr": (b"hello" * 200, "a .hdr file begins with the size of its header"),
        "a.mha": (b"hello" * 200, "a MetaImage header is lines of NAME = VALUE"),
        "a.nrrd": (b"hello" * 200, "a NRRD file begins with NRRD"),
        "a.npy": (b"hello" * 200, "an array begins with"),
    }
    (tmp_path / "a.img").write_bytes(b"hello")
    for name, (content, message) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=message) as caught:
            read_volume(tmp_path / name)
        assert "damaged" not in str(caught.value)
    path = nifti(tmp_path / "b.nii", ramp(4, 4, 4))
    raw = bytearray(path.read_bytes())
    raw[70:72] = (1).to_bytes(2, "little")  # one bit for each voxel
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r"b\.nii has voxels of a type that nibabel does not read"):
        read_volume(path)


@pytest.mark.needs("nibabel")
def test_numbers_that_are_not_real_are_refused_before_they_are_read(tmp_path):
    path = nifti(tmp_path / "a.nii.gz", ramp(4, 4, 4).astype(np.complex64))
    for ask in (read_volume, volume_cost):
        with pytest.raises(ValueError, match=r"voxels must be real numbers; got complex64 in .*a\.nii\.gz\. Save"):
            ask(path)


def claim(folder, axes):
    """Files of a few bytes whose headers promise `axes` voxels."""
    n = " ".join(map(str, axes))
    meta = f"NDims = 3\nDimSize = {n}\nElementType = MET_FLOAT\n"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": axes})
    contents = {
        "a.npy": header.getvalue() + bytes(64),
        "a.mha": f"{meta}ElementDataFile = LOCAL\n".encode() + bytes(64),
        "b.mha": f"{meta}CompressedData = True\nElementDataFile = LOCAL\n".encode() + zlib.compress(bytes(64)),
        "a.nrrd": f"NRRD0004\ntype: float\nsizes: {n}\nencoding: raw\nendian: little\n\n".encode() + bytes(64),
        "b.nrrd": f"NRRD0004\ntype: float\nsizes: {n}\nencoding: gzip\nendian: little\n\n".encode()
        + gzip.compress(bytes(64)),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    with zipfile.ZipFile(folder / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", contents["a.npy"])
    path = nifti(folder / "a.nii", ramp(2, 2, 2))
    raw = bytearray(path.read_bytes())
    raw[42:48] = np.array(axes, dtype="<i2").tobytes()
    path.write_bytes(raw)
    (folder / "a.nii.gz").write_bytes(gzip.compress(raw))
    return [*(folder / name for name in contents), path, folder / "a.nii.gz", folder / "a.npz"]


@pytest.mark.needs("nibabel")
def test_a_header_that_promises_more_than_the_file_can_hold_is_damaged(tmp_path):
    for path in claim(tmp_path, (2000, 2000, 2000)):
        for ask in (read_volume, volume_cost):
            with pytest.raises(
                ValueError, match=rf"{path.name} is damaged: its header promises 32 GB and the file holds"
            ):
                ask(path)


@pytest.mark.needs("nibabel")
def test_what_does_not_fit_into_memory_says_how_much_it_takes(tmp_path, monkeypatch):
    nifti(tmp_path / "a.nii", ramp(20, 20, 20))
    monkeypatch.setattr(stored, "_free_bytes", lambda: 31_000)
    with pytest.raises(
        ValueError, match=r"a\.nii has 1 × 20 × 20 × 20 voxels, which take 32 kB .* has 31 kB free\. Crop"
    ):
        read_volume(tmp_path / "a.nii")
    monkeypatch.setattr(stored, "_free_bytes", lambda: None)

    def refuse(*_, **__):
        raise MemoryError

    monkeypatch.setattr(stored.np, "empty", refuse)
    with pytest.raises(ValueError, match=r"a\.nii does not fit into memory\. Crop it"):
        read_volume(tmp_path / "a.nii")


def test_damaged_archives_and_headers_of_arrays_are_one_line(tmp_path):
    def npy(header, data=b""):
        return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data

    contents = {
        "bracket.npy": (npy(b"{'descr': '<f4', 'shape': (((((((("), "is damaged: its header is none of NumPy's"),
        "token.npy": (npy(b"{'descr': '<f4', 'shape': (2L, 3"), "is damaged: its header is none of NumPy's"),
        "long.npy": (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{", "is damaged: its header says that it has 4.29 GB"),
        "negative.npy": (
            npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3, 4), }"),
            r"is damaged: its header says axes of \(-2, 3, 4\) voxels",
        ),
        "empty.npy": (
            npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3, 4), }"),
            r"has no voxels: its axes are \(0, 3, 4\)",
        ),
        "version.npy": (b"\x93NUMPY\x09\x00", r"version 1 or 2 of NumPy's format; .* has version \(9, 0\)"),
        "names.npy": (
            npy(b"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3, 4), }"),
            "voxels must be real numbers; got ",
        ),
    }
    for name, (content, message) in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=message) as caught:
            read_volume(tmp_path / name)
        assert "\n" not in str(caught.value)
    np.savez(tmp_path / "far.npz", a=ramp(2, 3, 4))
    content = bytearray((tmp_path / "far.npz").read_bytes())
    content[-6:-2] = b"\xff\xff\xff\x7f"  # where the table of contents is said to be
    (tmp_path / "far.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"far\.npz is damaged"):
        read_volume(tmp_path / "far.npz")
    file = io.BytesIO()
    np.save(file, ramp(2, 3, 4))
    with zipfile.ZipFile(tmp_path / "twice.npz", "w") as archive:
        archive.writestr("a.npy", file.getvalue())
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.npy", file.getvalue())
    with pytest.raises(ValueError, match=r"twice\.npz holds 2 arrays called 'a'"):
        read_volume(tmp_path / "twice.npz", key="a")


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("a.mhd", "/etc/passwd", "ElementDataFile names a file beside the header; .*a.mhd has '/etc/passwd'"),
        ("a.mhd", "../far.raw", "ElementDataFile names a file beside the header"),
        ("a.mhd", "slice%03d.raw 1 9 1", "a MetaImage's voxels are in one file"),
        ("a.nhdr", "/etc/passwd", "data file names a file beside the header"),
        ("a.nhdr", "LIST", "a NRRD volume's voxels are in one file"),
    ],
)
def test_a_header_names_no_file_but_one_beside_it(tmp_path, name, fields, message):
    if name == "a.mhd":
        metaimage(tmp_path / name, ramp(2, 3, 4), name=fields, data=b"")
    else:
        nrrd(tmp_path / name, ramp(2, 3, 4), f"encoding: raw\nendian: little\ndata file: {fields}", b"")
    with pytest.raises(ValueError, match=message):
        read_volume(tmp_path / name)


def large(folder):
    """Files of each format with 2 million voxels, in types and with scalings that tempt to take more than float32."""
    import nibabel

    voxels = np.zeros((128, 128, 128), np.int16)
    raw = voxels.tobytes()
    image = nibabel.Nifti1Image(voxels, np.eye(4))
    image.header.set_slope_inter(0.5, -1)
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", bytes(8_000_000)))
    nibabel.save(image, folder / "a.nii.gz")
    nibabel.save(nibabel.Nifti1Image(voxels.astype(np.float64), np.eye(4)), folder / "b.nii")
    nibabel.save(nibabel.MGHImage(voxels.astype(np.int32), np.eye(4)), folder / "a.mgz")
    np.save(folder / "a.npy", voxels.astype(np.float64))
    np.savez_compressed(folder / "a.npz", a=np.asfortranarray(voxels.astype(np.uint8)))
    meta = "NDims = 3\nCompressedData = True\nDimSize = 128 128 128\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    (folder / "a.mha").write_bytes(meta.encode() + zlib.compress(raw))
    fields = "NRRD0004\ntype: short\nsizes: 128 128 128\nencoding: gzip\nendian: little\n\n"
    (folder / "a.nrrd").write_bytes(fields.encode() + gzip.compress(raw))
    return [folder / name for name in ("a.nii.gz", "b.nii", "a.mgz", "a.npy", "a.npz", "a.mha", "a.nrrd")]


@pytest.mark.needs("nibabel")
def test_reading_takes_no_more_memory_than_the_header_says(tmp_path, monkeypatch):
    """NumPy's arrays are traced; blocks are small here, so that they count for nothing."""
    monkeypatch.setattr(stored, "BLOCK_NUMBERS", 2**14)
    for path in large(tmp_path):
        cost = volume_cost(path)
        assert cost.memory_bytes >= 4 * 128**3
        assert not cost.detached
        tracemalloc.start()
        try:
            read_volume(path)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak <= cost.memory_bytes + 2**20, path.name
    assert volume_cost(tmp_path / "a.nii.gz").memory_bytes >= 8_000_000 + 2 * 128**3  # its extension is decompressed
    assert volume_cost(tmp_path / "a.npy").memory_bytes == 8 * 128**3 + 128


def test_a_nrrd_that_does_not_say_its_byte_order_is_not_guessed(tmp_path):
    with pytest.raises(ValueError, match=r"endian is little or big in a header; .*a\.nrrd has ''"):
        read_volume(nrrd(tmp_path / "a.nrrd", ramp(2, 3, 4), "encoding: raw"))


BOUNDED = {  # each took seconds, or made a message as long as itself
    "comments": ("\n".join(["#"] * 300_000), "10,000 lines"),
    "keys": ("\n".join(f"key{k}:=1" for k in range(11_000)), "10,000 lines"),
    "one long line": ("#" * 2**20, "1,048,576 bytes"),
    "lines skipped": ("line skip: 1000000000", "10,000 lines"),
    "brackets": ("space directions: " + "(" * 5000, "spacedirections has at most 1,000 characters .* has 5,000"),
    "quotes": ("spacings: 1 1 1\nunits: " + '"' * 5000, "units has at most 1,000 characters"),
    "a name": ("data file: " + "x" * 900, "no such file"),
}


@pytest.mark.parametrize("kind", BOUNDED)
def test_a_nrrd_header_is_bounded_before_it_is_parsed(tmp_path, kind):
    field, message = BOUNDED[kind]
    voxels = ramp(2, 3, 4)
    path = nrrd(tmp_path / "a.nrrd", voxels, f"endian: little\nencoding: raw\n{field}", b"\n" * 20_000)
    begun = time.process_time()
    with pytest.raises((ValueError, FileNotFoundError), match=message) as refused:
        read_volume(path)
    assert time.process_time() - begun < 0.5
    assert len(str(refused.value)) < 1500


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("Key = 1\n" * 11_000, "10,000 lines"),
        ("Comment = " + "x" * 2**20 + "\n", "1,048,576 bytes"),
        ("TransformMatrix = " + "1 " * 5000 + "\n", "TransformMatrix has at most 1,000 characters"),
        ("ElementSize = " + "(" * 5000 + "\n", "ElementSize has at most 1,000 characters"),
    ],
)
def test_a_metaimage_header_is_bounded_before_it_is_parsed(tmp_path, more, message):
    with pytest.raises(ValueError, match=message) as refused:
        read_volume(metaimage(tmp_path / "a.mha", ramp(2, 3, 4), more))
    assert len(str(refused.value)) < 500


def test_a_long_remark_in_a_text_header_is_none_of_its_numbers(tmp_path):
    voxels = ramp(2, 3, 4)
    remark = "x" * 50_000
    by_hand = [
        metaimage(tmp_path / "a.mha", voxels, f"Comment = {remark}\n"),
        nrrd(tmp_path / "a.nrrd", voxels, f"endian: little\nencoding: raw\nnote:={remark}\ncontent: {remark}"),
    ]
    for path in by_hand:
        np.testing.assert_array_equal(read_volume(path).data[0, 0].numpy(), voxels.T)
