"""`wl.explain`: what the command writes, from Python, for models by name, loaded models and bare modules."""

import dataclasses
import doctest
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import wavelens as wl
from wavelens import explaining
from wavelens.cli import main
from wavelens.explaining import answer, calls, kinds
from wavelens.frontends import Clip, read_image, read_volume, write_audio
from wavelens.frontends.video import open_video, write_video

OWN = """
import torch
from wavelens.models import Geometry, LoadedModel, VideoGeometry, Voxels
from wavelens.models.preparations.audio import Sampling

class Halves(torch.nn.Module):
    def forward(self, x):
        return 20 * torch.stack([half.square().flatten(1).mean(1) for half in x.tensor_split(2, 2)], 1)

def photo():
    return LoadedModel(Halves(), ("top", "bottom"), Geometry((16, 16), (16, 16), squash=True), "photo")

def sound():
    return LoadedModel(Halves(), ("early", "late"), Sampling(2000), "sound")

def volume():
    return LoadedModel(Halves(), ("top", "bottom"), Voxels((1, 8, 8, 8), (0, 1)), "volume")

def video():
    geometry = VideoGeometry(8, None, Geometry((16, 16), (16, 16), squash=True))
    return LoadedModel(Halves(), ("early", "late"), geometry, "video")

def lowest(module, x):
    return int(module(x).argmin())
"""
KINDS = [
    pytest.param("photo", "photo.png"),
    pytest.param("sound", "sound.wav"),
    pytest.param("volume", "volume.npy"),
    pytest.param("video", "video.mkv", marks=pytest.mark.needs("av")),
]


class Halves(torch.nn.Module):
    """The power of the first and of the second half of the first axis."""

    def forward(self, x):
        return 20 * torch.stack([half.square().flatten(1).mean(1) for half in x.tensor_split(2, 2)], 1)


