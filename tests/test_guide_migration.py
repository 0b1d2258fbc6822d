"""The guide's two columns run as they stand, and agree where the page says so."""

import pytest
import torch

import snippets


@pytest.mark.needs("captum", "pytorch_grad_cam", "quantus")
def test_both_columns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for piece, names in snippets.steps("guides/migration.md"):
        if "GradCAM" in piece:
            theirs = torch.as_tensor(names["theirs"])
            assert torch.allclose(names["stretched"], theirs, atol=1e-2)
        if "Sparseness" in piece:
            assert torch.allclose(names["ours"], torch.tensor(names["theirs"]).double(), atol=1e-3)
    assert names["mosaic"].shape == (2, 16, 16)
