"""The guide on reports runs as it stands, and what it says of its files holds."""

import re
from pathlib import Path

GUIDE = Path(__file__).parents[1] / "docs/guides/report.md"


def test_the_guide(tmp_path, monkeypatch, capsys):
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for code in blocks:
        exec(code, names)
    a, x, model = names["a"], names["x"], names["model"]
    assert "report.html" in capsys.readouterr().out
    assert abs(float(a.gap)) <= 0.02 * abs(float(a.score - a.baseline_score))
    assert float(a.score) == float(model(x)[0, 1].detach())
    one, several = ((tmp_path / name).read_text(encoding="utf-8") for name in ("report.html", "several.html"))
    assert "<h2><bdi>square</bdi></h2>" in one
    assert several.count("<article ") == 6
    assert "<title>Squares</title>" in several
    assert len(one) < 5e6