def draw(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def make(name):
    """A file of each kind."""
    if name.endswith(".png"):
        Image.fromarray((255 * draw(18, 20, 3)).byte().numpy()).save(name)
    elif name.endswith(".wav"):
        write_audio(name, Clip(2 * draw(1, 2, 1500) - 1, 3000))
    elif name.endswith(".npy"):
        np.save(name, 300 * draw(9, 10, 11).numpy())
    else:
        write_video(name, draw(1, 3, 9, 16, 16), 10)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "own_halves.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_python_gives_what_the_command_writes(folder, kind, name):
    make(name)
    words = ["--target", "1", "--method", "IntegratedGradients(steps=4)", "--exact-passes", "--device", "cpu"]
    assert main(["explain", name, "--model", f"own_halves:{kind}", *words, "--out", "command"]) == 0
    explanation = wl.explain(
        name,
        f"own_halves:{kind}",
        target=1,
        method=wl.IntegratedGradients(steps=4),
        exact_passes=True,
        device="cpu",
    )
    written = explanation.save("python")
    assert sorted(str(path.relative_to("python")) for path in written) == sorted(
        str(path.relative_to("command")) for path in Path("command").rglob("*") if path.is_file()
    )
    stem = Path(name).stem
    assert json.loads(Path(f"python/{stem}.json").read_text()) == json.loads(Path(f"command/{stem}.json").read_text())
    stored = wl.Attribution.load(f"command/{stem}.safetensors")
    assert torch.equal(stored.data, explanation.attribution.data)
    assert stored.provenance == explanation.attribution.provenance
    page = wl.report(explanation.entry(), "report.html").read_text(encoding="utf-8")
    assert f'"view":"{kind}"' in page
    assert f"wavelens explain {name} --model own_halves:{kind} --target 1" in page


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_a_bare_module_is_given_the_signal_as_it_is(folder, kind, name):
    make(name)
    explanation = wl.explain(name, Halves().eval(), target=0, method=wl.IntegratedGradients(steps=2))
    expected = {
        "photo": lambda: read_image(name),
        "sound": lambda: wl.frontends.read_audio(name).data,
        "volume": lambda: read_volume(name).data,
        "video": lambda: open_video(name).take().data,
    }[kind]()
    assert torch.equal(explanation.input.x, expected)
    assert explanation.request.kind.name == kind
    assert explanation.target.label == "class 0"
    assert repr(explanation).startswith(f"<Explanation of {name}: 0 class 0, by Halves in DWT(")
    assert float(explanation.attribution.data.sum()) == pytest.approx(float(explanation.attribution.score), rel=1e-4)
    assert explanation.panel().get_size_inches()[0] > 5
    entry = explanation.entry()
    assert entry.view.name == kind
    assert entry.command.startswith(f"wl.explain('{name}', model, target=0, domain=wl.DWT(")


def test_a_bare_module_takes_files_of_several_kinds(folder):
    for name in ("photo.png", "sound.wav"):
        make(name)
    photo, sound = wl.explain(["photo.png", Path("sound.wav")], Halves().eval())
    assert [one.request.kind.name for one in (photo, sound)] == ["photo", "sound"]
    assert sound.input.grid.units == ("Hz",)
    assert photo.input.x.shape == (1, 3, 18, 20)


def test_a_list_holds_the_error_of_each_file_that_has_one(folder):
    make("photo.png")
    Path("broken.png").write_bytes(b"no photo")
    found = wl.explain(["broken.png", "photo.png", "none.png"], "own_halves:photo", device="cpu")
    assert [type(one) for one in found] == [ValueError, explaining.Explanation, FileNotFoundError]
    assert str(found[0]).startswith("broken.png, which is not an image") or "broken.png" in str(found[0])
    with pytest.raises(ValueError, match=r"broken\.png"):
        wl.explain("broken.png", "own_halves:photo", device="cpu")


def test_an_error_of_the_program_is_no_error_of_a_file(folder, monkeypatch):
    make("photo.png")
    monkeypatch.setattr(calls, "explained", lambda *arguments: {}["absent"])
    with pytest.raises(KeyError):
        wl.explain(["photo.png"], "own_halves:photo", device="cpu")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"target": "middle"}, r"own_halves:photo has no class 'middle'\. Its classes: 0 \("),
        ({"target": 0, "against": 0}, "name the same class"),
        ({"domain": wl.DWT("haar", levels=9)}, "levels=9"),
        ({"decompose": "haar", "domain": wl.Identity()}, "shows wavelets"),
        ({"unit": "m"}, "is that of --spacing"),
        ({"target": wl.targets.Several(0, 1)}, "an explanation must have one target; got Several"),
        ({"target": torch.sum, "against": 1}, "against sets a class against a class; the target is"),
    ],
)
def test_what_no_file_could_have_is_raised_of_a_list_too(folder, options, sentence):
    make("photo.png")
    with pytest.raises(ValueError, match=sentence):
        wl.explain(["photo.png"], "own_halves:photo", device="cpu", **options)


def test_paths_and_models_that_are_none(folder):
    make("photo.png")
    with pytest.raises(ValueError, match="explain takes a path, or several; got an empty list"):
        wl.explain([], "own_halves:photo")
    with pytest.raises(ValueError, match="got device, weights, for a model by its name"):
        wl.explain("photo.png", Halves().eval(), device="cpu", weights="a.pth")
    with pytest.raises(ValueError, match=r"Linear fails on a photo as it is, \(1, 3, 18, 20\): .* Pass a LoadedModel"):
        wl.explain("photo.png", torch.nn.Linear(5, 2).eval())
    with pytest.raises(ValueError, match="the model must be in evaluation mode"):
        wl.explain("photo.png", Halves())
    with pytest.raises(ValueError, match="a sound needs --model: yamnet"):
        wl.explain("sound.wav")


@pytest.mark.parametrize("count", [1, 3])
def test_other_names_than_outputs_are_told_as_such(folder, count):
    make("photo.png")
    names = ("top", "bottom", "both")[:count]
    mine = wl.models.LoadedModel(Halves().eval(), names, wl.models.Geometry((16, 16), (16, 16)), "mine")
    with pytest.raises(ValueError, match=rf"^mine has 2 outputs and {count} class names\. Give one name per output in"):
        wl.explain("photo.png", mine)


