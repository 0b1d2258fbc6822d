"""The guide on videos runs as it stands, and what it says of its example holds."""

import pytest
import torch


@pytest.mark.needs("av")
def test_the_guide(run_page, tmp_path, capsys):
    names = run_page("guides/video.md")
    a, model, x, sums = names["a"], names["model"], names["x"], names["sums"]
    printed = capsys.readouterr().out
    assert "(1, 3, 16, 32, 48) (0.05, 1.0, 1.0)" in printed
    assert "d3 0.2–0.4 s × > 2 × > 2 px" in printed
    assert model(x).argmax(1).item() == 0
    assert abs(model(names["still"])[0, 0].item()) < 1e-6 < 1e-3 < model(x)[0, 0].item()
    assert abs(sums["a"]) < 0.1 * sum(sums.values())
    assert abs(float(a.gap)) <= 0.02 * abs(float(a.score - a.baseline_score))
    assert torch.equal(
        names["video"].data.round(decimals=4), (names["frames"] * 255).round().div(255).round(decimals=4)
    )
    assert names["read_video"](tmp_path / "overlay.mp4").frames == 16
    assert (tmp_path / "film.png").stat().st_size > 10_000
