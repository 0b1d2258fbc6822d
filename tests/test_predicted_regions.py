"""A class in the region where the network predicts it: by text, through the command, with names and in millilitres."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import wavelens as wl
from test_volume import nifti
from wavelens.cli import main
from wavelens.models import load
from wavelens.targets import RegionText, is_region, predicted_region, region_text, scores
from wavelens.targets.predicted import largest_region

ROWS = torch.arange(2)
LOGITS = torch.randn(2, 3, 4, 5, 6, generator=torch.Generator().manual_seed(0))
UNET = "monai:UNet(channels=(4, 8), strides=(2,), num_res_units=0, classes=3, shape=(12, 8, 10))"


def test_texts_say_a_class_and_whether_probabilities_are_summed():
    assert region_text(" region:2 ") == RegionText("2")
    assert region_text("region: enhancing tumour") == RegionText("enhancing tumour")
    assert region_text("region:p(tumour)") == RegionText("tumour", probability=True)
    assert not any(map(is_region, ("tumour", "regions:2", 2, None)))
    for text in ("region:", "region:p()", "tumour"):
        with pytest.raises(ValueError, match=r"a region is written region:CLASS, such as region:2, .*; got"):
            region_text(text)


def test_the_region_is_where_the_class_is_predicted_and_stays_there():
    mask = LOGITS.argmax(1) == 1
    target = predicted_region(LOGITS, 1)
    for other in (LOGITS, -LOGITS):  # what the output becomes does not move it
        expected = (other[:, 1] * mask).flatten(1).sum(1)
        torch.testing.assert_close(scores(target, other, ROWS)[0], expected)
    rather = predicted_region(LOGITS, 1, against=0)
    torch.testing.assert_close(
        scores(rather, LOGITS, ROWS)[0], ((LOGITS[:, 1] - LOGITS[:, 0]) * mask).flatten(1).sum(1)
    )
    probable = predicted_region(LOGITS, 1, probability=True)
    torch.testing.assert_close(scores(probable, LOGITS, ROWS)[0], (LOGITS.softmax(1)[:, 1] * mask).flatten(1).sum(1))
    assert "probability=True" in wl.targets.describe(probable)


def test_classes_that_do_not_exclude_each_other_have_regions_of_their_own():
    inside = LOGITS[:, 2] > 0
    target = predicted_region(LOGITS, 2, independent=True, probability=True)
    torch.testing.assert_close(scores(target, LOGITS, ROWS)[0], (LOGITS[:, 2].sigmoid() * inside).flatten(1).sum(1))
    lone = LOGITS[:, :1]
    torch.testing.assert_close(
        scores(predicted_region(lone, 0), lone, ROWS)[0], lone[:, 0].clamp_min(0).flatten(1).sum(1)
    )


def test_the_largest_region_of_classes_that_do_not_exclude_each_other_is_where_one_is_predicted():
    logits = torch.full((1, 3, 8, 8), -5.0)
    logits[0, 0] = -4  # nearest to being there nearly everywhere, and nowhere there
    logits[0, 1, :3], logits[0, 2, :2] = 1, 2
    assert largest_region(logits, independent=True) == 1
    assert largest_region(logits) == 0


def test_a_region_that_is_not_there_says_what_is():
    logits = torch.zeros(1, 3, 10, 10)
    logits[0, 0], logits[0, 1, :2] = 1, 2
    message = r"predicts tumour \(2\) nowhere in this input; it predicts rest \(0\) in 80 %, edge \(1\) in 20 %\. Ask"
    with pytest.raises(ValueError, match=message):
        predicted_region(logits, 2, names=("rest", "edge", "tumour"))
    with pytest.raises(ValueError, match=r"a class from 0 to 2, the network's outputs; got 3"):
        predicted_region(logits, 3)
    with pytest.raises(ValueError, match=r"a segmenter, which gives logits .*; got \(2, 3\)\. Name the class alone"):
        predicted_region(torch.zeros(2, 3), 1)
    with pytest.raises(ValueError, match="it predicts none of its classes anywhere"):
        predicted_region(-torch.ones(1, 1, 4, 4), 0)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a scan and a small random UNet of MONAI, which predicts its three classes."""
    from monai.networks.nets import UNet

    monkeypatch.chdir(tmp_path)
    torch.manual_seed(3)
    net = UNet(3, 1, 3, channels=(4, 8), strides=(2,))
    torch.save(net.state_dict(), "net.pth")
    nifti(
        tmp_path / "scan.nii.gz", np.random.default_rng(0).random((12, 8, 10), dtype=np.float32), np.diag([1, 2, 2, 1])
    )
    Path("names.txt").write_text("rest\nedge\ntumour\n")
    return tmp_path


def predictions():
    loaded = load(UNET, weights="net.pth", any_output=True)
    return loaded, loaded.module(loaded.preprocess(wl.frontends.read_volume("scan.nii.gz"))).argmax(1)[0]


@pytest.mark.needs("monai", "nibabel", "plotly")
def test_a_segmenter_is_explained_by_the_volume_of_a_label(folder, capsys):
    loaded, classes = predictions()
    label = int(classes.flatten().mode().values)
    count = int((classes == label).sum())
    given = ["--model", UNET, "--weights", "net.pth", "--method", "IntegratedGradients(tolerance=0.02)"]
    name = ("rest", "edge", "tumour")[label]
    assert (
        main(
            [
                "explain",
                "scan.nii.gz",
                *given,
                "--class-names",
                "names.txt",
                "--target",
                f"region:{name}",
                "--report",
                "--out",
                "out",
            ]
        )
        == 0
    )
    assert f"{name} in its region, {count} voxels ({count * 4 / 1000:.3g} ml), sum of logits" in capsys.readouterr().out
    summary = json.loads(Path("out/scan.json").read_text())
    x = loaded.preprocess(wl.frontends.read_volume("scan.nii.gz"))
    expected = (loaded.module(x)[0, label] * (classes == label)).sum()
    assert summary["score"] == pytest.approx(expected.item(), rel=1e-4)
    rise = summary["score"] - summary["baseline_score"]
    assert sum(row["signed"] for row in summary["profile"]) + summary["gap"] == pytest.approx(rise, rel=1e-4)
    mask = wl.frontends.read_volume("out/scan-region.nii.gz").data[0, 0]
    assert torch.equal(mask > 0.5, classes == label)
    assert f"--target region:{name}" in Path("out/report.html").read_text()


