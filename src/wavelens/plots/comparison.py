"""The mean insertion and deletion curves of several runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from textwrap import wrap

import numpy as np
from numpy.typing import NDArray

from wavelens.plots.figure import Figure
from wavelens.plots.parts import literal

# Told apart with any colour vision (Okabe and Ito, 2008), and by their dashes in grey.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
TITLE_LETTERS = 48  # of one line above a panel
DASHES = ("solid", "dashed", "dashdot", "dotted")


def mean_curves(curves: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> Figure:
    """One panel for each curve, one line for each run: `curves[run][name]` is `(steps + 1,)` over [0, 1].

    Steps are evenly apart, also those of log-spaced fractions; logits may lie below zero.
    """
    names = list(dict.fromkeys(name for own in curves.values() for name in own))
    if not names:
        raise ValueError("mean_curves draws the curves of runs; none of these has any. Evaluate with --metric Curves.")
    columns = min(2, len(names))
    rows = math.ceil(len(names) / columns)
    figure = Figure((5.2 * columns, 4.0 * rows), dpi=120, facecolor="white", layout="constrained")
    for place, name in enumerate(names, 1):
        axes = figure.add_subplot(rows, columns, place)
        drawn = [own for own in curves.values() if name in own]
        for number, (run, own) in enumerate(curves.items()):
            if name in own:
                fraction = np.linspace(0, 1, len(own[name]))
                dash = DASHES[number // len(COLOURS) % len(DASHES)] if len(curves) > 7 else DASHES[number % 4]
                area = np.trapezoid(own[name], fraction)
                label = literal(f"{run}: {area:.3f}")
                axes.plot(fraction, own[name], color=COLOURS[number % 7], linestyle=dash, linewidth=1.6, label=label)
        title = "\n".join(wrap(literal(name), TITLE_LETTERS))
        axes.set_title(title, fontsize=10)
        steps = (
            "steps from none to all of the coefficients" if "fractions='log'" in name else "part of the coefficients"
        )
        axes.set(xlabel=steps, ylabel="mean score", xlim=(0, 1))
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]) if any(own[name].min() < 0 for own in drawn) else 0.0)
        axes.grid(color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8, title="area", alignment="left")
    return figure
