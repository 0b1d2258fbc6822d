"""Scans keep their voxels and their place, through every kind of file; what is no intact scan says so in one line."""

import gzip
import math

import numpy as np
import pytest
import torch

from wavelens.frontends.volume import Volume, read_volume, write_volume
from wavelens.models import Voxels

OBLIQUE = np.array([[0.0, -1.2, 0.1, 10.0], [0.9, 0.0, 0.2, -20.0], [0.0, 0.3, 2.4, 5.0], [0.0, 0.0, 0.0, 1.0]])


def ramp(*shape):
    """Voxels that are all different, so that no flip or exchange of axes goes unseen."""
    return np.arange(math.prod(shape), dtype=np.float32).reshape(shape)


def nifti(path, voxels, affine=OBLIQUE, unit="mm", **fields):
    import nibabel

    image = nibabel.Nifti1Image(voxels, affine)
    image.header.set_xyzt_units(unit)
    for name, value in fields.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path


@pytest.mark.needs("nibabel")
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_keeps_voxels_affine_and_spacing(tmp_path, suffix):
    found = read_volume(nifti(tmp_path / f"a{suffix}", ramp(4, 5, 6)))
    assert torch.equal(found.data, torch.from_numpy(ramp(4, 5, 6))[None, None])
    np.testing.assert_allclose(found.affine, OBLIQUE, atol=1e-6)
    assert found.spacing == pytest.approx((0.9, math.hypot(1.2, 0.3), math.sqrt(0.1**2 + 0.2**2 + 2.4**2)), rel=1e-6)
    assert found.grid.spacing == found.spacing
    assert found.grid.units == ("mm", "mm", "mm")


@pytest.mark.needs("nibabel")
def test_integers_take_the_slope_and_intercept_of_the_header(tmp_path):
    import nibabel

    image = nibabel.Nifti1Image(np.arange(8, dtype=np.int16).reshape(2, 2, 2), np.eye(4))
    image.header.set_slope_inter(0.5, -1024)
    image.to_filename(tmp_path / "a.nii")
    raw = bytearray((tmp_path / "a.nii").read_bytes())  # nibabel writes what it scaled back: set the fields themselves
    raw[112:120] = np.array([0.5, -1024], dtype="<f4").tobytes()
    raw[352:] = np.arange(8, dtype="<i2").tobytes()
    (tmp_path / "a.nii").write_bytes(raw)
    expected = torch.arange(8.0).reshape(1, 1, 2, 2, 2).permute(0, 1, 4, 3, 2) / 2 - 1024  # the first axis runs fastest
    assert torch.equal(read_volume(tmp_path / "a.nii").data, expected)


@pytest.mark.needs("nibabel")
@pytest.mark.parametrize(("unit", "factor"), [("mm", 1), ("micron", 1e-3), ("meter", 1e3), ("unknown", 1)])
def test_spacing_is_in_mm_whatever_the_unit_of_the_header(tmp_path, unit, factor):
    found = read_volume(nifti(tmp_path / "a.nii", ramp(2, 3, 4), np.diag([2.0, 3.0, 4.0, 1.0]), unit))
    assert found.spacing == pytest.approx((2 * factor, 3 * factor, 4 * factor))
    np.testing.assert_array_equal(found.affine, np.diag([2.0, 3.0, 4.0, 1.0]))


@pytest.mark.needs("nibabel")
def test_more_axes_of_nifti_are_channels_and_item_takes_one(tmp_path):
    several, vector = ramp(4, 5, 6, 3), ramp(4, 5, 6, 1, 2)
    found = read_volume(nifti(tmp_path / "a.nii", several))
    assert torch.equal(found.data[0, 2], torch.from_numpy(several[..., 2]))
    assert found.data.shape == (1, 3, 4, 5, 6)
    one = read_volume(tmp_path / "a.nii", item=-1)
    assert torch.equal(one.data[0, 0], torch.from_numpy(several[..., 2]))
    found = read_volume(nifti(tmp_path / "b.nii", vector))
    assert torch.equal(found.data[0, 1], torch.from_numpy(vector[..., 0, 1]))
    with pytest.raises(ValueError, match=r"item must be one of 3 volumes in .*a\.nii; got 3"):
        read_volume(tmp_path / "a.nii", item=3)
    with pytest.raises(ValueError, match=r"channels last; got \(4, 5, 6, 2, 2\)"):
        read_volume(nifti(tmp_path / "c.nii", ramp(4, 5, 6, 2, 2)))


