"""The page on models without gradients runs as it stands, and its commands after it."""

import re
import shlex

import pytest
import torch

import wavelens as wl
from snippets import DOCS, commands
from wavelens.cli import main

PAGE = "howto/black-box.md"


@pytest.mark.slow
@pytest.mark.needs("onnx", "onnxruntime", "sklearn")
def test_the_page_and_its_commands(run_page, tmp_path, capsys):
    names = run_page(PAGE)
    assert abs(float(names["a"].gap)) < 1e-4
    assert max(zip(names["profile"].signed[0].tolist(), names["profile"].names, strict=True))[1] == "d1"
    upper = wl.maps.scale_maps(names["a"])["d1"].flatten(0, -3).abs().sum(0)
    assert upper[:16].sum() > 0.9 * upper.sum()  # the stripes are in the upper half
    assert abs(float(names["found"].gap)) < 1e-4
    explained = names["explanation"].attribution
    theirs = wl.shapley(names["model"].__class__(names["stripes"]), names["photo"], 1, domain=names["domain"])
    assert torch.isfinite(explained.data).all()
    assert theirs.names == names["profile"].names
    lines = [line for line in commands(DOCS / PAGE) if re.match("wavelens ", line)]
    assert len(lines) == 3
    for line in lines:
        assert main(shlex.split(line)[1:]) == 0, f"{line}: {capsys.readouterr().err}"
