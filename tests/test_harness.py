"""What the benchmarks share: candidates take turns, rows replace their like, and a page says at what load."""

import importlib
import importlib.util
import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def harness(scripts):
    return lambda name: scripts()(f"harness.{name}")


def test_candidates_take_turns_and_every_other_round_goes_backwards(harness):
    calls, ticks = [], iter(range(100))
    runs = {name: lambda name=name: calls.append(name) for name in "abc"}
    seconds = harness("timing").turns(runs, "cpu", 3, clock=lambda: next(ticks))
    assert calls == list("abccbaabc")
    assert seconds == {name: [1, 1, 1] for name in "abc"}


def test_a_ratio_is_that_of_the_least(harness):
    timing = harness("timing")
    assert timing.ratio({"a": [9.0, 2.0], "b": [4.0, 8.0]}, "a", "b") == 0.5
    assert timing.geometric_mean([0.5, 2.0, 8.0]) == pytest.approx(2.0)


def test_a_row_replaces_its_like_alone(harness, monkeypatch, tmp_path):
    harness("records")
    monkeypatch.syspath_prepend(str(BENCHMARKS / "speed"))
    spec = importlib.util.spec_from_file_location("speed_record", BENCHMARKS / "speed" / "record.py")
    record = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(record)
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    record.write("x", "cpu", {"rows": [{"net": "a", "n": 1}, {"net": "b", "n": 1}]})
    record.replace("x", "cpu", [{"net": "a", "n": 2}], ("net",), steps=5)
    whole = json.loads((tmp_path / "x-cpu.json").read_text())
    assert whole["rows"] == [{"net": "b", "n": 1}, {"net": "a", "n": 2}]
    assert whole["steps"] == 5
    assert " on " in whole["load"]


def test_a_bar_in_a_cell_ends_no_column(harness):
    assert harness("tables").table(("a",), [("x|y",)]) == "| a |\n| --- |\n| x\\|y |\n"
