"""Judging explainers by what they find of a planted pattern."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from wavelens.core import Coefficients
from wavelens.planted.catalogue import CHOOSING
from wavelens.planted.scores import READINGS, Reading, Scores, scores
from wavelens.planted.tasks import PlantedSignals
from wavelens.planted.training import PlantedNetwork, networks
from wavelens.planted.truth import of_attribution
from wavelens.targets import Contrast

Explainer = Callable[[nn.Module, Tensor, Any], Coefficients]
ITEMS, ITEM_SEED = 30, 2
RESAMPLES = 2000


class Interval(NamedTuple):
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Judgement:
    """The scores of an explainer, by network, reading and score: one number per item."""

    scores: dict[str, dict[str, dict[str, list[float]]]]

    def interval(self, score: str = "precision", reading: Reading = "magnitude") -> Interval:
        """The mean over networks and items, with a 95 % interval over both; see `interval_over_networks`."""
        return interval_over_networks([readings[reading][score] for readings in self.scores.values()])

    def __str__(self) -> str:
        """A line per reading, with a mean and interval per score."""
        lines = []
        for reading in READINGS:
            if all(reading in readings for readings in self.scores.values()):
                parts = (f"{name} {_shown(self.interval(name, reading))}" for name in Scores._fields)  # type: ignore[arg-type]
                lines.append(f"{reading}: {', '.join(parts)}")
        return "\n".join(lines)


def judge(
    explainer: Explainer,
    tested: Iterable[PlantedNetwork] | None = None,
    *,
    items: int = ITEMS,
    seed: int = ITEM_SEED,
    contrast: bool = False,
) -> Judgement:
    """What an explainer finds of the planted patterns, over verified networks and new signals.

    An explainer is called as `(model, x, target)` and gives `Coefficients` in any domain: those of
    `wavelens.baselines`, or a function of your own around `attribute`. A heat map of samples is
    `wl.Identity().analysis(map)`. The target is each signal's class, or with `contrast` that class less the other with
    the largest score. Without `tested` networks, one with a global maximum and one with a global mean are trained for
    each task that methods may be chosen on: this takes minutes the first time, and they are then kept in a folder.
    Signals are of the classes that have a pattern. Both readings are judged, the signed one where there are signs.

    >>> task = wl.planted.PlantedTask("any", (16,), ("a", "b"), (((wl.planted.Wave(),),),) * 2, wl.planted.Wave())
    >>> flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2)).eval()
    >>> tested = wl.planted.PlantedNetwork(task, "own", 0, flat, wl.planted.verification(flat, task))
    >>> haar = wl.baselines.FromMethod(wl.Saliency(), wl.DWT("haar", levels=2))
    >>> sorted(wl.planted.judge(haar, [tested], items=4).scores["any, own, 0"])
    ['magnitude', 'signed']
    """
    tested = networks(CHOOSING, ("convolutions, max", "convolutions, mean")) if tested is None else tested
    made = {}
    for network in tested:
        signals = explained_signals(network, items, seed)
        attribution = explainer(network.module, signals.x, target_of(network, signals, contrast))
        name = f"{network.task.name}, {network.architecture}, {network.seed}"
        made[name] = score_lists(attribution, signals.pattern)
    return Judgement(made)


def explained_signals(network: PlantedNetwork, items: int = ITEMS, seed: int = ITEM_SEED) -> PlantedSignals:
    """New signals of the classes that have a pattern, the same for all explainers."""
    return network.task.signals(items, seed, classes=network.task.decisive)


def target_of(network: PlantedNetwork, signals: PlantedSignals, contrast: bool = False) -> Any:
    """Each signal's class, or the contrast with the other class that has the largest score."""
    labels = signals.labels.tolist()
    if not contrast:
        return labels
    with torch.no_grad():
        logits = network.module(signals.x)
    logits[torch.arange(len(labels)), signals.labels] = -math.inf
    return Contrast(labels, logits.argmax(1).tolist())


def score_lists(attribution: Coefficients, pattern: Tensor) -> dict[str, dict[str, list[float]]]:
    """Every score by reading, one number per item; complex gradients have no signed reading."""
    known = of_attribution(pattern, attribution)
    readings: Sequence[Reading] = ("magnitude",) if attribution.data.is_complex() else ("magnitude", "signed")
    return {
        reading: {name: values.tolist() for name, values in scores(attribution, known, reading)._asdict().items()}
        for reading in readings
    }


def interval_over_networks(values: Sequence[Sequence[float]], resamples: int = RESAMPLES) -> Interval:
    """The mean of networks' means over items, and its 95 % interval when networks and their items are redrawn.

    A percentile bootstrap of two levels, from a fixed seed. Numbers that are NaN are left out; NaN where none is left.

    >>> [round(value, 2) for value in wl.planted.interval_over_networks([[1.0, 0.0], [1.0, 1.0]])]
    [0.75, 0.0, 1.0]
    """
    rows = [finite for row in values if (finite := np.array([v for v in row if not math.isnan(v)])).size]
    if not rows:
        return Interval(math.nan, math.nan, math.nan)
    source = np.random.default_rng(0)
    means = np.stack([row[source.integers(len(row), size=(resamples, len(row)))].mean(1) for row in rows], 1)
    chosen = source.integers(len(rows), size=(resamples, len(rows)))
    low, high = np.quantile(np.take_along_axis(means, chosen, 1).mean(1), [0.025, 0.975])
    return Interval(float(np.mean([row.mean() for row in rows])), float(low), float(high))


def _shown(interval: Interval) -> str:
    return f"{interval.mean:.2f} [{interval.low:.2f}, {interval.high:.2f}]"
