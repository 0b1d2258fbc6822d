"""Checks of a model at some inputs, before a map of it is believed: functions `(model, x, target, …) -> Verdict`."""

from wavelens.checks.checking import CHECKS, check
from wavelens.checks.explanation import beats_energy, complete, model_dependent
from wavelens.checks.gradient import differentiable, precise, unsaturated
from wavelens.checks.passes import batch_independent, deterministic
from wavelens.checks.uniqueness import unique
from wavelens.checks.verdict import Findings, Verdict

__all__ = [
    "CHECKS",
    "Findings",
    "Verdict",
    "batch_independent",
    "beats_energy",
    "check",
    "complete",
    "deterministic",
    "differentiable",
    "model_dependent",
    "precise",
    "unique",
    "unsaturated",
]
