"""The guide to several scans runs as it stands, with its commands, and what it says of its phantoms holds."""

import re
import shlex

import pytest

import snippets
from wavelens.cli import main

PAGE = snippets.DOCS / "guides/scans.md"


@pytest.mark.slow
@pytest.mark.needs("monai", "nibabel", "plotly")
def test_the_guide_and_its_commands(run_page, tmp_path, capsys):
    names = run_page("guides/scans.md")
    printed = capsys.readouterr().out
    for text in re.findall(r"print\(.*\)  # (.*)", "".join(snippets.blocks(PAGE))):
        assert text in printed
    assert min(names["dice"]) > 0.5
    sums = names["sums"]["oedema"]
    assert sums["t1ce"] > 2 * max(value for name, value in sums.items() if name != "t1ce")
    for explanation in names["explanations"].values():
        a = explanation.attribution
        total = sum(sum(row["signed"]) for row in explanation.by_channel)
        assert total == pytest.approx(float(a.score - a.baseline_score - a.gap), rel=1e-3)
    lines = [line for line in snippets.commands(PAGE) if line.startswith("wavelens explain patient")]
    assert len(lines) == 2
    for line in lines:
        assert main(shlex.split(line)[1:]) == 0, capsys.readouterr().err
    assert (tmp_path / "wavelens-out/patient-region.nii.gz").exists()
