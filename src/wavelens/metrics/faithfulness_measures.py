"""The metrics as values that ask the model about perturbed signals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

from wavelens.core import Coefficients, Domain
from wavelens.metrics.curves import curves
from wavelens.metrics.fidelity import ff_over_energy, fid_in, mu_fidelity_over_energy
from wavelens.metrics.imputation import road
from wavelens.metrics.infidelity import infidelity
from wavelens.metrics.metric import Case, Column, Metric
from wavelens.metrics.segments import irof
from wavelens.metrics.transfer import transfer
from wavelens.models.loaded import LoadedModel
from wavelens.models.loading import load
from wavelens.models.networks.efficientnet_lite import EMBEDDED
from wavelens.targets import Target


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
class Irof(Metric):
    """`metrics.irof`, by cells of the mosaic."""

    grid: int = 8
    domain: Domain | None = None
    baseline: float = 0.0
    fill: str = "mean"
    samples: int = 4
    seed: int = 0

    columns = (Column("irof", "more"),)

    def __call__(self, case: Case) -> Tensor:
        return irof(case.model, case.x, *_asked(case), **self.options(case), batch_size=case.batch_size)


@dataclass(frozen=True)
class Road(Metric):
    """`metrics.road`, most relevant first."""

    steps: int = 10
    sigma: float = 0.01
    domain: Domain | None = None
    seed: int = 0

    columns = (Column("road", "less"),)

    def __call__(self, case: Case) -> Tensor:
        return road(case.model, case.x, *_asked(case), **self.options(case), batch_size=case.batch_size)


@dataclass(frozen=True)
class Transfer(Metric):
    """`metrics.transfer` to the network called `other`, as `models.load` knows it, of the same input and classes."""

    other: str = EMBEDDED
    steps: int = 64
    domain: Domain | None = None
    baseline: float = 0.0
    fractions: str = "uniform"
    fill: str = "zero"
    samples: int = 4
    seed: int = 0
    score: str = "probability"

    columns = (Column("transfer", "more"),)

    def __call__(self, case: Case) -> Tensor:
        other, options = _loaded(self.other, str(case.x.device)), self.options(case)
        if tuple(other.preprocess.shape) != tuple(case.x.shape[1:]):
            raise ValueError(
                f"an order is judged by another network of the same input, {tuple(case.x.shape[1:])}; {self.other} "
                f"takes {tuple(other.preprocess.shape)}. Name one of that size."
            )
        target: Target = case.target
        if other.link != "softmax" and self.score == "probability":
            target = lambda output: other.probabilities(output)[:, case.target]  # noqa: E731
        options["other"] = other.module
        return transfer(case.model, case.x, target, case.attribution, **options, batch_size=case.batch_size)


@lru_cache(maxsize=2)
def _loaded(name: str, device: str) -> LoadedModel:
    """Another network, once for all items of a worker."""
    loaded = load(name)
    loaded.module.to(device)
    return loaded


def _asked(case: Case) -> tuple[Target, Coefficients]:
    """What a probability is followed of, and the attribution."""
    return case.target if case.followed is None else case.followed, case.attribution
