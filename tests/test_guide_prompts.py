"""The guide on prompts runs as it stands, its commands too, and what it says of its example holds."""

import shlex
import sys

import pytest

from snippets import DOCS, commands
from wavelens.cli import main


@pytest.mark.needs("transformers", "tokenizers")
def test_the_guide_and_its_commands(run_page, tmp_path, monkeypatch, capsys):
    names = run_page("guides/prompts.md")
    a = names["a"]
    assert names["one"].target.heading == "0 a dog on a sofa rather than 1 a cat on a sofa"
    assert abs((a.score - a.baseline_score - a.data.sum() - a.gap).item()) < 1e-4
    assert names["left"].sum() > 1
    assert names["right"].sum() < -1
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(tmp_path))])
    lines = [line for line in commands(DOCS / "guides/prompts.md") if "hf:clip" in line or "colours:" in line]
    assert len(lines) == 3
    for line in lines:
        sys.modules.pop("colours", None)
        assert main(shlex.split(line)[1:]) == 0, f"{line}: {capsys.readouterr().err}"
