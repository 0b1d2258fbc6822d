"""What a command explains: a class, a class against another, or what a function of one's own says."""

import dataclasses
import html
import importlib
import json
import re
import shlex
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import wavelens as wl
from cases import relative
from wavelens.cli import main
from wavelens.counts import with_minus
from wavelens.frontends.image import read_image

OWN = """
from types import SimpleNamespace

import torch
import wavelens as wl
from wavelens.models import Geometry, LoadedModel

PHOTOS = Geometry((32, 32), (32, 32), squash=True)

class Net(torch.nn.Module):
    def forward(self, x):
        left, right = x.chunk(2, -1)
        return torch.stack([left.pow(2).sum((1, 2, 3)), right.pow(2).sum((1, 2, 3)), x.sum((1, 2, 3)) / 100], 1)

class Segmenter(torch.nn.Module):
    def forward(self, x):
        return {"out": x[:, :2].pow(2)}

class Detector(torch.nn.Module):
    def forward(self, x):
        chances = torch.stack([half.mean((1, 2, 3)) for half in x.chunk(2, -1)], 1)
        boxes = torch.tensor([[0.25, 0.5, 0.5, 1.0], [0.75, 0.5, 0.5, 1.0]], device=x.device).expand(len(x), 2, 4)
        return SimpleNamespace(logits=torch.stack([chances, -chances], 2), pred_boxes=boxes)

class Proposals(torch.nn.Module):
    def forward(self, x):
        return x.mean(1)[..., :4].flatten(0, 1)

def proposals():
    return LoadedModel(Proposals(), (), PHOTOS, "proposals")

def net():
    return LoadedModel(Net(), ("left side, port", "right side", "Whole"), PHOTOS, "net")

def named():
    return LoadedModel(Net(), ("Own_scenes:mean", "own_scenes:absent", "numpy:zeros"), PHOTOS, "named")

def segmenter():
    return LoadedModel(Segmenter(), ("sky", "road"), PHOTOS, "segmenter")

def detector():
    return LoadedModel(Detector(), (), PHOTOS, "detector")

def road(module, x):
    with torch.no_grad():
        predicted = module(x)["out"].argmax(1)
    return wl.targets.region(1, predicted == predicted[:, :1, :1])

def surest(module, x):
    with torch.no_grad():
        found = wl.targets.strongest(module(x), shape=x.shape[2:])
    return wl.targets.detection(found.labels, found.boxes, shape=x.shape[2:])

def first(module, x):
    return lambda output: output.unflatten(0, (-1, 32))[:, 0].sum(1)

def bright(module, x):
    return [2] if x.mean() > 0.3 else [][0]

def mean(module, x):
    return lambda output: output.mean(1)

def one(module, x):
    return 1

def several(module, x):
    return wl.targets.Several(0, 1)

words = ("no", "function")
"""
DOMAIN = wl.DWT("haar", levels=5)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with models and targets of its own and a photo of noise."""
    (tmp_path / "own_scenes.py").write_text(OWN)
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    noise[:, 16:] //= 2
    Image.fromarray(noise).save(tmp_path / "noise.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def explain(*arguments, model="net", method="IntegratedGradients(steps=3)"):
    return main(
        ["explain", "noise.png", "--model", f"own_scenes:{model}", "--method", method, "--out", "out", *arguments]
    )


def found():
    with open("out/noise.json") as file:
        return wl.Attribution.load("out/noise.safetensors"), json.load(file)


def complaint(capsys):
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize(
    "method",
    ["IntegratedGradients(steps=3)", "InputTimesGradient", "SmoothGrad(samples=4, sigma=0.2)", "Saliency"],
)
def test_a_contrast_is_the_difference_of_two_attributions(folder, method):
    every = {}
    for name, arguments in {"left": ["left"], "right": ["right"], "both": ["left", "--against", "right"]}.items():
        assert explain("--target", *arguments, method=method) == 0
        every[name], _ = found()
    assert relative(every["both"].data.double(), (every["left"].data - every["right"].data).double()) < 1e-5
    assert every["both"].target == "Contrast(target=0, against=1)"
    assert float(every["both"].score) == pytest.approx(float(every["left"].score - every["right"].score), rel=1e-5)


def test_a_contrast_adds_up_to_the_difference_of_the_logits_and_is_named_so_everywhere(folder, capsys):
    assert explain("--target", "Whole", "--against", "port", "--report") == 0
    _, summary = found()
    logits = sys.modules["own_scenes"].Net()(read_image("noise.png"))[0]
    rise = float(logits[2] - logits[0])  # both are 0 over a black picture
    assert sum(row["signed"] for row in summary["profile"]) == pytest.approx(rise, rel=1e-5)
    assert summary["target"] == {"index": 2, "label": "Whole"}
    assert summary["against"] == {"index": 0, "label": "left side, port"}
    printed = capsys.readouterr().out
    way = "rise over" if rise > 0 else "fall below"
    value = with_minus(f"{rise:.3f}")
    assert f"2 Whole rather than 0 left side, difference of logits {value}: its {way} a black" in printed
    page = (folder / "out/report.html").read_text(encoding="utf-8")
    assert "Whole rather than left side" in page
    (command,) = [html.unescape(c) for c in re.findall(r"<code>(wavelens .*?)</code>", page, re.DOTALL)]
    assert main([*shlex.split(command)[1:], "--out", "again"]) == 0
    again = json.loads((folder / "again/noise.json").read_text())
    assert {**again, "provenance": 0} == {**summary, "provenance": 0}


def test_both_classes_of_a_contrast_are_in_the_report_s_answer(folder):
    assert explain("--target", "right", "--against", "Whole", "--top", "1", "--report", method="Saliency") == 0
    page = (folder / "out/report.html").read_text(encoding="utf-8")
    assert re.findall(r'<th scope="row" title="(.*?)"', page) == ["left side, port", "right side", "Whole"]


def test_the_top_class_may_be_set_against_another(folder, capsys):
    assert explain("--against", "Whole") == 0
    assert found()[1]["target"]["index"] == 0
    capsys.readouterr()
    assert explain("--against", "left") == 2
    assert "--against names the top class itself, 0 (left side, port)" in complaint(capsys)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--target", "1", "--against", "right side"], "--against and --target name the same class, 1 (right"),
        (["--target", "1", "--against", "3"], "must be an index from 0 to 2; got 3"),
        (["--target", "1", "--against", "side"], "'side' fits several classes: 0 (left side, port); 1 (right side)"),
        (["--target", "own_scenes:mean", "--against", "1"], "own_scenes:mean is a function. Let it return a Contrast"),
        (["--target", "own_scenes:means"], "own_scenes:means cannot be found: module own_scenes, "),
        (["--target", "absent:mean"], "there is no module absent for absent:mean"),
        (["--target", "own_scenes:words"], "a function of (module, x); own_scenes:words is tuple"),
        (["--model", "own_scenes:proposals", "--target", "own_scenes:one"], "got (32, 4) for 1 rows. Give a function"),
        (["--target", "own_scenes:several"], "own_scenes:several must give one target; got Several(0, 1)"),
        (["--model", "own_scenes:segmenter"], "a classifier returns logits (batch, classes); own_scenes:segmenter"),
    ],
)
@pytest.mark.parametrize("command", ["explain", "check"])
def test_wrong_targets_are_one_line_and_exit_code_2(folder, capsys, command, arguments, sentence):
    assert main([command, "noise.png", "--model", "own_scenes:net", "--out", "out", *arguments]) == 2
    assert sentence in complaint(capsys)
    assert not (folder / "out/noise.json").exists()


@pytest.mark.parametrize(("target", "index"), [("own_scenes:mean", 0), ("own_scenes:absent", 1)])
def test_the_name_of_a_class_is_no_function_even_if_it_is_written_like_one(folder, target, index):
    assert explain("--target", target, "--against", "numpy:zeros", model="named") == 0
    _, summary = found()
    assert summary["target"]["index"] == index
    assert summary["against"]["index"] == 2


def test_a_class_of_what_is_no_classifier_says_so(folder, monkeypatch, capsys):
    (folder / "own_scenes.py").write_text(OWN.replace('("sky", "road")', '("own_scenes:road", "sky")'))
    assert explain("--target", "own_scenes:road", model="segmenter") == 2
    assert "a class is asked of a classifier; own_scenes:segmenter returns no logits." in complaint(capsys)


@pytest.mark.parametrize(
    ("model", "target"), [("segmenter", "road"), ("detector", "surest"), ("proposals", "first"), ("net", "mean")]
)
def test_a_function_says_what_is_explained_of_a_model_that_returns_anything(folder, capsys, model, target):
    assert explain("--target", f"own_scenes:{target}", "--report", model=model) == 0
    a, summary = found()
    own, x = sys.modules["own_scenes"], read_image("noise.png")
    module = getattr(own, model)().module.eval()
    method = wl.IntegratedGradients(steps=3)
    expected = wl.attribute(module, x, getattr(own, target)(module, x), domain=DOMAIN, method=method)
    torch.testing.assert_close(a.data, expected.data)
    assert float(expected.score.detach()) != 0
    assert summary["target"] == {"function": f"own_scenes:{target}", "is": expected.target}
    assert len(summary["top"]) == (3 if model == "net" else 0)
    printed = capsys.readouterr().out
    assert f"own_scenes:{target}, score {float(expected.score):.3f}: its rise" in printed
    assert ("probability" in printed) == (model == "net")
    page = (folder / "out/report.html").read_text(encoding="utf-8")
    assert f"--target own_scenes:{target} " in html.unescape(page)


@pytest.mark.parametrize("command", ["explain", "check"])
def test_a_function_that_finds_nothing_in_one_photo_leaves_the_others(folder, capsys, command):
    Image.new("RGB", (32, 32)).save("night.png")
    arguments = ["--model", "own_scenes:net", "--target", "own_scenes:bright", "--out", "out"]
    assert main([command, "night.png", "noise.png", *arguments]) == 1
    assert "own_scenes:bright gives the target of an input; for this one it raises IndexError" in complaint(capsys)
    assert [path.stem for path in (folder / "out").glob("*.json")] == [{"explain": "noise"}.get(command, "noise-check")]


def test_what_is_no_class_can_be_checked(folder, capsys):
    arguments = ["--model", "own_scenes:detector", "--target", "own_scenes:surest", "--out", "out"]
    assert main(["check", "noise.png", *arguments]) in (0, 1)
    found = json.loads((folder / "out/noise-check.json").read_text())
    assert found["target"]["function"] == "own_scenes:surest"
    assert {one["check"]: one["status"] for one in found["verdicts"]}["differentiable"] == "pass"


def test_minimal_keeps_a_class_above_another(folder, capsys):
    usual = ["minimal", "noise.png", "--model", "own_scenes:net", "--alpha", "10", "--steps", "3", "--out", "out"]
    assert main([*usual, "--target", "left", "--against", "right"]) == 0
    found = json.loads((folder / "out/noise-minimal.json").read_text())
    logits = sys.modules["own_scenes"].Net()(read_image("noise.png"))
    first = found["front"][0]
    assert first["score"] == pytest.approx(float(logits[0, 0] - logits[0, 1]), rel=1e-5)
    assert first["probability"] == pytest.approx(float(logits.softmax(1)[0, 0]), abs=1e-6)
    assert found["against"] == {"index": 1, "label": "right side"}
    assert "0 left side rather than 1 right side" in capsys.readouterr().out
    assert main([*usual, "--target", "own_scenes:mean"]) == 0
    assert json.loads((folder / "out/noise-minimal.json").read_text())["front"][0]["probability"] is None


def test_against_next_is_the_runner_up_of_each_input(folder, capsys):
    assert explain("--against", "next", "--report") == 0
    a, summary = found()
    logits = sys.modules["own_scenes"].Net()(read_image("noise.png"))[0]
    first, second = logits.argsort(descending=True)[:2].tolist()
    assert a.target == f"Contrast(target={first}, against={second})"
    assert summary["against"] == {
        "index": second,
        "label": ("left side, port", "right side", "Whole")[second],
        "is": "next",
    }
    assert "(the next class), difference of logits" in capsys.readouterr().out
    page = html.unescape((folder / "out/report.html").read_text(encoding="utf-8"))
    (command,) = re.findall(r"<code>(wavelens .*?)</code>", page, re.DOTALL)
    assert "--against next" in command
    assert main([*shlex.split(command)[1:], "--out", "again"]) == 0
    again = json.loads((folder / "again/noise.json").read_text())
    assert {**again, "provenance": 0} == {**summary, "provenance": 0}
    assert explain("--target", str(second), "--against", "next") == 0
    assert found()[0].target == f"Contrast(target={second}, against={first})"


def test_against_is_a_target_of_python_too(folder):
    model = dataclasses.replace(importlib.import_module("own_scenes").net(), name="own_scenes:net")
    model.module.eval()
    named = wl.explain("noise.png", model, target=wl.targets.Against("Whole", target="left"), method=wl.Saliency())
    assert named.attribution.target == "Contrast(target=0, against=2)"
    nearest = wl.explain("noise.png", model, target=wl.targets.Against(), method=wl.Saliency())
    assert nearest.attribution.target == wl.explain("noise.png", model, against="next").attribution.target
    assert nearest.attribution.target == "Contrast(target=0, against=1)"
    assert "--target 0 --against next" in nearest.entry().command
    with pytest.raises(ValueError, match=r"of one input, so Against takes one class, not one per item; got Against"):
        wl.explain("noise.png", model, target=wl.targets.Against([1, 2]))
    with pytest.raises(ValueError, match=r"give against once; got it in the target, Against.* and as against=1"):
        wl.explain("noise.png", model, target=wl.targets.Against(), against=1)


@pytest.mark.parametrize(
    ("method", "line"),
    [
        (
            "IntegratedGradients(steps=3, baseline='shuffled', shuffles=2)",
            "rise over the mean of shuffled coefficients",
        ),
        ("CoarseToFine(tolerance=0.05)", "rise over a black"),
        ("Owen(permutations=2, steps=2)", "rise over a black"),
    ],
)
def test_accounts_along_other_paths_are_explained_and_reported(folder, capsys, method, line):
    assert explain("--report", method=method) == 0
    a, summary = found()
    assert wl.parse(a.method) == wl.parse(method) == wl.parse(summary["method"])
    rise = float(a.score - a.baseline_score - a.gap)
    assert sum(row["signed"] for row in summary["profile"]) == pytest.approx(rise, rel=1e-4)
    assert line in capsys.readouterr().out


@pytest.mark.parametrize("command", ["check", "minimal"])
def test_check_and_minimal_take_the_runner_up_too(folder, command):
    options = ["--steps", "2", "--alpha", "1"] if command == "minimal" else ["--method", "Saliency"]
    arguments = ["noise.png", "--model", "own_scenes:net", "--against", "next", "--out", "out", *options]
    assert main([command, *arguments]) in (0, 1)
    summary = json.loads((folder / f"out/noise-{command}.json").read_text())
    assert summary["against"]["is"] == "next"
