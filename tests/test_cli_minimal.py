"""`wavelens minimal`: what it prints and writes agrees with the function, for every kind of signal."""

import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import wavelens as wl
from wavelens.cli import main
from wavelens.spec import parse

OWN = """
from dataclasses import dataclass
import torch
from wavelens.models import Geometry, LoadedModel
from wavelens.models import Sampling
from wavelens.models import Voxels

class Halves(torch.nn.Module):
    def forward(self, x):
        left, right = x.chunk(2, -1)
        return torch.stack([left.flatten(1).sum(1), right.flatten(1).sum(1)], 1) / 10

@dataclass(frozen=True)
class RightSide:
    def __call__(self, x):
        return torch.cat([torch.zeros_like(x[..., :16]), torch.ones_like(x[..., 16:])], -1)

def photos():
    return LoadedModel(Halves(), ("left side", "right side"), Geometry((32, 32), (32, 32), squash=True), "net")

def sounds():
    return LoadedModel(Halves(), ("early", "late"), Sampling(8000), "net")

def volumes():
    return LoadedModel(Halves(), ("low", "high"), Voxels((1, 8, 8, 8), (0.0, 1.0)), "net")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "own_nets.py").write_text(OWN)
    picture = np.full((32, 32, 3), 40, dtype=np.uint8)
    picture[4:20, 2:14] = 255
    Image.fromarray(picture).save(tmp_path / "left.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def minimal(model, *arguments):
    return main(["minimal", "--model", f"own_nets:{model}", "--steps", "25", "--alpha", "0,30,90", *arguments])


def test_photos_give_a_figure_and_a_front_that_agree(folder, capsys):
    assert minimal("photos", "left.png", "--out", "found") == 0
    x = wl.frontends.read_image(folder / "left.png")
    net = sys.modules["own_nets"].Halves().eval()
    domain = wl.DWT("haar", levels=5)
    expected = wl.masks.minimal(net, x, 0, domain=domain, alpha=[0.0, 30.0, 90.0], steps=25).front()
    found = json.loads((folder / "found/left-minimal.json").read_text())
    untouched, *rows = found["front"]
    assert untouched["logit"] == pytest.approx(net(x)[0, 0].item())
    assert [row["alpha"] for row in rows] == [0, 30, 90]
    assert [row["zeros"] for row in rows] == pytest.approx(expected.sparsity[:, 0].tolist())
    assert [row["logit"] for row in rows] == pytest.approx(expected.after[:, 0].tolist())
    assert rows[0]["zeros"] < rows[1]["zeros"] <= rows[2]["zeros"]
    after = net(expected.rebuilt[2]).softmax(1)[0, 0].item()
    assert rows[2]["probability"] == pytest.approx(after)
    assert found["target"] == {"index": 0, "label": "left side"}
    assert wl.parse(found["domain"]) == domain
    assert np.asarray(Image.open(folder / "found/left-minimal.png")).std() > 10
    kept = expected.mask.by_scale()
    assert found["units"] == ["px", "px"]
    assert [scale["scale"] for scale in found["scales"]] == list(kept)
    for scale in found["scales"]:
        assert scale["kept"] == pytest.approx(kept[scale["scale"]][:, 0].tolist())
    printed = capsys.readouterr().out
    shares = (f"{share:.1%}" for share in found["scales"][-1]["kept"])
    for part in ("left side", f"{rows[2]['zeros']:.1%}", f"{rows[2]['logit']:.3f}", "found/left-minimal.png", *shares):
        assert part in printed
    fewest = next(row for row in rows if row["zeros"] == rows[2]["zeros"])
    kept, alpha, logit = 100 * (1 - fewest["zeros"]), fewest["alpha"], fewest["logit"]
    assert (
        f"{kept:.3g}% of the coefficients keep left side as the top class (alpha {alpha:g}): the logit is {logit:.2f} "
        f"with them alone, and {untouched['logit']:.2f} in the photo."
    ) in printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--baseline", "own_nets:RightSide()", "--alpha", "1e6"], "No alpha keeps left side as the "),
        (["--target", "right side"], "% of the coefficients keep the score of right side (alpha "),
        (["--alpha", "0"], "No coefficient was dropped without losing left side. Give a larger --alpha or more "),
    ],
)
def test_the_answer_is_a_sentence(folder, capsys, arguments, said):
    assert minimal("photos", "left.png", "--out", "found", "--alpha", "300", "--steps", "60", *arguments) == 0
    assert said in capsys.readouterr().out


@pytest.mark.needs("soundfile")
def test_of_sounds_what_is_left_is_written_as_wav(folder):
    t = torch.arange(8000) / 8000
    beep = torch.sin(2000 * t).abs() * (t < 0.4)
    wl.frontends.write_audio("beep.wav", beep.view(1, 1, -1), 8000)
    assert minimal("sounds", "beep.wav", "--out", "found", "--target", "early") == 0
    x = wl.frontends.read_audio("beep.wav").data
    rows = json.loads((folder / "found/beep-minimal.json").read_text())["front"]
    net = sys.modules["own_nets"].Halves().eval()
    for row in rows[1:]:
        left = wl.frontends.read_audio(f"found/beep-minimal-{row['alpha']:g}.wav")
        assert left.rate == 8000
        assert left.data.shape == x.shape
        assert net(left.data)[0, 0].item() == pytest.approx(row["logit"], rel=1e-4)
    (folder / "found/beep-minimal-mine.wav").touch()
    assert minimal("sounds", "beep.wav", "--out", "found", "--alpha", "7") == 0  # what another alpha left is gone
    assert {path.name for path in (folder / "found").glob("*.wav")} == {"beep-minimal-7.wav", "beep-minimal-mine.wav"}


@pytest.mark.needs("nibabel")
def test_of_volumes_what_is_left_is_written_over_the_scan(folder):
    data = torch.zeros(1, 1, 8, 8, 8)
    data[..., 2:6, 2:6, 1:4] = 0.8
    affine = np.diag([2.0, 1.5, 3.0, 1.0])
    wl.frontends.write_volume("scan.nii.gz", wl.frontends.Volume(data, affine))
    assert minimal("volumes", "scan.nii.gz", "--out", "found", "--target", "low") == 0
    rows = json.loads((folder / "found/scan-minimal.json").read_text())["front"]
    net = sys.modules["own_nets"].Halves().eval()
    for row in rows[1:]:
        left = wl.frontends.read_volume(f"found/scan-minimal-{row['alpha']:g}.nii.gz")
        assert np.allclose(left.affine, affine)
        assert net(left.data)[0, 0].item() == pytest.approx(row["logit"], rel=1e-4)


def test_scales_have_the_unit_of_the_input(folder, capsys):
    assert minimal("photos", "left.png", "--out", "found", "--spacing", "0.2", "--unit", "mm") == 0
    found = json.loads((folder / "found/left-minimal.json").read_text())
    assert found["units"] == ["mm", "mm"]
    assert {key: found["scales"][-1][key] for key in ("scale", "extent", "from_to")} == {
        "scale": "d1",
        "extent": "0.2–0.4 mm",
        "from_to": [[0.2, 0.4]] * 2,
    }
    assert found["scales"][0]["from_to"] == [[6.4, None]] * 2
    assert "0.2–0.4 mm" in capsys.readouterr().out


def test_alphas_that_are_none_are_one_line(folder, capsys):
    assert main(["minimal", "left.png", "--model", "own_nets:photos", "--alpha", "1,much"]) == 2
    assert (
        "--alpha takes numbers from 0 separated by commas, such as 100,1000,10000; got '1,much'"
        in capsys.readouterr().err
    )
    assert main(["minimal", "left.png", "--model", "own_nets:photos", "--alpha", "-1"]) == 2
    assert "alpha must be a finite number from 0, or a list of them; got (-1.0,)" in capsys.readouterr().err


def test_one_input_of_several_that_is_wrong_is_said_and_the_others_are_done(folder, capsys):
    (folder / "broken.png").write_text("no picture")
    assert minimal("photos", "broken.png", "left.png", "--out", "found") == 1
    assert "broken.png" in capsys.readouterr().err
    assert (folder / "found/left-minimal.png").is_file()


def test_no_file_of_the_callers_is_overwritten_and_ones_own_are(folder):
    (folder / "found").mkdir()
    (folder / "found/left-minimal.png").write_text("mine")
    for _ in range(2):
        assert minimal("photos", "left.png", "--out", "found") == 0
    assert (folder / "found/left-minimal.png").read_text() == "mine"
    assert not (folder / "found/left-minimal.json").exists()
    assert sorted(path.name for path in (folder / "found").glob("left-2*")) == [
        "left-2-minimal.json",
        "left-2-minimal.png",
    ]
    assert not list((folder / "found").glob("left-3*"))


@pytest.mark.needs("soundfile")
def test_nor_is_a_sound_of_that_name(folder):
    wl.frontends.write_audio("beep.wav", torch.sin(torch.arange(800.0)).abs().view(1, 1, -1), 8000)
    (folder / "found").mkdir()
    (folder / "found/beep-minimal-30.wav").write_text("mine")
    assert minimal("sounds", "beep.wav", "--out", "found") == 0
    assert (folder / "found/beep-minimal-30.wav").read_text() == "mine"
    assert (folder / "found/beep-2-minimal-30.wav").is_file()


@pytest.mark.parametrize("baseline", ["0.5", "Blur(sigma=3)", "Noise(seed=4)"])
def test_what_takes_the_place_of_what_is_dropped_may_be_chosen(folder, baseline):
    assert minimal("photos", "left.png", "--out", "found", "--baseline", baseline) == 0
    x, net = wl.frontends.read_image(folder / "left.png"), sys.modules["own_nets"].Halves().eval()
    start = 0.5 if baseline == "0.5" else parse(baseline, also=(wl.masks.Blur, wl.masks.Noise))
    options = {"alpha": [0.0, 30.0, 90.0], "steps": 25, "baseline": start}
    expected = wl.masks.minimal(net, x, 0, domain=wl.DWT("haar", levels=5), **options).front()
    found = json.loads((folder / "found/left-minimal.json").read_text())
    assert [row["logit"] for row in found["front"][1:]] == pytest.approx(expected.after[:, 0].tolist())
    assert found["baseline"] == (0.5 if baseline == "0.5" else repr(start))


def test_options_that_do_not_fit_are_one_line_before_anything_is_done(folder, capsys):
    for arguments, sentence in (
        (
            ("--baseline", "Saliency"),
            "--baseline takes a number, Blur(sigma=10), Noise(seed=0) or, for clouds, Sphere(); got 'Saliency",
        ),
        (("--baseline", "dark"), "got 'dark'"),
        (("--domain", "DWT('haar', levels=9)"), "levels=9"),
    ):
        assert minimal("photos", "left.png", "--out", "found", *arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert sentence in line
    assert not (folder / "found").exists() or not list((folder / "found").iterdir())
