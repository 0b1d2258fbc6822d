"""Numbers as a reader sees them."""

from __future__ import annotations

import math
import re

from torch import Tensor

from wavelens.counts import with_minus

BEFORE_UNIT = re.compile(r"(?<=[\dk]) (?=%|[^\W\d])")  # "8 px", "1.38k Hz", "0.7 %"


def unbroken(text: str) -> str:
    r"""A text whose units stay on the line of their numbers: a no-break space stands between them.

    >>> from wavelens.reports.numerals import unbroken
    >>> unbroken("d1 · 0.5–1 mm")
    'd1 · 0.5–1\xa0mm'
    """
    return BEFORE_UNIT.sub("\N{NO-BREAK SPACE}", text)


def percent(part: float) -> str:
    """Two digits at least, and never more than is known."""
    digits = f"{100 * part:.0f}" if part >= 0.995 else f"{100 * part:.1f}" if part >= 0.001 else f"{100 * part:.1g}"
    return unbroken(f"{digits} %")


def number(value: float) -> str:
    """Four digits, with a minus that is as wide as a plus."""
    return with_minus(f"{value:.4g}")


def signed(value: float) -> str:
    """With its sign; a dash for NaN, which stands where nothing has signs."""
    return "—" if math.isnan(value) else with_minus(f"{value:+.4g}") if value else "0"


def scalar(value: Tensor | None) -> float | None:
    """The one number of a tensor with one item; None where there is none, or where it says nothing."""
    number = None if value is None else float(value.reshape(-1)[0])
    return number if number is not None and math.isfinite(number) else None
