"""The guide on reports runs as it stands, and what it says of its files holds."""


def test_the_guide(run_page, tmp_path, capsys):
    names = run_page("guides/report.md")
    a, x, model = names["a"], names["x"], names["model"]
    assert "report.html" in capsys.readouterr().out
    assert abs(float(a.gap)) <= 0.02 * abs(float(a.score - a.baseline_score))
    assert float(a.score) == float(model(x)[0, 1].detach())
    one, several = ((tmp_path / name).read_text(encoding="utf-8") for name in ("report.html", "several.html"))
    assert "<h2><bdi>square</bdi></h2>" in one
    assert several.count("<article ") == 6
    assert "<title>Squares</title>" in several
    assert len(one) < 5e6
