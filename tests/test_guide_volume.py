"""The guide to volumes runs as it stands, and prints what it says."""

import re

import pytest
import torch

import snippets
from wavelens.frontends import read_volume


@pytest.mark.needs("monai", "nibabel", "plotly")
def test_the_guide_runs(run_page, tmp_path, capsys):
    names = run_page("guides/volume.md")
    printed = capsys.readouterr().out
    promised = re.findall(r"print\(.*\)  # (.*)", "".join(snippets.blocks(snippets.DOCS / "guides/volume.md")))
    assert len(promised) == 4
    for text in promised:
        assert text in printed
    assert "d1  1–2 × 1–2 × 2–4 mm" in printed
    a = names["a"]
    assert (a.gap.abs() <= 0.02 * (a.score - a.baseline_score).abs()).all()
    over = read_volume("scales.nii.gz")
    torch.testing.assert_close(
        over.data.flatten(2).sum(-1), names["scales"].flatten(2).sum(-1).float(), rtol=1e-4, atol=0
    )
    assert {path.name for path in tmp_path.iterdir()} >= {"slices.png", "montage.png", "scene.html"}
