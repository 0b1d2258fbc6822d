"""Several files as one volume: which channel is which, one grid for all, accounts by modality and scale."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import wavelens as wl
from test_volume import OBLIQUE, nifti
from wavelens.cli import main
from wavelens.explaining.kinds import VOLUME, kind_of
from wavelens.frontends.joined import joined_files, joined_groups, joined_names, joined_stem
from wavelens.frontends.several_scans import read_scans, resampled
from wavelens.frontends.volume import Volume
from wavelens.models import Voxels
from wavelens.runs.samples import samples

MODALITIES = ("t1", "t1ce", "t2", "flair")
AXES = (12, 8, 10)
TEXT = ",".join(f"case_{name}.nii.gz" for name in MODALITIES)
OWN = '''
import torch
import wavelens as wl


class Two(torch.nn.Module):
    """Logits from the mean of t1ce and the square of flair."""

    def forward(self, x):
        contrast = x[:, 1].mean((1, 2, 3))
        return torch.stack([-contrast, contrast + x[:, 3].square().mean((1, 2, 3))], 1)


def net():
    voxels = wl.models.Voxels((4, 12, 8, 10), channels=("t1", "t1ce", "t2", "flair"))
    return wl.models.LoadedModel(Two().eval(), ("healthy", "tumour"), voxels, "own_scans:net")
'''


def voxels(k):
    return np.random.default_rng(k).random(AXES, dtype=np.float32)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the four scans of a case, and a network of them."""
    (tmp_path / "own_scans.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for k, name in enumerate(MODALITIES):
        nifti(tmp_path / f"case_{name}.nii.gz", voxels(k))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "names", "stem"),
    [
        ("case_t1.nii.gz,case_t1ce.nii.gz,case_flair.nii.gz", ("t1", "t1ce", "flair"), "case"),
        ("t1.nii.gz,t2.nii.gz", ("t1", "t2"), "t1+t2"),
        ("d/case-7/t1_reg.nii,d/case-7/flair_reg.nii", ("t1", "flair"), "case-7"),
        ("d/case-7/t1_reg.nii,flair_reg.nii", ("t1", "flair"), "case-7"),
        ("t1/scan.mha, t2/scan.mha", ("t1", "t2"), "t1+t2"),
        ("s_T1w.nii.gz,s_FLAIR.nii", ("T1w", "FLAIR"), "s"),
    ],
)
def test_files_are_called_by_what_tells_them_apart(text, names, stem):
    files = joined_files(Path(text))
    assert joined_names(files) == names
    assert joined_stem(files) == VOLUME.stem(Path(text)) == stem
    assert kind_of([text]) is VOLUME


def test_a_file_whose_name_has_a_comma_and_a_pattern_are_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a,b").mkdir()
    Path("a,b/t1,t2.nii").touch()
    for text in ("a,b/t1,t2.nii", "a,b", "[x,y]*.nii"):
        assert joined_files(Path(text)) == [Path(text)]
    assert joined_files(Path("a,b/t1.nii,t2.nii")) == [Path("a,b/t1.nii"), Path("a,b/t2.nii")]


@pytest.mark.needs("nibabel")
def test_each_file_is_a_channel_at_the_place_of_the_first(folder):
    found = read_scans(TEXT)
    assert found.channels == MODALITIES
    np.testing.assert_allclose(found.affine, OBLIQUE, atol=1e-6)
    for k in range(4):
        np.testing.assert_array_equal(found.data[0, k], voxels(k))
    prepared = Voxels((4, *AXES), channels=("flair", "T1", "t2", "t1ce"), intensity=(0.0, 1.0))
    np.testing.assert_array_equal(prepared(found)[0].numpy(), np.stack([voxels(k) for k in (3, 0, 2, 1)]))
    back = prepared.original(prepared(found), found)
    np.testing.assert_allclose(back.data[0, 0], voxels(3), atol=1e-6)


