"""Planted truth: tasks whose decisive pattern is known, networks verified to go by it, and judges of explainers."""

from wavelens.planted.architectures import ARCHITECTURES
from wavelens.planted.catalogue import CHOOSING, JUDGING, TASKS
from wavelens.planted.judging import (
    Interval,
    Judgement,
    explained_signals,
    interval_over_networks,
    judge,
    score_lists,
    target_of,
)
from wavelens.planted.patterns import Wave, grid
from wavelens.planted.scores import READINGS, Scores, planted_scale, scores
from wavelens.planted.tasks import PlantedSignals, PlantedTask
from wavelens.planted.training import PlantedNetwork, Training, fitting, network, networks, train
from wavelens.planted.truth import Truth, of_attribution, truth
from wavelens.planted.verification import Verification, verification, verify

__all__ = [
    "ARCHITECTURES",
    "CHOOSING",
    "JUDGING",
    "READINGS",
    "TASKS",
    "Interval",
    "Judgement",
    "PlantedNetwork",
    "PlantedSignals",
    "PlantedTask",
    "Scores",
    "Training",
    "Truth",
    "Verification",
    "Wave",
    "explained_signals",
    "fitting",
    "grid",
    "interval_over_networks",
    "judge",
    "network",
    "networks",
    "of_attribution",
    "planted_scale",
    "score_lists",
    "scores",
    "target_of",
    "train",
    "truth",
    "verification",
    "verify",
]
