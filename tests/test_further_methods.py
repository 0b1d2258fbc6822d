"""Several methods and explainers of one input, side by side."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

import wavelens as wl
from wavelens.cli import main
from wavelens.reports import section

OWN = """
import torch
from wavelens.models import Geometry, LoadedModel

class Small(torch.nn.Sequential):
    def __init__(self):
        super().__init__(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1),
                         torch.nn.Flatten(), torch.nn.Linear(4, 2))
        for k, p in enumerate(self.parameters()):
            p.data = torch.linspace(-1, 1.5 + k, p.numel()).view_as(p)

def net():
    return LoadedModel(Small().eval(), ("left", "right"), Geometry((16, 16), (16, 16), squash=True), "net")
"""
IG, CAM = wl.IntegratedGradients(steps=3), wl.baselines.GradCAM()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "own_small.py").write_text(OWN)
    picture = torch.rand(16, 16, 3, generator=torch.Generator().manual_seed(0))
    Image.fromarray((255 * picture).byte().numpy()).save(tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def explained(method, **options):
    return wl.explain("photo.png", "own_small:net", target=1, method=method, device="cpu", **options)


def test_further_methods_are_what_each_finds_alone(folder):
    explanation = explained([IG, CAM, wl.SmoothGrad(samples=3), wl.baselines.FromMethod(wl.Saliency())])
    cam, smooth, saliency = explanation.further_methods
    module, x = explanation.request.loaded.module, explanation.input.x
    torch.testing.assert_close(explanation.attribution.data, explained(IG).attribution.data)
    torch.testing.assert_close(cam.data, CAM(module, x, 1).data)
    assert (cam.domain, saliency.domain) == (wl.Identity(), wl.Identity())
    assert smooth.domain == explanation.attribution.domain
    torch.testing.assert_close(
        smooth.data, wl.attribute(module, x, 1, domain=smooth.domain, method=wl.SmoothGrad(samples=3)).data
    )
    assert explanation.shapley is not None


def test_the_command_writes_and_shows_them(folder, capsys):
    words = ["--method", repr(IG), "--method", "GradCAM", "--method", "EnergyOrder", "--target", "1", "--report"]
    assert main(["explain", "photo.png", "--model", "own_small:net", "--device", "cpu", *words, "--out", "out"]) == 0
    printed = capsys.readouterr().out
    assert "beside it GradCAM, in identity" in printed
    record = json.loads(Path("out/photo.json").read_text())
    assert record["further_methods"][0]["domain"] == "Identity()"
    stored = wl.Attribution.load("out/photo-GradCAM.safetensors")
    torch.testing.assert_close(stored.data, explained([IG, CAM]).further_methods[0].data)
    page = Path("out/report.html").read_text()
    assert "Methods side by side" in page
    assert page.count("--method") == 3


def test_an_explainer_may_come_first(folder):
    explanation = explained(CAM)
    assert explanation.attribution.domain == wl.Identity()
    assert explanation.shapley is None
    assert explanation.panel().axes
    assert "wl.baselines.GradCAM(" in explanation.entry().command or "--method 'GradCAM(" in explanation.entry().command
    with pytest.raises(ValueError, match="an explainer with a domain of its own"):
        explained(CAM, domain=wl.DWT("haar", levels=1))


def test_maps_of_methods_stand_in_the_panel_and_in_the_report(folder):
    alone, beside = explained(IG), explained([IG, CAM])
    assert len(beside.panel().axes) == len(alone.panel().axes) + 2
    html = section(beside.entry()).html
    assert "<b>GradCAM</b> in Identity()" in html
    assert "Methods side by side" not in section(alone.entry()).html


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        ([], "method must be one method or several; got none"),
        ([IG, IG], "each method can be given only once; got IntegratedGradients"),
        ([IG, 3], "method must be a method's or an explainer's value such as SmoothGrad"),
        (wl.SmoothGrad, "method must be a method's or an explainer's value such as SmoothGrad"),
    ],
)
def test_what_is_no_method_is_refused(folder, method, sentence):
    with pytest.raises(ValueError, match=sentence):
        explained(method)