@pytest.mark.needs("nibabel")
def test_colours_of_nifti_are_channels(tmp_path):
    colours = np.zeros((2, 3, 4), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    colours["G"] = np.arange(24).reshape(2, 3, 4)
    found = read_volume(nifti(tmp_path / "a.nii", colours)).data
    assert torch.equal(found[0, 1], torch.arange(24.0).reshape(2, 3, 4))
    assert found[0, [0, 2]].abs().sum() == 0


@pytest.mark.needs("nibabel")
@pytest.mark.parametrize("unit", ["mm", "micron", "voxel"])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_written_reads_back_as_it_was(tmp_path, channels, unit):
    import nibabel

    before = Volume(torch.from_numpy(ramp(channels, 4, 5, 6))[None], OBLIQUE, unit)
    write_volume(tmp_path / "a.nii.gz", before)
    after = read_volume(tmp_path / "a.nii.gz")
    assert torch.equal(after.data, before.data)
    np.testing.assert_allclose(after.affine, OBLIQUE, atol=1e-6)
    assert after.unit == unit
    assert after.spacing == before.spacing or np.allclose(after.spacing, before.spacing, rtol=1e-6)
    assert nibabel.load(tmp_path / "a.nii.gz").shape == ((4, 5, 6) if channels == 1 else (4, 5, 6, 3))


@pytest.mark.needs("nibabel")
def test_a_rotation_is_in_both_forms_of_the_header_and_a_shear_in_the_one_that_holds_it(tmp_path):
    import nibabel

    turned = np.array([[0.0, -2.0, 0.0, 1.0], [1.0, 0.0, 0.0, 2.0], [0.0, 0.0, 3.0, 3.0], [0.0, 0.0, 0.0, 1.0]])
    write_volume(tmp_path / "a.nii", Volume(torch.zeros(1, 1, 2, 2, 2), turned))
    header = nibabel.load(tmp_path / "a.nii").header
    np.testing.assert_allclose(header.get_qform(), turned, atol=1e-6)
    np.testing.assert_allclose(header.get_sform(), turned, atol=1e-6)
    assert (int(header["qform_code"]), int(header["sform_code"])) == (2, 2)
    write_volume(tmp_path / "b.nii", Volume(torch.zeros(1, 1, 2, 2, 2), OBLIQUE))
    assert int(nibabel.load(tmp_path / "b.nii").header["qform_code"]) == 0


def test_arrays_are_volumes_with_the_channel_first_and_no_millimetres(tmp_path):
    np.save(tmp_path / "a.npy", ramp(4, 5, 6).astype(np.int32))
    np.save(tmp_path / "b.npy", ramp(2, 4, 5, 6))
    np.savez(tmp_path / "c.npz", only=ramp(4, 5, 6) > 3)
    found = read_volume(tmp_path / "a.npy")
    assert torch.equal(found.data[0, 0], torch.from_numpy(ramp(4, 5, 6)))
    assert (found.spacing, found.grid.units) == (None, ("voxels",) * 3)
    assert torch.equal(read_volume(tmp_path / "b.npy").data[0], torch.from_numpy(ramp(2, 4, 5, 6)))
    assert read_volume(tmp_path / "c.npz").data.sum() == 120 - 4


def test_key_and_item_take_one_volume_of_a_stack(tmp_path):
    np.savez(tmp_path / "a.npz", train=ramp(7, 4, 5, 6), test=ramp(3, 4, 5, 6) + 1, labels=np.arange(3)[:, None])
    found = read_volume(tmp_path / "a.npz", key="test", item=2)
    assert torch.equal(found.data[0, 0], torch.from_numpy(ramp(3, 4, 5, 6)[2] + 1))
    with pytest.raises(ValueError, match=r"key must be one of train, test, labels in .*a\.npz; name one of them"):
        read_volume(tmp_path / "a.npz")
    with pytest.raises(ValueError, match=r"key must be one of train, test, labels in .*a\.npz; got 'tset'"):
        read_volume(tmp_path / "a.npz", key="tset")
    with pytest.raises(ValueError, match=r"item must be one of 3 volumes in .*a\.npz; got -4"):
        read_volume(tmp_path / "a.npz", key="test", item=-4)
    with pytest.raises(ValueError, match=r"got \(3, 1\) in .*a\.npz\. A 2-D image goes to a model of images"):
        read_volume(tmp_path / "a.npz", key="labels")
    np.save(tmp_path / "b.npy", ramp(2, 2, 4, 5, 6))
    with pytest.raises(ValueError, match=r"got \(2, 2, 4, 5, 6\) in .*b\.npy\. item takes one volume of a stack"):
        read_volume(tmp_path / "b.npy")
    with pytest.raises(ValueError, match=r"got 'x' for .*b\.npy, which holds one array. Drop it"):
        read_volume(tmp_path / "b.npy", key="x")


def test_nothing_is_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object))
    np.savez(tmp_path / "b.npz", a=np.array([{"a": 1}], dtype=object))
    for name in ("a.npy", "b.npz"):
        with pytest.raises(ValueError, match=rf"{name} holds no array that can be read without pickle"):
            read_volume(tmp_path / name)


