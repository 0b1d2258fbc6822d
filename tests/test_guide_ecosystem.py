"""The guide's Python runs as it stands, with the real libraries."""

import pytest
import torch


@pytest.mark.needs("captum", "quantus", "torchmetrics", "transformers:pipeline")
def test_snippets(run_page, capsys):
    torch.manual_seed(0)
    names = run_page("guides/ecosystem.md")
    printed = capsys.readouterr().out
    assert "torch.Size([4, 3, 16, 16]) tensor(True) ('a2', 'd2', 'd1')" in printed
    assert len(names["scores"]) == 4
    assert -1 <= names["faithful"].compute() <= 1
    assert names["a"].score.item() == pytest.approx(names["pipe"].model(names["seen"]).logits.max().item(), rel=1e-5)