def test_a_model_with_a_title_is_made_again_by_a_call(folder):
    make("photo.png")
    mine = wl.models.load("own_halves:photo")
    method = wl.IntegratedGradients(steps=4)
    assert wl.explain("photo.png", mine, method=method).entry().command.startswith("wavelens explain photo.png ")
    titled = wl.explain("photo.png", dataclasses.replace(mine, name="mine"), method=method).entry().command
    assert titled.startswith("wl.explain('photo.png', model, ")


def test_targets_are_those_of_attribute_and_of_the_command(folder):
    make("photo.png")
    model, method = wl.models.load("own_halves:photo"), wl.IntegratedGradients(steps=4)
    by = {
        name: wl.explain("photo.png", model, target=target, method=method)
        for name, target in {
            "index": 1,
            "label": "bottom",
            "contrast": wl.targets.Contrast(1, 0),
            "function": "own_halves:lowest",
            "output": lambda output: output[:, 1],
        }.items()
    }
    both = wl.explain("photo.png", model, target="bottom", against="top", method=method)
    assert torch.equal(by["index"].attribution.data, by["label"].attribution.data)
    assert torch.equal(by["index"].attribution.data, by["output"].attribution.data)
    assert torch.equal(by["contrast"].attribution.data, both.attribution.data)
    assert both.target.label == by["contrast"].target.label == "bottom rather than top"
    lowest = int(model.module(by["index"].input.x).argmin())
    assert by["function"].attribution.score == model.module(by["index"].input.x)[0, lowest]
    assert by["output"].entry().command.startswith("wl.explain('photo.png', 'own_halves:photo', target=")
    assert "--target own_halves:lowest" in by["function"].entry().command


@pytest.mark.parametrize("options", [{"target": 1, "against": 0}, {"target": "own_halves:lowest", "spacing": 0.5}])
def test_the_call_in_a_report_gives_the_explanation_again(folder, options):
    make("photo.png")
    model = Halves().eval()
    first = wl.explain("photo.png", model, method=wl.SmoothGrad(samples=3), exact_passes=True, **options)
    again = eval(first.entry().command, {"wl": wl, "model": model})
    assert torch.equal(again.attribution.data, first.attribution.data)
    assert again.input.grid == first.input.grid
    assert again.summary == first.summary


def test_the_caller_s_module_is_left_as_it_was(folder):
    make("photo.png")
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Flatten(), torch.nn.LazyLinear(2)
    )
    module(torch.zeros(2, 3, 18, 20))
    module.eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    wl.explain("photo.png", module)
    assert all(p.requires_grad for p in module.parameters())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_pixels_are_named_in_the_unit_of_spacing_and_shown_in_other_wavelets(folder):
    make("photo.png")
    explanation = wl.explain(
        "photo.png", "own_halves:photo", spacing=0.5, unit="mm", decompose=["haar", "db2"], device="cpu"
    )
    assert explanation.input.grid.units == ("mm", "mm")
    assert [a.domain.wavelet for a in explanation.decomposed] == ["haar", "db2"]
    names = [path.name for path in explanation.save("found")]
    assert names[-2:] == ["photo-decomposed.png", "photo-scales.png"]


def test_a_name_that_is_taken_gets_a_number(folder):
    make("photo.png")
    explanation = wl.explain("photo.png", Halves().eval())
    assert explanation.save(".")[0].name == "photo-2.png"
    assert explanation.save("new/folder")[0] == Path("new/folder/photo.png")


@pytest.mark.parametrize("module", [calls, answer, kinds])
def test_examples_run(folder, module):
    result = doctest.testmod(module, extraglobs={"wl": wl}, optionflags=doctest.ELLIPSIS)
    assert result.failed == 0
    assert result.attempted