def linear(affine, axes, slope=(1.0, -2.0, 0.5)):
    """A scan whose values are a linear function of the place, which linear interpolation takes over exactly."""
    index = np.stack([*np.meshgrid(*map(np.arange, axes), indexing="ij"), np.ones(axes)])
    where = np.einsum("rc,cijk->rijk", affine, index)[:3]
    return Volume(torch.from_numpy(np.einsum("r,rijk->ijk", slope, where)).float()[None, None], affine)


def test_resampling_finds_the_value_at_each_place_and_zero_outside():
    coarse = np.diag([2.5, 2.0, 3.0, 1.0])
    coarse[:3, 3] = -3, -4, -5
    centred = OBLIQUE.copy()
    centred[:3, 3] = 10, 4, 12
    own, like = linear(coarse, (14, 15, 16)), linear(centred, (6, 7, 5))
    found = resampled(own, like)
    np.testing.assert_allclose(found.data, like.data, atol=1e-4)
    away = like.affine.copy()
    away[:3, 3] = 500
    assert not resampled(own, linear(away, (6, 7, 5))).data.any()


@pytest.mark.needs("nibabel")
def test_files_of_other_grids_are_refused_unless_resampling_is_asked_for(folder):
    moved, wide = OBLIQUE.copy(), OBLIQUE @ np.diag([2.0, 1, 1, 1])
    moved[0, 3] += 3
    nifti(folder / "moved.nii", voxels(1), moved)
    nifti(folder / "wide.nii", voxels(1), wide)
    nifti(folder / "short.nii", voxels(1)[:-1])
    nifti(folder / "four.nii", np.zeros((*AXES, 4), np.float32))
    np.save(folder / "nowhere.npy", voxels(1))
    first, remedy = "case_t1.nii.gz", r"Register them and resample to one grid, or .*resample=True"
    for name, message in {
        "moved.nii": rf"moved\.nii lies elsewhere than case_t1\.nii\.gz, up to 3 mm away\. {remedy}",
        "wide.nii": rf"wide\.nii has voxels of 1\.8 × 1\.237 × 2\.41 mm and {first} of 0\.9 × .*{remedy}",
        "short.nii": rf"short\.nii has 11 × 8 × 10 voxels and {first} 12 × 8 × 10\. {remedy}",
        "four.nii": r"each file of several is one channel; four\.nii has 4 along its fourth axis",
        "nowhere.npy": r"distances in nowhere\.npy are in voxel and those in case_t1\.nii\.gz in mm",
        first: r"the files of one input differ; case_t1\.nii\.gz is named twice",
        "": r"separated by single commas; got 'case_t1\.nii\.gz,'",
    }.items():
        with pytest.raises(ValueError, match=message):
            read_scans(f"{first},{name}")
    found = read_scans(f"{first},moved.nii", resample=True)
    np.testing.assert_allclose(found.affine, OBLIQUE, atol=1e-6)
    preparation = Voxels((2, *AXES), resample=True)
    assert VOLUME.signal_at(Path(f"{first},moved.nii"), preparation).data.equal(found.data)
    with pytest.raises(ValueError, match="nowhere"):
        read_scans(f"{first},nowhere.npy", resample=True)
    with pytest.raises(FileNotFoundError, match=r"no such volume: t9\.nii"):
        read_scans(f"{first},t9.nii")


@pytest.mark.needs("nibabel", "plotly")
def test_the_account_is_by_modality_and_scale(folder, capsys):
    assert main(["explain", TEXT, "--model", "own_scans:net", "--target", "tumour", "--report", "--out", "out"]) == 0
    printed = capsys.readouterr().out
    assert "one input of 4 files: t1, t1ce, t2, flair" in printed
    summary = json.loads(Path("out/case.json").read_text())
    by_channel = {row["channel"]: row["signed"] for row in summary["by_channel"]}
    assert list(by_channel) == list(MODALITIES)
    assert not any(by_channel["t1"])
    assert not any(by_channel["t2"])
    total = np.sum(list(by_channel.values()), 0)
    np.testing.assert_allclose(total, [row["signed"] for row in summary["profile"]], rtol=1e-5, atol=1e-9)
    assert sum(map(sum, by_channel.values())) + summary["gap"] == pytest.approx(
        summary["score"] - summary["baseline_score"], rel=1e-5
    )
    assert '"channels": ["t1ce", "flair"' in Path("out/report.html").read_text() or "t1ce" in printed
    assert (folder / "out/case.png").stat().st_size > 10_000
    explanation = wl.explain(TEXT, "own_scans:net", target="tumour")
    assert explanation.by_channel == summary["by_channel"]
    assert repr(explanation).startswith("<Explanation of case (t1, t1ce, t2, flair): ")


