"""The guide on texts runs as it stands, and what it says of its examples holds."""

import shlex
import sys

from snippets import DOCS, commands
from wavelens.cli import main


def test_the_guide_and_its_commands(run_page, tmp_path, monkeypatch, capsys):
    names = run_page("guides/text.md")
    values = dict(
        zip([word.text for word in names["explanation"].words.words], names["explanation"].words.values, strict=True)
    )
    assert values["good,"] > 0
    assert names["together"] > 0.5
    assert (tmp_path / "found" / "review.png").stat().st_size > 10_000
    assert "VIEWS.text" in (tmp_path / "review.html").read_text(encoding="utf-8")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(tmp_path))])
    lines = [line for line in commands(DOCS / "guides/text.md") if line.startswith("wavelens")]
    assert len(lines) == 3
    for line in lines:
        sys.modules.pop("reviews", None)
        assert main(shlex.split(line)[1:]) in (0, 1), f"{line}: {capsys.readouterr().err}"
