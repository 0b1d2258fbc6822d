"""The command on volumes: tables in mm, maps that lie over the scan, a page; and one line for wrong input."""

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import wavelens as wl
from test_dicom import dicom_slice, enhanced, series
from test_volume import nifti
from wavelens import maps
from wavelens.cli import main
from wavelens.explaining.kinds import PHOTO, VOLUME, kind_of
from wavelens.frontends import read_volume
from wavelens.models import ResNet3D

AFFINE = np.array([[-2.0, 0.0, 0.0, 30.0], [0.0, 0.0, 1.0, -20.0], [0.0, 3.0, 0.0, 5.0], [0.0, 0.0, 0.0, 1.0]])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with weights of the small network."""
    torch.manual_seed(0)
    save_file(ResNet3D().state_dict(), tmp_path / "net.safetensors")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def explain(*arguments):
    given = ["--model", "resnet3d", "--weights", "net.safetensors", "--method", "IntegratedGradients(steps=3)"]
    return main(["explain", *arguments, *given, "--out", "out"])


def scan(*axes):
    index = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in axes), indexing="ij"))
    return (200 * np.exp(-4 * ((index - 0.2) ** 2).sum(0))).astype(np.float32)


@pytest.mark.needs("nibabel", "plotly")
def test_a_scan_gives_tables_in_mm_and_maps_over_it(folder, capsys):
    nifti(folder / "scan.nii.gz", scan(28, 28, 28), AFFINE)
    assert explain("scan.nii.gz", "--target", "1") == 0
    printed = capsys.readouterr().out
    assert "2–4 × 3–6 × 1–2 mm" in printed
    assert re.search("its (rise over|fall below) a volume of zeros comes from", printed)
    assert {path.name for path in (folder / "out").iterdir()} == {
        *("scan.png", "scan.safetensors", "scan.json", "scan.html"),
        *(f"scan-{name}.nii.gz" for name in ("all", "a2", "d2", "d1", "signed")),
    }
    a = wl.Attribution.load("out/scan.safetensors")
    expected = {"all": maps.spatial_map(a), **maps.scale_maps(a), "signed": maps.spatial_map(a, signed=True)}
    for name, values in expected.items():
        found = read_volume(f"out/scan-{name}.nii.gz")
        np.testing.assert_allclose(found.affine, AFFINE, atol=1e-6)
        torch.testing.assert_close(found.data[0, 0], values[0], rtol=1e-5, atol=1e-7)
    summary = json.loads((folder / "out/scan.json").read_text())
    assert summary["units"] == ["mm", "mm", "mm"]
    assert [row["from_to"] for row in summary["profile"]][2] == [[2, 4], [3, 6], [1, 2]]
    assert [row["scale"] for row in summary["profile"]] == ["a2", "d2", "d1"]


@pytest.mark.needs("nibabel", "plotly")
def test_maps_of_a_resized_scan_lie_over_it_too(folder):
    nifti(folder / "scan.nii", scan(40, 20, 31), AFFINE)
    assert explain("scan.nii") == 0
    found = read_volume("out/scan-all.nii.gz")
    assert found.axes == (40, 20, 31)
    np.testing.assert_allclose(found.affine, AFFINE, atol=1e-6)
    a = wl.Attribution.load("out/scan.safetensors")
    there = np.array(np.unravel_index(int(maps.spatial_map(a)[0].argmax()), (28, 28, 28)))
    here = np.array(np.unravel_index(int(found.data[0, 0].argmax()), found.axes))
    assert np.abs((there + 0.5) / 28 - (here + 0.5) / np.array(found.axes)).max() < 0.05


@pytest.mark.needs("nibabel", "plotly", "pydicom")
def test_arrays_and_dicom_folders_are_volumes(folder, capsys):
    np.save(folder / "array.npy", scan(28, 28, 28))
    series(folder / "ct", [dicom_slice(k) for k in range(6)])
    assert explain("array.npy") == 0
    assert "1–2 voxels" in capsys.readouterr().out
    assert not list((folder / "out").glob("*.nii.gz"))  # an array does not say where it lies
    assert explain("ct") == 0
    assert read_volume("out/ct-all.nii.gz").axes == (5, 4, 6)


@pytest.mark.needs("nibabel", "plotly")
def test_wrong_input_is_one_line_each(folder, capsys):
    np.save(folder / "nan.npy", np.where(scan(28, 28, 28) > 190, np.nan, 0))
    np.savez(folder / "two.npz", a=scan(4, 4, 4), b=scan(4, 4, 4))
    np.save(folder / "colours.npy", np.zeros((3, 28, 28, 28)))
    (folder / "empty.nii").touch()
    (folder / "broken.nii.gz").write_bytes(b"no scan")
    Image.new("L", (28, 28)).save(folder / "photo.png")
    nifti(folder / "flat.nii", np.zeros((28, 28), dtype=np.float32))
    names = ["nan.npy", "two.npz", "colours.npy", "empty.nii", "broken.nii.gz", "photo.png", "flat.nii"]
    assert explain(*names) == 2
    lines = capsys.readouterr().err.splitlines()
    expected = [
        "nan.npy: a volume's voxels must be finite; got NaN",
        "key must be one of a, b in two.npz; name one of them",
        "colours.npy: the network takes volumes of 1 channel; got 3",
        "empty.nii is empty",
        "broken.nii.gz begins with b'no scan'",
        "photo.png is a photo; resnet3d takes volumes",
        "got (28, 28) in flat.nii. A 2-D image goes to a model of images",
        "7 of 7 files could not be explained; the column error of",
    ]
    for line, part in zip(lines, expected, strict=True):
        assert part in line


@pytest.mark.needs("pydicom")
def test_a_folder_is_its_volumes_or_one_series(tmp_path):
    """A header and its image are one volume; slices are one together, and each a picture; frames are a volume."""
    for name in ("a.hdr", "a.img", "b.hdr", "b.img.gz", "c.img", "d.mha", "d.raw", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert [path.name for path in VOLUME.inside(tmp_path)] == ["a.hdr", "b.hdr", "c.img", "d.mha"]
    slices = series(tmp_path / "ct", [dicom_slice(k) for k in range(3)])
    assert VOLUME.inside(slices) == [slices]
    assert [path.name for path in PHOTO.inside(slices)] == ["00.dcm", "03.dcm", "07.dcm"]
    assert kind_of([str(slices)]) is VOLUME
    assert kind_of([str(slices / "00.dcm")]) is PHOTO
    frames = series(tmp_path / "frames", [enhanced((0, 1)), dicom_slice(3)])
    assert VOLUME.inside(frames) == [frames / "00.dcm", frames]  # the slice that is left over is not passed over
    for name in ("x.png", "y.png"):
        Image.new("L", (4, 4)).save(slices / name)
    assert kind_of([str(slices)]) is PHOTO


@pytest.mark.needs("nibabel", "pydicom", "plotly")
def test_one_file_that_does_not_fit_into_memory_ends_itself_alone(folder, capsys, monkeypatch):
    from wavelens.frontends.scans import stored

    nifti(folder / "large.nii", scan(28, 28, 28))
    nifti(folder / "small.nii", scan(8, 8, 8))
    monkeypatch.setattr(stored, "_free_bytes", lambda: 50_000)
    assert explain("large.nii", "small.nii") == 1
    printed = capsys.readouterr()
    assert "large.nii has 1 × 28 × 28 × 28 voxels, which take 87.8 kB" in printed.err
    assert (folder / "out/small.json").exists()
