"""The controls as explainers: orders of coefficients that know nothing of the model."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from wavelens.core import Coefficients, Domain
from wavelens.domains import DWT
from wavelens.engine.gradients import Model
from wavelens.metrics.controls import energy_order, random_order
from wavelens.targets import Target
from wavelens.whole_numbers import check_seed


@dataclass(frozen=True)
class EnergyOrder:
    """The control that ranks coefficients by their size over the baseline, `metrics.energy_order`."""

    domain: Domain = field(default_factory=DWT)
    baseline: float = 0.0

    def __call__(self, model: Model, x: Tensor, target: Target, *, batch_size: int | None = None) -> Coefficients:
        return energy_order(x, self.domain, baseline=self.baseline)


@dataclass(frozen=True)
class RandomOrder:
    """The control that ranks coefficients at random, `metrics.random_order`."""

    domain: Domain = field(default_factory=DWT)
    seed: int = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)

    def __call__(self, model: Model, x: Tensor, target: Target, *, batch_size: int | None = None) -> Coefficients:
        return random_order(x, self.domain, seed=self.seed)


CONTROLS = (EnergyOrder, RandomOrder)
