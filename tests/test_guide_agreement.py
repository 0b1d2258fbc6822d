"""The guide's table of measures is that of the record of planted truth, and has no numbers without one."""

import importlib.util
from pathlib import Path

import pytest

from snippets import DOCS
from wavelens.metrics.measures import parse_metric

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location("planted_guide", ROOT / "benchmarks" / "planted" / "guide.py")
guide = importlib.util.module_from_spec(spec)
spec.loader.exec_module(guide)

RECORD = {
    "results": {
        "choosing": {
            "networks": 4,
            "faithfulness": {"agreement": [0.48, 0.3, 0.6], "behind energy": [0.75, 0.6, 0.9]},
            "faithfulness, shuffled, log": {"agreement": [0.761, 0.7, 0.8], "behind energy": [0.1, 0.0, 0.2]},
            "max_sensitivity": {"agreement": [-0.001, -0.2, 0.2]},
            "truth": {"behind energy": [0.0, 0.0, 0.0]},
        },
        "judging": {"networks": 0},
    }
}


def test_the_table_has_the_numbers_of_the_record_best_first():
    lines = guide.agreement(RECORD).splitlines()
    assert lines[0] == "| measure | `--metric` | agreement, choosing (n 4) | behind energy |"
    shown = "| faithfulness, shuffled, log | `Curves(fill='shuffled', fractions='log')` | +0.76 [+0.70, +0.80] | 10 % |"
    assert lines[2:] == [
        shown,
        "| faithfulness | `Curves()` | +0.48 [+0.30, +0.60] | 75 % |",
        "| max_sensitivity | `MaxSensitivity()` | +0.00 [-0.20, +0.20] |  |",
        "| *truth itself* |  |  | 0 % |",
    ]


def test_a_page_is_filled_again_and_again_alike():
    page = f"before\n\n{guide.MARK}\nafter\n"
    once = guide.filled(page, "| a |\n| --- |\n| 1 |\n")
    assert once == f"before\n\n{guide.MARK}\n| a |\n| --- |\n| 1 |\n\nafter\n"
    assert guide.filled(once, "| b |\n| --- |\n") == f"before\n\n{guide.MARK}\n| b |\n| --- |\n\nafter\n"
    with pytest.raises(ValueError, match="a page has the mark"):
        guide.filled("none", "| a |\n")


def test_every_measure_is_asked_for_by_its_text():
    for text in guide.ASKED.values():
        parse_metric(text)


def test_the_guide_has_the_table_of_the_record():
    page = guide.GUIDE.read_text(encoding="utf-8")
    assert page == (DOCS / "guides" / "metrics.md").read_text(encoding="utf-8")
    if record := guide.records.read(guide.RECORD):
        whole = guide.joined(record, guide.records.read(guide.FURTHER))
        assert guide.filled(page, guide.agreement(whole)) == page
    else:
        assert not page.partition(guide.MARK)[2].lstrip().startswith("|")
