"""The guide on sound runs as it stands, and what it says of its example holds."""

import torch


def test_the_guide(run_page, tmp_path, capsys):
    names = run_page("guides/sound.md")
    a, b, x = names["a"], names["b"], names["x"]
    assert "2000–4000 Hz" in capsys.readouterr().out
    share = dict(zip(names["profile"].names, names["profile"].share[0].tolist(), strict=True))
    assert share["d2"] + share["d3"] > 0.5  # the chirp's octaves, 1 to 4 kHz
    assert (a.gap.abs() <= 0.02 * (a.score - a.baseline_score).abs()).all()
    model, silence = names["model"], torch.zeros_like(x)
    torch.testing.assert_close(b.data.sum() + b.gap[0], (model(x) - model(silence))[0, 1], rtol=1e-4, atol=1e-4)
    whole = names["whole"]
    accounts = (whole.score - whole.baseline_score).item(), whole.data.sum().item(), names["total"].sum().item()
    assert max(accounts) - min(accounts) < 0.03 * abs(accounts[0])
    for name in ("sound.png", "picture.png", "heard.wav"):
        assert (tmp_path / name).stat().st_size > 10_000
