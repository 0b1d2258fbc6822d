"""What the benchmarks share: candidates take turns, rows replace their like, and a page says at what load."""

import ast
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


def test_what_a_page_quotes_of_a_table_follows_it(harness):
    """With either minus and over the end of a line; numbers that two rows share stay where these part."""
    guides = harness("guides")
    rows = "| a | -0.12 [-0.20, -0.04] |\n| b | 1.00 [0.50, 1.50] |\n| c | 1.00 [0.50, 1.50] |\n"
    page = (
        f"<!-- table: t -->\n\n| | x |\n|---|---|\n{rows}\nOf a it is −0.12 [−0.20,\n−0.04], of b 1.00 [0.50, 1.50].\n"
    )
    now = rows.replace("-0.20", "-0.21").replace("| b | 1.00 [0.50", "| b | 1.00 [0.45")
    made = guides.filled(page, {"t": f"| | x |\n|---|---|\n{now}".rstrip()})
    assert "| a | -0.12 [-0.21, -0.04] |" in made
    assert made.endswith("Of a it is −0.12 [−0.21, −0.04], of b 1.00 [0.50, 1.50].\n")
    assert guides.number([0.5, None, None]) == "0.50"


def test_a_guide_has_no_interval_of_few_items_and_wider_ones_of_older_records(harness, tmp_path):
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"grass": {"patches": 4, "B02": [0.1, 0.0, 0.3]}, "hits": [0.5, 0.4, 0.6], "items": 30}))
    shown = harness("guides").record(tmp_path, "x")
    assert shown["grass"]["B02"] == [0.1, None, None]
    assert shown["hits"] == harness("intervals").expanded([0.5, 0.4, 0.6], 30)
    path.write_text(json.dumps({"intervals": "BCa", "grass": {"patches": 4, "B02": [0.1, 0.0, 0.3]}}))
    assert harness("guides").record(tmp_path, "x")["grass"]["B02"] == [0.1, 0.0, 0.3]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("return a < b", "return a <= b"),
        ("return a < b", "return None"),
        ("x = 3", "x = 4"),
        ("x = 3", "x = 2"),
        ("x += f(y)", "pass"),
        ("x += f(y)", "x -= f(y)"),
        ("if a and b: g()", "if not (a and b): g()"),
        ("if a and b: g()", "if a or b: g()"),
        ("if a and b: g()", "if a and b: pass"),
        ("g = lambda y: -y", "g = lambda y: +y"),
        ("for a in b[1:]: yield a", "for a in b[0:]: yield a"),
    ],
)
def test_a_mutant_is_one_change_in_a_function(harness, before, after):
    made = harness("mutants")
    source, wanted = (f"class A:\n  k = 1\n  def f(self, n=1):\n    {line}" for line in (before, after))
    texts = [ast.unparse(made.mutated(source, k)[0]) for k in range(made.places(source))]
    assert texts.count(ast.unparse(ast.parse(wanted))) == 1
    assert len(set(texts)) == len(texts)


def test_no_mutant_is_of_what_is_said_or_set_by_default(harness):
    """Defaults, annotations, texts of errors, docstrings and constants outside functions stay as they are."""
    source = 'N = 1\n\ndef f(n: "3" = 2):\n    """1"""\n    raise ValueError(f"{n + 1}")'
    assert harness("mutants").places(source) == 0


def test_every_module_that_is_mutated_has_tests(scripts):
    mutation = scripts()("mutation")
    modules = {f"{p}/{path.stem}" for p in mutation.PACKAGES for path in (mutation.SOURCE / p).glob("*.py")}
    assert {name for name in modules if not name.endswith("__init__")} == set(mutation.TESTS)
    assert all((BENCHMARKS.parent / file).is_file() for tests in mutation.TESTS.values() for file, _ in tests)
    assert mutation.interval(9, 10) == [0.9, 0.596, 0.982]  # Wilson's, as in the tables of Newcombe (1998)


def test_the_share_of_what_is_noticed_is_of_what_computes_something_else(scripts, monkeypatch):
    mutation = scripts()("mutation")
    rows = [
        {"module": "m", "line": k, "number": 7, "text": "t", "outcome": outcome}
        for k, outcome in enumerate(["noticed", "too slow", "survived", "survived"])
    ]
    monkeypatch.setattr(mutation, "EQUIVALENT", {"m:2 #7 t": "why"})
    made = mutation.summary(rows)
    assert (made["mutants"], made["noticed"], made["survived"]) == (4, 2, ["m:3 #7 t"])
    assert (made["share"][0], made["share of those that are not equivalent"][0]) == (0.5, 0.667)
