"""The guide on satellite images runs as it stands, and what it says of its examples holds."""

import shlex
import sys

import pytest
import torch

from snippets import DOCS, commands
from wavelens.cli import main


@pytest.mark.needs("rasterio")
def test_the_guide_and_its_commands(run_page, tmp_path, monkeypatch, capsys):
    names = run_page("guides/satellite.md")
    sums = {row["extent"]: row["signed"] for row in names["explanation"].profile}
    assert sums["> 320 m"] > sum(abs(value) for value in sums.values()) / 2
    assert abs(sums["10–20 m"]) < 0.02  # the network's areas are of 40 m
    green, strongest = torch.from_numpy(names["green"]), names["strongest"]
    assert strongest[green].float().mean() > 3 * strongest[~green].float().mean()
    lines = [line for line in commands(DOCS / "guides/satellite.md") if line.startswith("wavelens")]
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(tmp_path))])
    for line in lines:
        for own in ("field", "wet"):
            sys.modules.pop(own, None)
        assert main(shlex.split(line)[1:]) == 0, f"{line}: {capsys.readouterr().err}"