@pytest.mark.needs("monai", "nibabel")
def test_wrong_regions_are_one_line_each(folder, capsys):
    given = ["explain", "scan.nii.gz", "--model", UNET, "--weights", "net.pth", "--out", "out", "--target"]
    cases = {
        "region:tumour": "--target region:tumour names the class tumour, and those of monai:UNet",
        "region:7": "scan.nii.gz: a region must be of a class from 0 to 2, the network's outputs; got 7.",
        "region:": "a region is written region:CLASS",
        "1": "a classifier returns logits (batch, classes); monai:UNet",
    }
    for text, message in cases.items():
        assert main([*given, text]) == 2
        assert message in capsys.readouterr().err
    for other in ("1", "3"):
        assert main([*given, "region:1", "--against", other]) == 2
        assert (
            f"--against must be another class than that of region:1, from 0 to 2; got {other}"
            in capsys.readouterr().err
        )
    assert main([*given, "region:1", "--against", "next"]) == 2
    assert "--against of region:1 must be a class by its index or name; got 'next'" in capsys.readouterr().err
    Path("two.txt").write_text("a\nb\n")
    assert main([*given, "region:1", "--class-names", "two.txt"]) == 2
    assert "class names must be one per output of the network, 3; got 2" in capsys.readouterr().err


@pytest.mark.needs("monai")
@pytest.mark.parametrize(
    ("name", "text", "channels"),
    [
        ("SegResNet", "init_filters=4, norm=('GROUP', {'num_groups': 2}), blocks_down=(1, 1), blocks_up=(1,)", 4),
        ("UNETR", "feature_size=4, hidden_size=12, mlp_dim=16, num_heads=2", 1),
        ("SwinUNETR", "feature_size=12", 1),
    ],
)
def test_segmenters_of_monai_are_built_as_its_constructors_do(tmp_path, name, text, channels):
    import monai.networks.nets as networks

    given = eval(f"dict({text})")  # the literals of the command
    axes = (64, 32, 32) if name == "SwinUNETR" else (16, 16, 16)
    if name == "UNETR":
        given["img_size"] = axes
    extra = {"spatial_dims": 3} if name == "SegResNet" else {}
    torch.manual_seed(0)
    net = getattr(networks, name)(**extra, in_channels=channels, out_channels=3, **given).eval()
    torch.save(net.state_dict(), tmp_path / "net.pth")
    names = ", modalities=('t1', 't1ce', 't2', 'flair')" if channels == 4 else ""
    loaded = load(
        f"monai:{name}(out_channels=3{names}, shape={axes}, independent=True, {text})",
        weights=tmp_path / "net.pth",
        any_output=True,
    )
    assert (loaded.link, loaded.preprocess.shape) == ("sigmoid", (channels, *axes))
    assert loaded.preprocess.channels == (("t1", "t1ce", "t2", "flair") if channels == 4 else ())
    x = torch.rand(1, channels, *axes, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(loaded.module(x), net(x))
    assert isinstance(loaded.module, nn.Module)


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """A working folder with a photo and a segmenter of one's own, of three classes."""
    from PIL import Image

    source = np.random.default_rng(0)
    Image.fromarray((255 * source.random((32, 32, 3))).astype("uint8")).save(tmp_path / "photo.png")
    (tmp_path / "segments.py").write_text(
        "import torch\nimport wavelens as wl\n\n\nclass Net(torch.nn.Module):\n    def forward(self, x):\n"
        "        level = torch.nn.functional.avg_pool2d(x.mean(1, keepdim=True), 3, 1, 1)\n"
        "        return torch.cat([0.5 - level, level - 0.5, level * 0 - 9], 1)\n\n\ndef net():\n"
        "    return wl.models.LoadedModel(Net().eval(), (), wl.models.Geometry((32, 32), (32, 32)), 'segments:net')\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_minimal_and_check_take_a_region(pictures, capsys):
    given = ["photo.png", "--model", "segments:net", "--device", "cpu", "--out", "out", "--target"]
    assert main(["minimal", *given, "region:1", "--alpha", "0.1", "--steps", "3", "--domain", "DWT('haar', 2)"]) == 0
    assert "class 1 in its region" in capsys.readouterr().out
    summary = json.loads(Path("out/photo-minimal.json").read_text())
    loaded = wl.models.load("segments:net", any_output=True)
    x = loaded.preprocess(wl.frontends.read_image("photo.png"))
    output = loaded.module(x)
    expected = float(output[0, 1][output.argmax(1)[0] == 1].sum())
    assert summary["front"][0]["score"] == pytest.approx(expected, rel=1e-4)
    assert summary["front"][0]["probability"] is None
    assert main(["check", *given, "region:1", "--method", "InputTimesGradient"]) in (0, 1)
    verdicts = json.loads(Path("out/photo-check.json").read_text())["verdicts"]
    assert {one["check"]: one["status"] for one in verdicts}["differentiable"] == "pass"
    for command in ("minimal", "check"):
        assert main([command, *given, "region:2"]) == 2
        assert "the network predicts class 2 nowhere in this input" in capsys.readouterr().err
