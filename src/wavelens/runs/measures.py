"""Metrics and controls as values: what is measured, by its text, in a run and on the command line."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, NamedTuple

from torch import Tensor, nn

from wavelens import metrics, spec
from wavelens.baselines import EXPLAINERS
from wavelens.core import Coefficients, Domain
from wavelens.domains import DWT
from wavelens.targets import Target

Explainer = Callable[..., Coefficients]  # (model, x, target, *, batch_size)


class Case(NamedTuple):
    """What a metric judges: an attribution of one batch, and what made it.

    `followed` is the number that curves follow, where it is not the softmax probability of the class. `name` draws
    chances of its own for each file: a mean over files is rid of what chance did to one. `region` is true on the
    objects of the class, where it is known where they are.
    """

    model: nn.Module
    x: Tensor
    target: Target
    attribution: Coefficients
    explainer: Explainer
    batch_size: int
    followed: Target = None
    name: str = ""
    region: Tensor | None = None


@dataclass(frozen=True)
class Curves:
    """`metrics.curves`: insertion, deletion, faithfulness and the two curves, from one set of passes."""

    steps: int = 64
    domain: Domain | None = None
    baseline: float = 0.0
    normalize: str | None = None

    def __call__(self, case: Case) -> dict[str, Tensor]:
        target = case.target if case.followed is None else case.followed
        found = metrics.curves(
            case.model, case.x, target, case.attribution, **_options(self), batch_size=case.batch_size
        )
        return {
            "insertion": found.insertion_area,
            "deletion": found.deletion_area,
            "faithfulness": found.faithfulness,
            "insertion curve": found.insertion,
            "deletion curve": found.deletion,
        }


@dataclass(frozen=True)
class MuFidelity:
    """`metrics.mu_fidelity`."""

    subsets: int = 128
    grid: int = 28
    fraction: float = 0.2
    correlation: str = "pearson"
    seed: int = 0
    domain: Domain | None = None
    baseline: float = 0.0

    def __call__(self, case: Case) -> dict[str, Tensor]:
        options = _options(self) | {"seed": seed_of(self.seed, case.name)}
        return {"mu_fidelity": metrics.mu_fidelity(*case[:4], **options, batch_size=case.batch_size)}


@dataclass(frozen=True)
class Infidelity:
    """`metrics.infidelity`."""

    perturb: str = "noise"
    samples: int = 128
    sigma: float = 0.1
    grid: int = 28
    fraction: float = 0.2
    normalize: bool = False
    seed: int = 0
    domain: Domain | None = None
    baseline: float = 0.0

    def __call__(self, case: Case) -> dict[str, Tensor]:
        options = _options(self) | {"seed": seed_of(self.seed, case.name)}
        return {"infidelity": metrics.infidelity(*case[:4], **options, batch_size=case.batch_size)}


@dataclass(frozen=True)
class FF:
    """`metrics.ff`."""

    fraction: float = 0.5
    domain: Domain | None = None
    baseline: float = 0.0

    def __call__(self, case: Case) -> dict[str, Tensor]:
        return {"ff": metrics.ff(*case[:4], **_options(self), batch_size=case.batch_size)}


@dataclass(frozen=True)
class FidIn:
    """`metrics.fid_in`."""

    fraction: float = 0.5
    domain: Domain | None = None
    baseline: float = 0.0

    def __call__(self, case: Case) -> dict[str, Tensor]:
        return {"fid_in": metrics.fid_in(*case[:4], **_options(self), batch_size=case.batch_size)}


@dataclass(frozen=True)
class Sparseness:
    """`metrics.sparseness`."""

    def __call__(self, case: Case) -> dict[str, Tensor]:
        return {"sparseness": metrics.sparseness(*case[:4])}


@dataclass(frozen=True)
class Complexity:
    """`metrics.complexity`."""

    def __call__(self, case: Case) -> dict[str, Tensor]:
        return {"complexity": metrics.complexity(*case[:4])}


@dataclass(frozen=True)
class MaxSensitivity:
    """`metrics.max_sensitivity`, of what made the attribution."""

    samples: int = 10
    radius: float = 0.02
    seed: int = 0

    def __call__(self, case: Case) -> dict[str, Tensor]:
        explainer = partial(case.explainer, batch_size=case.batch_size)
        options = _options(self) | {"seed": seed_of(self.seed, case.name)}
        return {"max_sensitivity": metrics.max_sensitivity(*case[:4], explainer=explainer, **options)}


@dataclass(frozen=True)
class PointingGame:
    """`metrics.pointing_game`; not a number where no object of the class is known, or none is left in the input."""

    tolerance: float = 0.0

    def __call__(self, case: Case) -> dict[str, Tensor]:
        if case.region is None:
            return {"pointing_game": case.x.new_full((len(case.x),), math.nan)}
        return {"pointing_game": metrics.pointing_game(*case[:4], region=case.region, **_options(self))}


Measure = Curves | MuFidelity | Infidelity | FF | FidIn | Sparseness | Complexity | MaxSensitivity | PointingGame
MEASURES = (Curves, MuFidelity, Infidelity, FF, FidIn, Sparseness, Complexity, MaxSensitivity, PointingGame)


@dataclass(frozen=True)
class EnergyOrder:
    """The control that ranks coefficients by their size over the baseline, `metrics.energy_order`."""

    domain: Domain = field(default_factory=DWT)
    baseline: float = 0.0

    def __call__(self, model: nn.Module, x: Tensor, target: Target, *, batch_size: int | None = None) -> Coefficients:
        return metrics.energy_order(x, self.domain, baseline=self.baseline)


@dataclass(frozen=True)
class RandomOrder:
    """The control that ranks coefficients at random, `metrics.random_order`."""

    domain: Domain = field(default_factory=DWT)
    seed: int = 0

    def __call__(self, model: nn.Module, x: Tensor, target: Target, *, batch_size: int | None = None) -> Coefficients:
        return metrics.random_order(x, self.domain, seed=self.seed)


CONTROLS = (EnergyOrder, RandomOrder)


def seed_of(seed: int, name: str) -> int:
    """The seed of a file; without a name the seed itself."""
    if not name:
        return seed
    return int.from_bytes(hashlib.blake2b(f"{seed} {name}".encode(), digest_size=4).digest(), "little")


def parse_measure(text: str) -> Measure:
    """The measure that `text` describes, such as `Curves(steps=32)`; `ValueError` for anything else."""
    value = spec.parse(text, MEASURES)
    if not isinstance(value, MEASURES):
        names = ", ".join(cls.__name__ for cls in MEASURES)
        raise ValueError(f"a metric is one of {names}, such as Curves(steps=32); got {text}.")
    measure: Measure = value
    return measure


def parse_explainer(text: str) -> Any:
    """The method, explainer or control that `text` describes; `ValueError` for anything else."""
    value = spec.parse(text, (*EXPLAINERS, *CONTROLS))
    if not isinstance(value, (*spec.METHODS, *EXPLAINERS, *CONTROLS)):
        raise ValueError(f"a method is one such as SmoothGrad(samples=25), GradCAM or EnergyOrder; got {text}.")
    return value


def measured(measures: tuple[Measure, ...], case: Case) -> dict[str, Tensor]:
    """Every number of every measure, `(batch, …)`; options other than the usual ones stand behind the name."""
    return {f"{name}{changes(measure)}": value for measure in measures for name, value in measure(case).items()}


def changes(measure: Measure) -> str:
    """The options that differ from the usual ones: '' or '(steps=32)'."""
    found = [(f.name, getattr(measure, f.name)) for f in fields(measure) if getattr(measure, f.name) != f.default]
    return f"({', '.join(f'{name}={value!r}' for name, value in found)})" if found else ""


def _options(measure: Measure) -> dict[str, Any]:
    return {f.name: getattr(measure, f.name) for f in fields(measure)}
