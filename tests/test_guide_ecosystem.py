"""The guide's Python runs as it stands, with the real libraries."""

import re
from pathlib import Path

import pytest
import torch

GUIDE = Path(__file__).parents[1] / "docs" / "guides" / "ecosystem.md"


@pytest.mark.needs("captum", "quantus", "torchmetrics", "transformers")
def test_snippets(tmp_path, monkeypatch, capsys):
    torch.manual_seed(0)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for piece in re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL):
        exec(piece, names)
    printed = capsys.readouterr().out
    assert "torch.Size([4, 3, 16, 16]) tensor(True) ('a2', 'd2', 'd1')" in printed
    assert len(names["scores"]) == 4
    assert -1 <= names["faithful"].compute() <= 1
    assert names["a"].score.item() == pytest.approx(names["pipe"].model(names["seen"]).logits.max().item(), rel=1e-5)
