"""The guides on time series run as they stand, and what they say of their examples holds."""

import shlex
import sys

import torch

import wavelens as wl
from snippets import DOCS, commands
from wavelens.cli import main


def test_the_guide_and_its_commands(run_page, tmp_path, monkeypatch, capsys):
    names = run_page("guides/series.md")
    signed = names["signed"]
    assert signed[0].abs().sum() < 1e-3 * signed[1].abs().sum()
    layout = names["a"].layout
    extents = dict(zip(layout.scales(), names["explanation"].input.grid.extents(layout).values(), strict=True))
    share = dict(zip(layout.scales(), wl.maps.profile(names["a"]).share[0].tolist(), strict=True))
    beside = [name for name, ((low, high),) in extents.items() if low < 24 and high > 6]
    assert sum(share[name] for name in beside) > 0.8
    assert abs(float(names["place"]) - 1.75) < 0.15
    assert (tmp_path / "night" / "night.png").stat().st_size > 10_000
    assert "VIEWS.series" in (tmp_path / "night.html").read_text(encoding="utf-8")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(tmp_path))])
    lines = [line for line in commands(DOCS / "guides/series.md") if line.startswith("wavelens")]
    assert len(lines) == 3
    for line in lines:
        sys.modules.pop("night", None)
        assert main(shlex.split(line)[1:]) == 0, f"{line}: {capsys.readouterr().err}"


def test_the_guide_on_electrocardiograms(run_page, tmp_path):
    names = run_page("guides/ecg.md")
    assert names["accuracy"] > 0.9
    assert len(names["off"]) == 12
    assert names["off"]["QRS", "IntegratedGradients", "Identity"] < 0.1
    assert names["off"]["QRS", "IntegratedGradients", "DWT"] < 0.2
    explanation = names["explanation"]
    assert abs(explanation.attribution.data.sum() + explanation.attribution.gap - (
        explanation.attribution.score - explanation.attribution.baseline_score
    )) < 1e-3  # fmt: skip
    assert (tmp_path / "qrs.png").stat().st_size > 10_000


def test_the_guide_on_seismograms(run_page, tmp_path):
    names = run_page("guides/seismogram.md")
    sums = {
        phase: torch.tensor([sum(row["signed"]) for row in one.by_channel]) for phase, one in names["picks"].items()
    }
    assert sums["P"].argmax() == 2
    assert sums["S"].argmax() != 2
    assert sums["P"][2] > 0.6 * sums["P"].clamp_min(0).sum()
    assert sums["S"][:2].sum() > 0.8 * sums["S"].clamp_min(0).sum()
    assert (tmp_path / "p.png").stat().st_size > 10_000
