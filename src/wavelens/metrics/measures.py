"""The metrics as values: what is measured, by its text, in a run and on the command line.

Each is one dataclass here and one function beside it, whose options it has. Its columns are the only place that says
what its numbers are called and which way is better.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from torch import Tensor

from wavelens import spec
from wavelens.core import Domain
from wavelens.metrics.complexity import complexity, sparseness
from wavelens.metrics.curves import curves
from wavelens.metrics.fidelity import ff_over_energy, fid_in, mu_fidelity_over_energy
from wavelens.metrics.infidelity import infidelity
from wavelens.metrics.localisation import pointing_game
from wavelens.metrics.metric import Case, Column, Metric, OfFunction, unknown
from wavelens.metrics.stability import max_sensitivity


@dataclass(frozen=True)
class Curves(Metric):
    """`metrics.curves`: insertion, deletion, faithfulness and the two curves, from one set of passes.

    Faithfulness, insertion less deletion, is the symmetric relevance gain (Blücher et al., 2024) for the fill.
    """

    steps: int = 64
    domain: Domain | None = None
    baseline: float = 0.0
    normalize: str | None = None
    fractions: str = "uniform"
    fill: str = "zero"
    samples: int = 4
    seed: int = 0
    score: str = "probability"

    columns = (
        Column("insertion", "more"),
        Column("deletion", "less"),
        Column("faithfulness", "more"),
        Column("insertion curve", "more", is_curve=True),
        Column("deletion curve", "less", is_curve=True),
    )

    def __call__(self, case: Case) -> tuple[Tensor, ...]:
        plain = case.followed is None or self.score == "logit"
        target = case.target if plain else case.followed
        both = curves(case.model, case.x, target, case.attribution, **self.options(case), batch_size=case.batch_size)
        return both.insertion_area, both.deletion_area, both.faithfulness, both.insertion, both.deletion


@dataclass(frozen=True)
class MuFidelity(Metric):
    """`metrics.mu_fidelity`, and how far it is above that of the energy order, which knows nothing of the model."""

    subsets: int = 128
    grid: int = 28
    fraction: float = 0.2
    correlation: str = "pearson"
    seed: int = 0
    domain: Domain | None = None
    baseline: float = 0.0

    columns = (Column("mu_fidelity", "more"), Column("mu_fidelity over energy", "more"))

    def __call__(self, case: Case) -> tuple[Tensor, Tensor]:
        return mu_fidelity_over_energy(*case[:4], **self.options(case), batch_size=case.batch_size)


@dataclass(frozen=True)
class Infidelity(Metric):
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

    columns = (Column("infidelity", "less"),)

    def __call__(self, case: Case) -> Tensor:
        return infidelity(*case[:4], **self.options(case), batch_size=case.batch_size)


@dataclass(frozen=True)
class FF(Metric):
    """`metrics.ff`, and how far it is above that of the energy order; a set is judged by its median."""

    fraction: float = 0.5
    domain: Domain | None = None
    baseline: float = 0.0

    columns = (Column("ff", "more", middle="median"), Column("ff over energy", "more", middle="median"))

    def __call__(self, case: Case) -> tuple[Tensor, Tensor]:
        return ff_over_energy(*case[:4], **self.options(case), batch_size=case.batch_size)


@dataclass(frozen=True)
class FidIn(Metric):
    """`metrics.fid_in`."""

    fraction: float = 0.5
    domain: Domain | None = None
    baseline: float = 0.0

    columns = (Column("fid_in", "more"),)

    def __call__(self, case: Case) -> Tensor:
        return fid_in(*case[:4], **self.options(case), batch_size=case.batch_size)


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


METRICS: tuple[type[Metric], ...] = (  # in the order of tables
    Curves,
    MuFidelity,
    Infidelity,
    FF,
    FidIn,
    MaxSensitivity,
    Sparseness,
    Complexity,
    PointingGame,
)


def parse_metric(text: str) -> Metric:
    """The metric that `text` describes, such as `Curves(steps=32)` or a user's own `own:kept(fraction=0.2)`.

    `ValueError` for anything else. The module of an own one is imported: its code runs.
    """
    value = spec.parse_own(text, METRICS, of_function=OfFunction.of)
    if not isinstance(value, Metric):
        names = ", ".join(cls.__name__ for cls in METRICS)
        raise ValueError(
            f"a metric is one of {names}, such as Curves(steps=32), or your own, such as own:kept, a function or a "
            f"dataclass that derives from wavelens.metrics.Metric; got {text}."
        )
    return value
