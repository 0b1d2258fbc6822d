"""The metrics as values that look at a map, or at maps of the same explainer for other inputs and weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from torch import Tensor

from wavelens.metrics.complexity import complexity, sparseness
from wavelens.metrics.dependence import complexity_rise, residual_correlation, smooth_cascading
from wavelens.metrics.localisation import pointing_game, relevance_mass, relevance_rank
from wavelens.metrics.metric import Case, Column, Metric, unknown
from wavelens.metrics.stability import max_sensitivity


@dataclass(frozen=True)
class MaxSensitivity(Metric):
    """`metrics.max_sensitivity`, of what made the attribution."""

    samples: int = 10
    radius: float = 0.02
    seed: int = 0

    columns = (Column("max_sensitivity", "less"),)

    def __call__(self, case: Case) -> Tensor:
        explainer = partial(case.explainer, batch_size=case.batch_size)
        return max_sensitivity(*case[:4], explainer=explainer, **self.options(case))


@dataclass(frozen=True)
class Sparseness(Metric):
    """`metrics.sparseness`."""

    columns = (Column("sparseness", "more"),)

    def __call__(self, case: Case) -> Tensor:
        return sparseness(*case[:4])


@dataclass(frozen=True)
class Complexity(Metric):
    """`metrics.complexity`."""

    columns = (Column("complexity", "less"),)

    def __call__(self, case: Case) -> Tensor:
        return complexity(*case[:4])


@dataclass(frozen=True)
class PointingGame(Metric):
    """`metrics.pointing_game`; not a number where no object of the class is known, or none is left in the input."""

    tolerance: float = 0.0

    columns = (Column("pointing_game", "more"),)
    needs_region = True

    def __call__(self, case: Case) -> Tensor:
        if case.region is None:
            return unknown(case)
        return pointing_game(*case[:4], region=case.region, **self.options(case))


@dataclass(frozen=True)
class RelevanceMass(Metric):
    """`metrics.relevance_mass`; not a number where `PointingGame` is not."""

    columns = (Column("relevance_mass", "more"),)
    needs_region = True

    def __call__(self, case: Case) -> Tensor:
        return unknown(case) if case.region is None else relevance_mass(*case[:4], region=case.region)


@dataclass(frozen=True)
class RelevanceRank(Metric):
    """`metrics.relevance_rank`; not a number where `PointingGame` is not."""

    columns = (Column("relevance_rank", "more"),)
    needs_region = True

    def __call__(self, case: Case) -> Tensor:
        return unknown(case) if case.region is None else relevance_rank(*case[:4], region=case.region)


@dataclass(frozen=True)
class ResidualCorrelation(Metric):
    """`metrics.residual_correlation`: what a map shares with that of an untrained network beyond the energy order."""

    samples: int = 1
    seed: int = 0

    columns = (Column("residual_correlation", "less"),)

    def __call__(self, case: Case) -> Tensor:
        explainer = partial(case.explainer, batch_size=case.batch_size)
        return residual_correlation(*case[:4], explainer=explainer, **self.options(case))


@dataclass(frozen=True)
class SmoothCascading(Metric):
    """`metrics.smooth_cascading`: one explanation per layer and sample."""

    samples: int = 10
    sigma: float = 0.1
    order: str = "bottom-up"
    layers: tuple[str, ...] | None = None
    seed: int = 0

    columns = (Column("smooth_cascading", "less"),)

    def __call__(self, case: Case) -> Tensor:
        explainer = partial(case.explainer, batch_size=case.batch_size)
        return smooth_cascading(*case[:4], explainer=explainer, **self.options(case))


@dataclass(frozen=True)
class ComplexityRise(Metric):
    """`metrics.complexity_rise` of the map once every layer is reset."""

    bins: int = 100
    seed: int = 0

    columns = (Column("complexity_rise", "more"),)

    def __call__(self, case: Case) -> Tensor:
        explainer = partial(case.explainer, batch_size=case.batch_size)
        return complexity_rise(*case[:4], explainer=explainer, **self.options(case))
