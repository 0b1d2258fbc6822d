"""The guide on models that write runs as it stands, and what it says of its examples holds."""

import shlex
import sys

import pytest
import torch

import wavelens as wl
from snippets import DOCS, commands
from wavelens.cli import main


def test_the_guide_and_its_commands(run_page, tmp_path, monkeypatch, capsys):
    names = run_page("guides/writers.md")
    rows = {row["label"]: row["probability"] for row in names["whole"].answer}
    assert 0.9 < rows["the right side is brighter"] < rows["right"]
    _, halves, *finer = names["word"].profile  # the mean, what halves differ in, and what is smaller
    assert halves["signed"] > 0.5
    assert max(abs(row["signed"]) for row in finer) < 1e-4
    assert names["word"].target.options == ("--target", "answer:the [right] side is brighter")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(tmp_path))])
    lines = [line for line in commands(DOCS / "guides/writers.md") if line.startswith("wavelens")]
    assert len(lines) == 2
    for line in lines:
        sys.modules.pop("telling", None)
        assert main(shlex.split(line)[1:]) == 0, f"{line}: {capsys.readouterr().err}"
    assert "right, log-probability" in capsys.readouterr().out
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(768, 2)).eval()
    with pytest.raises(ValueError, match="is for a model that writes; Sequential is a classifier"):
        wl.explain("photo.png", net, target="answer:the")