@pytest.mark.needs("nibabel")
def test_the_order_of_the_files_does_not_matter_where_the_network_names_its_channels(folder):
    turned = ",".join(reversed(TEXT.split(",")))
    one, other = (wl.explain(text, "own_scans:net", target=1) for text in (TEXT, turned))
    assert one.by_channel == other.by_channel
    bare = wl.explain(turned, nn.Sequential(nn.Flatten(2), nn.AdaptiveAvgPool1d(1), nn.Flatten()).eval(), target=0)
    assert [row["channel"] for row in bare.by_channel] == list(reversed(MODALITIES))


@pytest.mark.needs("nibabel")
def test_a_missing_modality_and_a_wrong_number_are_one_line_each(folder, capsys):
    nifti(folder / "stack.nii.gz", np.zeros((*AXES, 3), np.float32))
    texts = ["case_t1.nii.gz,case_t2.nii.gz,case_flair.nii.gz", "stack.nii.gz", "case_t1.nii.gz", "x_t1.nii,x_t2.nii"]
    assert main(["explain", *texts, "--model", "own_scans:net", "--out", "out"]) == 2
    lines = capsys.readouterr().err.splitlines()
    expected = [
        "the network takes the channels t1, t1ce, t2, flair; the input lacks t1ce and has t1, t2, flair.",
        "stack.nii.gz: the network takes volumes of 4 channels; got 3.",
        "case_t1.nii.gz: the network takes volumes of 4 channels; got 1. Take one",
        "no such volume: x_t1.nii",
    ]
    for line, part in zip(lines, expected, strict=True):
        assert part in line


@pytest.mark.needs("nibabel", "plotly")
def test_a_fourth_axis_is_said_to_be_channels(folder, capsys):
    nifti(folder / "stack.nii.gz", np.stack([voxels(k) for k in range(4)], -1))
    assert main(["explain", "stack.nii.gz", "--model", "own_scans:net", "--target", "1", "--out", "out"]) == 0
    assert "the fourth axis, 4 long, is taken for channels, not for time" in capsys.readouterr().out
    rows = json.loads(Path("out/stack.json").read_text())["by_channel"]
    assert [row["channel"] for row in rows] == list(MODALITIES)


@pytest.mark.needs("nibabel")
def test_in_a_folder_the_files_of_a_case_are_one_input_with_all_their_bytes(folder):
    for case in ("p1", "p2"):
        (folder / "set" / case).mkdir(parents=True)
        for k, name in enumerate((*MODALITIES, "seg")):
            nifti(folder / "set" / case / f"{case}_{name}.nii.gz", voxels(k))
    preparation = Voxels((4, *AXES), channels=MODALITIES)
    found = samples(Path("set"), partial(VOLUME.inside, preparation=preparation), VOLUME.files)
    joined = [",".join(f"{case}_{name}.nii.gz" for name in MODALITIES) for case in ("p1", "p2")]
    assert [sample.name for sample in found] == [
        f"{case}/{name}" for case, name in zip(("p1", "p2"), joined, strict=True)
    ]
    sizes = [(folder / "set/p1" / f"p1_{name}.nii.gz").stat().st_size for name in MODALITIES]
    assert found[0].bytes == sum(sizes)
    assert VOLUME.signal_at(found[1].path, preparation).channels == MODALITIES
    loose = [Path("a.nii"), Path("b.nii")]
    assert joined_groups(loose, MODALITIES) == loose
    assert main(["explain", "set/p1", "--model", "own_scans:net", "--method", "Saliency()", "--out", "out"]) == 0
    assert Path("out/p1.json").exists()
