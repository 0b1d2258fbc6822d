"""The guide's Python and its commands run as they stand, and say what it claims."""

import json
import shlex
import sys

import pytest
import torch

import wavelens as wl
from snippets import DOCS, commands
from wavelens.cli import main


@pytest.mark.slow
@pytest.mark.needs("torchvision", "transformers:YolosForObjectDetection", "transformers:YolosImageProcessor")
def test_the_guide_and_its_commands(run_page, tmp_path, monkeypatch, capsys):
    names = run_page("guides/detectors.md")
    explanation = names["explanation"]
    rows = explanation.detections
    assert explanation.target.label == rows[0]["name"]
    assert [row["explained"] for row in rows] == [True, *[False] * (len(rows) - 1)]
    assert explanation.attribution.score.item() == pytest.approx(rows[0]["probability"], rel=1e-4)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(tmp_path))])
    lines = [line for line in commands(DOCS / "guides/detectors.md") if "…" not in line]
    assert len(lines) == 8
    assert torch.equal(names["both"].insertion[:, -1], names["both"].deletion[:, 0])
    assert names["both"].deletion[0, 0].item() == pytest.approx(rows[0]["probability"], rel=1e-4)
    for line in lines:
        for own in ("yard", "ground"):
            sys.modules.pop(own, None)
        assert main(shlex.split(line)[1:]) in ((0, 1) if " check " in line else (0,)), f"{line}: {capsys.readouterr()}"
        if "#2" in line:
            told = json.loads((tmp_path / "wavelens-out/photo.json").read_text(encoding="utf-8"))
            assert [k for k, row in enumerate(told["detections"]) if row["explained"]] == [1]
    run = wl.runs.Run.open("runs/saliency").read()
    assert list(run.names) == ["0.png", "1.png"]
    assert (run.values["probability"] == run.values["score"]).all()
    second = shlex.split(next(line for line in lines if "runs/dog" in line).replace("dog", "dog#2"))
    assert main(second[1:]) == 0, capsys.readouterr()
    first, second = (wl.runs.Run.open(f"runs/dog{number}").read().values for number in ("", "#2"))
    assert first["target"].tolist() == second["target"].tolist() == [1, 1]
    assert (first["score"] > second["score"]).all()


def test_the_page_on_several_inputs(run_page, tmp_path, monkeypatch, capsys):
    names = run_page("howto/several-inputs.md")
    both, share = names["both"], names["share"]
    assert names["total"] == pytest.approx(names["rise"], abs=0.02)
    assert share(both["first"], 4, 6) > 0.9
    assert share(both["second"], 30, 28) > 0.3
    assert names["account"](both["second"], 4, 4) < 0 < names["account"](both["second"], 30, 28)
    assert float(names["curves"].insertion_area) > float(names["curves"].deletion_area)
    values = names["values"].values[0]
    assert float(values.sum()) == pytest.approx(names["rise"], abs=1e-4)
    row = dict(zip(names["COLUMNS"], names["a"]["row"].data[0, 0].tolist(), strict=True))
    assert row["age"] > 0 > row["weight"]
    assert row["pressure"] == 0
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(tmp_path))])
    (line,) = commands(DOCS / "howto/several-inputs.md")
    assert main(shlex.split(line)[1:]) == 0, capsys.readouterr()