@pytest.mark.needs("nibabel")
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_damaged_nifti_is_one_clear_line(tmp_path, name):
    path, other = tmp_path / name, tmp_path / f"other-{name}"
    whole = nifti(path, np.random.default_rng(0).random((16, 16, 16))).read_bytes()
    cases = [
        (b"hello", "other-.* begins with b'hello'"),
        (gzip.compress(b"hello"), "other-.* begins with b'hello'"),
        (whole[: len(whole) // 2], "other-.* is damaged: (its header promises|Compressed file ended)"),
        (whole[:100], "other-.* is damaged"),
        (b"\0" * len(whole), "other-.* begins with"),
    ]
    for content, message in cases:
        other.write_bytes(content)
        with pytest.raises(ValueError, match=message) as caught:
            read_volume(other)
        assert "\n" not in str(caught.value)


@pytest.mark.needs("nibabel")
def test_what_nibabel_notes_of_a_header_is_not_printed_beside_the_error(tmp_path, caplog):
    path = nifti(tmp_path / "a.nii", ramp(4, 4, 4), np.eye(4))
    raw = bytearray(path.read_bytes())
    raw[70:72], raw[40:42] = b"\xff\x7f", b"\x09\x00"  # the type of its voxels, and how many axes they have
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r"a\.nii is damaged: "):
        read_volume(path)
    assert not caplog.records


@pytest.mark.needs("nibabel")
def test_a_header_without_extent_says_so(tmp_path, capfd):
    path = nifti(tmp_path / "a.nii", ramp(4, 4, 4), np.eye(4))
    raw = bytearray(path.read_bytes())
    raw[76:92] = np.array([1, 1, 1, 0], dtype="<f4").tobytes()  # pixdim
    raw[252:256] = np.array([0, 0], dtype="<i2").tobytes()  # qform_code, sform_code
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r"a\.nii does not say how far apart .* its spacing is \[1.0, 1.0, 0.0\] mm"):
        read_volume(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.needs("nibabel")
def test_tensors_and_arrays_are_no_volumes(tmp_path):
    voxels = torch.zeros(1, 1, 4, 4, 4)
    with pytest.raises(TypeError, match=r"voxels must be a tensor .*; got ndarray\. Try torch\.as_tensor"):
        Volume(voxels.numpy(), np.eye(4))
    with pytest.raises(TypeError, match=r"write_volume takes a Volume, which knows its place; got Tensor\. Wrap it"):
        write_volume(tmp_path / "a.nii", voxels)
    with pytest.raises(TypeError, match=r"a scan must be a Volume, .*; got Tensor\. Wrap it in Volume\(data, affine\)"):
        Voxels((1, 4, 4, 4))(voxels)


def test_what_is_no_volume_says_so(tmp_path):
    (tmp_path / "zero.nii").touch()
    np.save(tmp_path / "nan.npy", np.where(ramp(4, 4, 4) == 7, np.nan, np.where(ramp(4, 4, 4) == 9, np.inf, 1)))
    np.save(tmp_path / "thin.npy", ramp(4, 4, 1))
    np.save(tmp_path / "text.npy", np.full((2, 2, 2), "a"))
    (tmp_path / "none.npz").write_bytes(b"PK")
    with pytest.raises(FileNotFoundError, match=r"no such volume: .*none\.nii"):
        read_volume(tmp_path / "none.nii")
    with pytest.raises(ValueError, match=r"zero\.nii is empty"):
        read_volume(tmp_path / "zero.nii")
    with pytest.raises(ValueError, match=r"nan\.npy: a volume's voxels must be finite; got NaN or infinity in 2 of 64"):
        read_volume(tmp_path / "nan.npy")
    with pytest.raises(ValueError, match=r"thin\.npy: .*; got \(1, 1, 4, 4, 1\)\. A 2-D image goes to a model of"):
        read_volume(tmp_path / "thin.npy")
    with pytest.raises(ValueError, match=r"channels last; got \(4, 4\) in .*flat\.nii\. A 2-D image goes to a model"):
        read_volume(nifti(tmp_path / "flat.nii", ramp(4, 4)))
    with pytest.raises(ValueError, match=r"voxels must be real numbers; got <U1 in .*text\.npy"):
        read_volume(tmp_path / "text.npy")
    with pytest.raises(ValueError, match=r"none\.npz is damaged: File is not a zip file"):
        read_volume(tmp_path / "none.npz")
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"a volume must be \.nii, \.nii\.gz, .*\.npz, .* or a folder .*got .*a\.png"):
        read_volume(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a file ending in \.nii or \.nii\.gz; got .*a\.mha"):
        write_volume(tmp_path / "a.mha", Volume(torch.zeros(1, 1, 2, 2, 2), np.eye(4)))
    with pytest.raises(ValueError, match="unit must be 'voxel' or one of mm, micron, meter; got 'inch'"):
        Volume(torch.zeros(1, 1, 2, 2, 2), np.eye(4), "inch")
    with pytest.raises(
        ValueError, match=r"an affine must be a finite 4 × 4 matrix that moves along every axis, .*; got \[\[1"
    ):
        Volume(torch.zeros(1, 1, 2, 2, 2), np.diag([1.0, 1.0, 0.0, 1.0]))
    parallel = np.array([[1.0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]])
    parallel[2, 2] = 1
    with pytest.raises(ValueError, match="each its own way"):
        Volume(torch.zeros(1, 1, 2, 2, 2), parallel)
