"""What a domain, method, metric or front end of your own is made of, in one place.

The pages under "Extending" build each of them in a file of your own; the command then takes it as `module:Name(…)`.

| for | names |
|---|---|
| domains | `Domain`, `Coefficients`, `Layout`, `Band`, `Scale`, `Extent`, `level_scales`, `signal_axes` |
| labels | `Grid`: names scales in Hz, s, mm or px |
| methods | `Gradients` (the engine that a method asks), `Lift`, `Outcome`, `noisy`, `starting_points` |
| metrics | `Metric`, `Column`, `Case`, `more_is_better`, `less_is_better`, `check_attribution`, `features`, `answers` |
| all | `Target` |
"""

from wavelens.core import Band, Coefficients, Domain, Extent, Layout, Scale, level_scales, signal_axes
from wavelens.engine.gradients import Gradients
from wavelens.grid import Grid
from wavelens.methods.averages import noisy
from wavelens.methods.lift import Lift, Outcome
from wavelens.methods.paths import starting_points
from wavelens.metrics.metric import Case, Column, Metric, less_is_better, more_is_better
from wavelens.metrics.perturbation import answers, check_attribution, features
from wavelens.targets import Target

__all__ = [
    "Band",
    "Case",
    "Coefficients",
    "Column",
    "Domain",
    "Extent",
    "Gradients",
    "Grid",
    "Layout",
    "Lift",
    "Metric",
    "Outcome",
    "Scale",
    "Target",
    "answers",
    "check_attribution",
    "features",
    "less_is_better",
    "level_scales",
    "more_is_better",
    "noisy",
    "signal_axes",
    "starting_points",
]
