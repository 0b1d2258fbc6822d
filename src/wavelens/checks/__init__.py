"""Checks of a model at some inputs, before a map of it is believed: functions `(model, x, target, …) -> Verdict`."""

from wavelens.checks.checking import CHECKS, check
from wavelens.checks.explanation import complete, model_dependent
from wavelens.checks.gradient import differentiable, precise, unsaturated
from wavelens.checks.passes import batch_independent, deterministic
from wavelens.checks.planting import finds_planted
from wavelens.checks.uniqueness import unique
from wavelens.checks.verdict import Findings, Verdict

__all__ = [
    "CHECKS",
    "Findings",
    "Verdict",
    "batch_independent",
    "check",
    "complete",
    "deterministic",
    "differentiable",
    "finds_planted",
    "model_dependent",
    "precise",
    "unique",
    "unsaturated",
]
