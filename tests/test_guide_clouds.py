"""The guide on clouds runs as it stands, and what it says of its example holds."""

import shlex
import sys

import pytest

from snippets import DOCS, commands
from wavelens.cli import main
from wavelens.frontends import read_cloud


@pytest.mark.slow
@pytest.mark.needs("scipy.spatial")
def test_the_guide_and_its_commands(run_page, tmp_path, monkeypatch, capsys):
    names = run_page("guides/clouds.md")
    strongest = {name: max(parts, key=parts.get) for name, parts in names["parts"].items()}
    assert holds(strongest["wide"], 0.9)
    assert holds(strongest["narrow"], 0.45)
    assert read_cloud(tmp_path / "important.ply").points == 700
    assert (tmp_path / "found/narrow.png").stat().st_size > 20_000
    assert len(list((tmp_path / "found/narrow-shapes").iterdir())) == 8
    assert "VIEWS.cloud" in (tmp_path / "narrow.html").read_text(encoding="utf-8")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(tmp_path))])
    lines = [line for line in commands(DOCS / "guides/clouds.md") if line.startswith("wavelens")]
    assert len(lines) == 3
    for line in lines:
        sys.modules.pop("forms", None)
        assert main(shlex.split(line)[1:]) == 0, f"{line}: {capsys.readouterr().err}"


def holds(extent, length, slack=1.25):
    """Whether a label such as '0.4–0.6 m' spans a length."""
    low, high = (float(end) for end in extent.removesuffix(" m").split("–"))
    return low / slack < length < high * slack
