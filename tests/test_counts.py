"""Nouns and verbs agree with their number, and numbers for people have one minus sign."""

import pytest

from wavelens.counts import by_count, count_of, part_of, with_minus


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 files have"), (1, "1 file has"), (2, "2 files have"), (1234, "1,234 files have")]
)
def test_a_noun_and_its_verb_agree_with_their_number(count, text):
    assert count_of(count, "file", "has", "have") == text
    assert count_of(count, "file") == text.rsplit(" ", 1)[0]
    assert by_count(count, "has", "have") == text.split()[-1]


def test_the_verb_of_a_part_agrees_with_the_part():
    assert part_of(1, 62, "tensor", "differs", "differ") == "1 of 62 tensors differs"
    assert part_of(0, 1, "file", "has", "have") == "0 of 1 file have"
    assert part_of(3, 1200, "file") == "3 of 1,200 files"


def test_a_minus_is_as_wide_as_a_plus():
    assert with_minus(f"{-0.5:+.2f} to {-1e-7:.0e}") == "−0.50 to −1e−07"
