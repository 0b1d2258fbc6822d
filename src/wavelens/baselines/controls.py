"""The controls as explainers: floors, which know nothing of the model, and the ceiling of insertion."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from wavelens.core import Coefficients, Domain
from wavelens.domains import DWT
from wavelens.engine.gradients import Model
from wavelens.field_types import check_fields
from wavelens.masks.pursuit import pursuit
from wavelens.methods.averages import check_effort
from wavelens.metrics.controls import energy_order, random_order
from wavelens.targets import Target


@dataclass(frozen=True)
class EnergyOrder:
    """The control that ranks coefficients by their size over the baseline, `metrics.energy_order`."""

    domain: Domain = field(default_factory=DWT)
    baseline: float = 0.0
    needs_gradients: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_fields(self)

    def __call__(self, model: Model, x: Tensor, target: Target, *, batch_size: int | None = None) -> Coefficients:
        return energy_order(x, self.domain, baseline=self.baseline)


@dataclass(frozen=True)
class RandomOrder:
    """The control that ranks coefficients at random, `metrics.random_order`."""

    domain: Domain = field(default_factory=DWT)
    seed: int = 0
    needs_gradients: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_fields(self)

    def __call__(self, model: Model, x: Tensor, target: Target, *, batch_size: int | None = None) -> Coefficients:
        return random_order(x, self.domain, seed=self.seed)


@dataclass(frozen=True)
class PursuitOrder:
    """The ceiling of insertion, `masks.pursuit`: optimised for the measure, so it explains nothing."""

    domain: Domain = field(default_factory=DWT)
    steps: int = 25
    baseline: float = 0.0

    def __post_init__(self) -> None:
        check_fields(self)
        check_effort(steps=self.steps)

    def __call__(self, model: Model, x: Tensor, target: Target, *, batch_size: int | None = None) -> Coefficients:
        found = pursuit(
            model, x, target, domain=self.domain, steps=self.steps, baseline=self.baseline, batch_size=batch_size
        )
        return found.order


FLOORS = (EnergyOrder, RandomOrder)
CEILINGS = (PursuitOrder,)
CONTROLS = (*FLOORS, *CEILINGS)
