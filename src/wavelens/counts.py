"""Counts and numbers for people: '1 file has', '12 files have', '−0.5'."""

from __future__ import annotations


def count_of(count: int, noun: str, one: str = "", several: str = "") -> str:
    """A number with its noun and, if given, the verb: `one` for a single thing, else `several`.

    >>> from wavelens.counts import count_of
    >>> count_of(1, "file"), count_of(1234, "file", "has", "have")
    ('1 file', '1,234 files have')
    """
    return f"{count:,} {noun}{'s' * (count != 1)} {by_count(count, one, several)}".rstrip()


def part_of(part: int, count: int, noun: str, one: str = "", several: str = "") -> str:
    """How many of a number of things, whose verb, if given, follows the part.

    >>> from wavelens.counts import part_of
    >>> part_of(1, 62, "tensor", "differs", "differ"), part_of(0, 1, "file")
    ('1 of 62 tensors differs', '0 of 1 file')
    """
    return f"{part:,} of {count_of(count, noun)} {by_count(part, one, several)}".rstrip()


def by_count(count: int, one: str, several: str) -> str:
    """`one` for a single thing, else `several`: the form of a verb or a pronoun.

    >>> from wavelens.counts import by_count
    >>> by_count(1, "is", "are"), by_count(0, "is", "are")
    ('is', 'are')
    """
    return one if count == 1 else several


def with_minus(number: str) -> str:
    """A number for people, with the minus sign that is as wide as a plus; CSV and JSON keep the hyphen.

    >>> from wavelens.counts import with_minus
    >>> with_minus(f"{-0.5:+.2f}")
    '−0.50'
    """
    return number.replace("-", "\N{MINUS SIGN}")
