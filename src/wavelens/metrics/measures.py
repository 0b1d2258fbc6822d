"""The metrics as values: what is measured, by its text, in a run and on the command line.

Each is one dataclass in `faithfulness_measures` or `map_measures` and one function, whose options it has. Its columns
are the only place that says what its numbers are called and which way is better.
"""

from __future__ import annotations

from wavelens import spec
from wavelens.metrics.faithfulness_measures import FF, Curves, FidIn, Infidelity, Irof, MuFidelity, Road, Transfer
from wavelens.metrics.map_measures import (
    Complexity,
    ComplexityRise,
    MaxSensitivity,
    PointingGame,
    RelevanceMass,
    RelevanceRank,
    ResidualCorrelation,
    SmoothCascading,
    Sparseness,
)
from wavelens.metrics.metric import Metric, OfFunction

METRICS: tuple[type[Metric], ...] = (  # in the order of tables
    Curves,
    MuFidelity,
    Infidelity,
    FF,
    FidIn,
    Irof,
    Road,
    Transfer,
    MaxSensitivity,
    ResidualCorrelation,
    SmoothCascading,
    ComplexityRise,
    Sparseness,
    Complexity,
    PointingGame,
    RelevanceMass,
    RelevanceRank,
)


def parse_metric(text: str) -> Metric:
    """The metric that `text` describes, such as `Curves(steps=32)` or a user's own `own:kept(fraction=0.2)`.

    `ValueError` for anything else. The module of an own one is imported: its code runs.
    """
    value = spec.parse_own(text, METRICS, OfFunction.of, what="metric", choices=METRICS)
    if not isinstance(value, Metric):
        names = ", ".join(cls.__name__ for cls in METRICS)
        raise ValueError(
            f"a metric must be one of {names}, such as Curves(steps=32), or your own, such as own:kept, a function or "
            f"a dataclass that derives from wavelens.metrics.Metric; got {text}."
        )
    return value
