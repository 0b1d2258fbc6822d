"""Patterns in real signals: what is planted where, who is trusted, and the tables; the runs need data not shipped."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import wavelens as wl


@pytest.fixture
def study(scripts, monkeypatch, tmp_path):
    """Imports a script of benchmarks/planted; no data is at hand, and what is trained lies in a folder of its own."""
    monkeypatch.setenv("WAVELENS_DATA", str(tmp_path / "nothing"))
    monkeypatch.setenv("WAVELENS_OUT", str(tmp_path / "out"))
    return scripts("planted", "paper")


@pytest.fixture
def drawn(study, monkeypatch):
    """Scans of noise in place of the data."""
    signals = study("real_signals")
    monkeypatch.setattr(signals, "names", lambda kind, use: [f"{use} {k}" for k in range(5)])
    monkeypatch.setattr(signals, "scan", lambda name, place, axes: torch.rand(1, 1, *axes) / 10)
    return signals


def test_items_of_one_use_serve_no_other(study):
    parts = study("real_signals").split([str(k) for k in range(40)], (0.6, 0.15))
    assert {use: len(items) for use, items in parts.items()} == {"training": 24, "choosing": 6, "judging": 10}
    assert sorted((k for items in parts.values() for k in items), key=int) == [str(k) for k in range(40)]


def test_background_pattern_and_distractor_add_up(drawn):
    task = drawn.TASKS["orientation in scans"]
    signals = task.signals(6, 3)
    assert signals.labels.sum() == 3
    assert torch.equal(signals.x, signals.background + signals.pattern + signals.distractor)
    run = [tuple(signals.pattern[k, 0].diff(dim=axis).square().sum() for axis in (0, 2)) for k in range(6)]
    assert [int(across < along) for across, along in run] == signals.labels.tolist()  # each wave runs along its axis


def test_patterns_are_the_same_in_each_channel(study):
    task = study("real_signals").TASKS["orientation in photos"]
    pattern = task.patterns(torch.tensor([0, 1]), 0, torch.zeros(2, 3, *task.axes))
    assert pattern.shape == (2, 3, 224, 224)
    assert torch.equal(pattern[:, 0], pattern[:, 2])
    assert pattern.abs().amax() == pytest.approx(0.2, abs=0.01)


def test_a_head_learns_the_pattern_and_is_kept(drawn, study, monkeypatch):
    """Noise, and features that are the scans themselves: a convolution tells the two directions apart."""
    networks, training = study("real_networks"), study("real_training")
    task = replace(drawn.TASKS["orientation in scans"], axes=(12, 12, 12))
    recipe = networks.Recipe(task.name, lambda depth: nn.Identity(), 0, reach=7)
    monkeypatch.setitem(networks.RECIPES, "tiny", recipe)
    monkeypatch.setitem(training.TASKS, task.name, task)
    head = training.trained("tiny", 256, 64)
    measured = training.verified("tiny", networks.Tuned(nn.Identity(), head), "judging", 64)
    assert measured["accuracy"] > 0.9
    assert abs(measured["removed"] - 0.5) < 0.2
    again = training.trained("tiny", 256, 64)
    assert all(torch.equal(a, b) for a, b in zip(head.state_dict().values(), again.state_dict().values(), strict=True))


@pytest.mark.parametrize(
    ("name", "value"), [("moved", 0.94), ("removed", 0.75), ("background", 0.9), ("distractor", 0.9)]
)
def test_a_network_that_does_not_go_by_the_pattern_is_refused(study, name, value):
    sound = {"accuracy": 0.97, "moved": 0.96, "exchanged": 0.95, "removed": 0.55, "chance": 0.5}
    sound |= {"distractor": 1.0, "background": 0.96}
    is_verified = study("real").is_verified
    assert is_verified(sound, 100)
    assert not is_verified(sound | {name: value}, 100)


def test_every_order_is_read_in_every_domain(study):
    net = nn.Sequential(nn.Conv1d(1, 4, 5), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(4, 2)).eval()
    domains = {"DWT haar": wl.DWT("haar", levels=2), "Identity": wl.Identity()}
    found = {(name, str(order)) for name, order, _ in study("real").read(net, torch.rand(1, 1, 32), 1, domains)}
    assert {order for name, order in found if name == "DWT haar"} >= {"energy", "random", "IG, signed, contrast"}
    assert ("Identity", "Grad-CAM") in found
    assert ("DWT haar", "Grad-CAM") not in found
    assert ("Identity", "Shapley by scale") not in found


def test_tables_rank_orders_by_their_mean_over_kinds(study):
    def cell(value):
        return {"precision": [value, value - 0.1, value + 0.1]}

    results = {
        "photo": {"DWT haar": {"orders": {"IG": cell(0.5), "energy": cell(0.1)}}},
        "scan": {"DWT haar": {"orders": {"IG": cell(0.2), "energy": cell(0.3), "random": cell(0.0)}}},
    }
    record = {"results": results, "items by kind": {"photo": 7, "scan": 5}}
    lines = study("real_tables").orders(record, "DWT haar").splitlines()
    assert lines[0] == "| order | photos (n 7) | scans (n 5) |"
    assert lines[2:] == [
        "| IG | 0.50 [0.40, 0.60] | 0.20 [0.10, 0.30] |",
        "| energy | 0.10 [0.00, 0.20] | 0.30 [0.20, 0.40] |",
        "| random |  | 0.00 [-0.10, 0.10] |",
    ]
