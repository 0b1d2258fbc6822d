"""Detectors and segmenters by one flag: the object that is explained, its place in the photo, and what is not there."""

import html
import json
import re
import shlex

import numpy as np
import pytest
import torch
from PIL import Image

import wavelens as wl
from wavelens.app.choices import Wish, request_of
from wavelens.app.limits import Limits
from wavelens.cli import main
from wavelens.explaining import kind_called
from wavelens.explaining.offered import offered_targets
from wavelens.explaining.reading import read_input

OWN = """
import torch
from wavelens import models

class Quarters(torch.nn.Module):
    '''A box for each quarter of the picture: how red it is, and how green.'''
    def forward(self, x):
        height, width = x.shape[2:]
        middle, boxes, chances = (height // 2, width // 2), [], []
        for rows in (slice(0, middle[0]), slice(middle[0], height)):
            for columns in (slice(0, middle[1]), slice(middle[1], width)):
                boxes.append([columns.start, rows.start, columns.stop, rows.stop])
                chances.append(x[:, :2, rows, columns].mean((2, 3)))
        boxes, chances = x.new_tensor(boxes), torch.stack(chances, 1)
        return [{"boxes": boxes, "probabilities": one} for one in chances]

class Places(torch.nn.Module):
    '''Logits for each second pixel: dark, red, green.'''
    def forward(self, x):
        small = torch.nn.functional.avg_pool2d(x, 2)
        return torch.cat([torch.full_like(small[:, :1], 0.3), 2 * small[:, :2]], 1)

PHOTOS = models.Fitted(16, 32)

def quarters():
    return models.detector(Quarters().eval(), ["ripe, red", "green"], PHOTOS, threshold=0.4)

def places():
    labels = ("background", "red", "green", "blue")[:3]
    return models.LoadedModel(Places().eval(), labels, PHOTOS, "places", answer=models.Regions())
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A photo of 64 × 96, red above on the left and less so below on the right, green above on the right."""
    (tmp_path / "own_objects.py").write_text(OWN)
    photo = np.zeros((64, 96, 3), np.uint8)
    photo[:32, :48, 0], photo[32:, 48:, 0], photo[:32, 48:, 1] = 240, 160, 200
    (tmp_path / "photos").mkdir()
    Image.fromarray(photo).save(tmp_path / "photos/fruit.png")
    Image.fromarray(photo // 8).save(tmp_path / "dark.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def explain(*arguments, photo="photos/fruit.png", model="quarters", method="IntegratedGradients(steps=3)"):
    model = ["--model", f"own_objects:{model}", "--method", method, "--domain", "DWT('haar', levels=2)"]
    return main(["explain", photo, *model, "--out", "out", *arguments])


def summary():
    with open("out/fruit.json") as file:
        return json.load(file)


def test_an_object_is_explained_by_its_number_and_all_are_listed_in_the_photos_pixels(folder, capsys):
    assert explain("--target", "red#2", "--report") == 0
    told, printed = summary(), capsys.readouterr().out
    assert [(one["name"], one["index"], one["number"], one["explained"]) for one in told["detections"]] == [
        ("ripe#1", 0, 1, False),
        ("green#1", 1, 1, False),
        ("ripe#2", 0, 2, True),
    ]
    assert told["detections"][2]["box"] == pytest.approx({"left": 48, "top": 32, "right": 96, "bottom": 64}, abs=1e-4)
    assert told["score"] == pytest.approx(told["detections"][2]["probability"], rel=1e-5)
    assert told["score"] == pytest.approx(160 / 255, abs=0.03)  # of the photo that is resized
    assert sum(row["signed"] for row in told["profile"]) == pytest.approx(told["score"], rel=1e-4)
    assert re.search(rf"→ +│ ripe#2 +│ +{told['score']:.1%} │ +48, 32 to 96, 64", printed)
    a = wl.Attribution.load("out/fruit.safetensors")
    assert wl.maps.spatial_map(a)[0, 8:, 12:].sum() / wl.maps.spatial_map(a).sum() > 0.85
    page = (folder / "out/report.html").read_text(encoding="utf-8")
    assert "What the model detects" in page
    payload = json.loads(re.search(r'id="data-0"[^>]*>(.*?)</script>', page, re.DOTALL)[1])
    explained = [one for one in payload["outlines"] if one["explained"]]
    assert [one["text"] for one in explained] == [f"ripe#2 {told['score']:.2f}"]
    assert sorted({tuple(line[:2]) for line in explained[0]["lines"]}) == [(0.5, 0.5), (0.5, 1), (1, 0.5), (1, 1)]
    (command,) = [html.unescape(c) for c in re.findall(r"<code>(wavelens .*?)</code>", page, re.DOTALL)]
    assert main([*shlex.split(command)[1:], "--out", "again"]) == 0
    assert json.loads((folder / "again/fruit.json").read_text())["detections"] == told["detections"]


@pytest.mark.parametrize(
    ("arguments", "name"), [([], "ripe#1"), (["--target", "#2"], "green#1"), (["--target", "1"], "green#1")]
)
def test_without_a_class_the_most_probable_object_is_explained(folder, arguments, name):
    assert explain(*arguments, method="Saliency") == 0
    assert [one["name"] for one in summary()["detections"] if one["explained"]] == [name]
    (entry,) = [wl.explain("photos/fruit.png", "own_objects:quarters", target=name, method=wl.Saliency())]
    assert entry.target.label == name


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--target", "red#9"],
            "red#9 is one of 2 detections of ripe: ripe 0.92, ripe#2 0.61. Give a number up to 2",
        ),
        (["--target", "gren"], "has no class 'gren'. Did you mean green?"),
        (["--target", "red#0"], "objects of a class must be numbered from 1, the most probable; got 'red#0'"),
        (["--target", "red", "--against", "green"], "quarters gives objects. Leave it out."),
    ],
)
def test_what_is_not_detected_is_one_line(folder, capsys, arguments, sentence):
    assert explain(*arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line


def test_a_picture_without_objects_says_which_is_nearest(folder, capsys):
    assert explain(photo="dark.png") == 2
    assert "detects nothing in this input with a probability of 0.4 or more; the most probable is ripe 0.1" in (
        capsys.readouterr().err
    )
    loaded = wl.models.load("own_objects:quarters")
    with pytest.raises(ValueError, match=r"no green among the one detection: ripe 0\.50\. Name one of them, or lower"):
        wl.explain("dark.png", loaded_with(loaded, [[[0.0, 0, 9, 9]], [[0.5, 0.1]]]), target="green")


def loaded_with(loaded, answer):
    """The same detector with one fixed answer."""
    boxes, chances = map(torch.tensor, answer)

    class Fixed(torch.nn.Module):
        def forward(self, x):
            return [{"boxes": boxes, "probabilities": chances} for _ in x]

    return wl.models.LoadedModel(Fixed().eval(), loaded.labels, loaded.preprocess, "fixed", answer=loaded.answer)


@pytest.mark.parametrize(
    ("target", "pixels"), [(["--target", "green"], 96), (["--target", "region:1"], 192), ([], 192)]
)
def test_a_segmenter_is_explained_by_the_region_of_a_class(folder, target, pixels):
    assert explain(*target, model="places", method="Saliency") == 0
    a = wl.Attribution.load("out/fruit.safetensors")
    assert int((a.synthesis().abs().sum(1) > 1e-6).sum()) == pixels
    told = summary()
    assert told["target"]["text"] == f"region:{target[1].removeprefix('region:') if target else 1}"
    assert "detections" not in told


def test_a_region_that_is_not_predicted_says_what_is(folder, capsys):
    assert explain("--target", "green", photo="dark.png", model="places") == 2
    assert "predicts green (2) nowhere in this input; it predicts background (0) in 100 %" in capsys.readouterr().err


def test_insertion_and_deletion_of_an_object_are_measured_over_a_folder(folder):
    run = ["--model", "own_objects:quarters", "--metric", "Curves(steps=4)", "--domain", "DWT('haar', levels=2)"]
    assert main(["evaluate", "photos", *run, "--out", "run", "--method", "Saliency"]) == 0
    values = wl.runs.Run.open("run").read().values
    assert values["target"].tolist() == [0]
    assert float(values["score"][0]) == pytest.approx(240 / 255, abs=0.05)
    assert float(values["insertion curve(steps=4)"][0, -1]) == pytest.approx(float(values["score"][0]), rel=1e-5)
    assert float(values["insertion(steps=4)"][0]) > float(values["deletion(steps=4)"][0])


def test_check_and_minimal_take_objects_too(folder):
    named = [
        "photos/fruit.png",
        "--model",
        "own_objects:quarters",
        "--target",
        "red",
        "--domain",
        "DWT('haar', levels=2)",
    ]
    assert main(["minimal", *named, "--alpha", "1", "--steps", "2", "--out", "out"]) == 0
    assert main(["check", *named, "--method", "Saliency", "--out", "out"]) in (0, 1)


def test_the_app_offers_objects_and_regions_and_calls_no_function(folder):
    kind, device = kind_called("photo"), torch.device("cpu")
    for model, expected in (("quarters", ["ripe#1", "green#1", "ripe#2"]), ("places", ["1", "0", "2"])):
        loaded = wl.models.load(f"own_objects:{model}")
        one = read_input(loaded, kind, folder / "photos/fruit.png", device)
        assert [row["index"] for row in offered_targets(loaded, one, 10)] == expected
        question = request_of(Wish(expected[1]), loaded, kind, Limits(), device).question
        assert question(loaded, one.x, None, one.grid).options == ("--target", question.place.text)
        with pytest.raises(ValueError, match="has no class 'os:getcwd'"):
            request_of(Wish("os:getcwd"), loaded, kind, Limits(), device).question(loaded, one.x, None, one.grid)
        with pytest.raises(ValueError, match="named by a text such as car#2; got 3"):
            request_of(Wish(3), loaded, kind, Limits(), device)
