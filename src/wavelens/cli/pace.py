"""How fast files are done, and how long the others take."""

from __future__ import annotations


def pace(per_second: float, left: float) -> str:
    """'23 s per file, 1:05:00 left', or '12.5 files per second, …' where a file takes less than a second.

    >>> from wavelens.cli.pace import pace
    >>> pace(1 / 23, 3900), pace(12.5, 75)
    ('23 s per file, 1:05:00 left', '12.5 files per second, 0:01:15 left')
    """
    each = per_second if per_second > 1 else 1 / per_second
    number = f"{each:,.0f}" if each >= 20 else f"{each:.1f}"
    return f"{number} {'files per second' if per_second > 1 else 's per file'}, {clock(left)} left"


def clock(seconds: float) -> str:
    """'1:05:00'."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
