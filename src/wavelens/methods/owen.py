"""An account at the level of coefficients whose sums by group are the groups' exact Shapley values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor

from wavelens.core import Coefficients, real_product
from wavelens.engine.gradients import Gradients, Items
from wavelens.field_types import check_fields
from wavelens.methods.averages import check_effort, generator
from wavelens.methods.lift import Lift, Outcome, domain_by_domain
from wavelens.methods.partitions import Partition, partition
from wavelens.methods.paths import check_quadrature, nodes, starting_points
from wavelens.methods.shapley import ScaleShapley, values_of_groups
from wavelens.precision import full_precision

Edge = tuple[tuple[int, ...], int]  # the groups that are in, sorted, and the one that enters


@dataclass(frozen=True)
class Owen:
    """The Shapley value of each group of coefficients, distributed among its coefficients by gradients.

    Groups enter one after another in `permutations` orders, half of them the reverses of the others (Mitchell et al.,
    2022). As a group enters a coalition, the gradient is integrated along that edge with `steps` nodes, by
    Gauss–Legendre. So each edge adds up to what the group adds to the coalition, and the mean over orders tends to the
    group's Shapley value: the value of Owen (1977) for games with groups, with each group's part divided among its
    coefficients as by Aumann and Shapley (1974). What the sums still miss of the exact values is spread over each group
    in proportion to the magnitudes there; `correction` of the result, `(batch, groups)`, says how much that is. Large
    corrections call for more `permutations` or `steps`.

    The values are those of `wl.shapley` with the same `groups`, `blocks`, `tolerance`, `max_permutations`, `seed` and
    `baseline`: exact up to 10 groups, sampled beyond. `spent` counts the gradients, an edge that two orders share once.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.Owen())
    >>> values = wl.shapley(model, x, 1, domain=wl.DWT("haar", levels=2)).values
    >>> bool((wl.maps.profile(a).signed - values).abs().max() < 1e-4)
    True
    """

    groups: str = "scales"
    blocks: int = 2
    permutations: int = 4
    steps: int = 4
    tolerance: float = 0.02
    max_permutations: int = 512
    seed: int = 0
    baseline: float = 0.0

    def __post_init__(self) -> None:
        check_effort(permutations=self.permutations, steps=self.steps)
        _ = self.values  # checks the options that it shares
        check_quadrature("gauss-legendre", self.steps)
        if self.permutations % 2:
            raise ValueError(
                f"permutations must be an even number, orders and their reverses; got {self.permutations}."
            )
        check_fields(self)

    @property
    def values(self) -> ScaleShapley:
        """The method that gives the groups' values."""
        return ScaleShapley(
            groups=self.groups,
            blocks=self.blocks,
            tolerance=self.tolerance,
            max_permutations=self.max_permutations,
            seed=self.seed,
            baseline=self.baseline,
        )

    def __call__(self, ask: Gradients, lifts: list[Lift], baseline: Tensor | float | None) -> Outcome:
        start = starting_points(ask.x, self.baseline if baseline is None else baseline)
        return domain_by_domain(lifts, lambda lift: self._account(ask, lift, start))

    def _account(self, ask: Gradients, lift: Lift, start: Tensor) -> Outcome:
        groups = partition(lift.layout, ask.x.shape[1], self.groups, self.blocks)
        exact = values_of_groups(ask, lift, start, groups, self.values)
        blocks = torch.arange(len(ask.x), device=ask.x.device).split(ask.rows)
        data = torch.cat([self._along(ask, lift, start, groups, items) for items in blocks], 1)
        step = lift.analysis((ask.x - start).to(ask.dtype))
        data, correction = corrected(data, exact.values, groups.labels, step)
        return Outcome([data], exact.score, start, correction=[correction])

    def _along(self, ask: Gradients, lift: Lift, start: Tensor, groups: Partition, items: Tensor) -> Tensor:
        """The mean of all orders for some items, `(targets, items, channel, size)`, before it is corrected."""
        here, first = lift.of(items), int(items[0])
        d = here.analysis((ask.x[items] - start[items]).to(ask.dtype))
        labels = groups.labels.to(d.device)
        parts = torch.stack(
            [here.domain.synthesis(Coefficients(d * (labels == g), here.layout)) for g in range(len(groups.names))]
        )
        edges = list(self._edges(len(groups.names)).items())
        places, weights = nodes("gauss-legendre", self.steps)
        means = torch.stack([ask.zeros(len(items)) for _ in groups.names])

        def point(some: Items, k: int) -> Tensor:
            assert isinstance(some, Tensor)
            (members, entering), _ = edges[k // self.steps]
            inside = parts.new_zeros(len(parts))
            inside[list(members)], inside[entering] = 1.0, places[k % self.steps]
            with full_precision(parts):
                way = torch.tensordot(inside, parts[:, some - first], 1)
            moved: Tensor = start[some] + way
            return moved.to(ask.x.dtype)

        for place, k, g, _ in ask.each(point, len(edges) * self.steps, items.cpu()):
            (_, entering), share = edges[k // self.steps]
            means[entering, :, place].add_(g, alpha=share * weights[k % self.steps])
        total = means.new_zeros((*means.shape[1:4], here.layout.size))
        for group, g in enumerate(means):
            total += real_product(d * (labels == group), here.pull(g))
        return total

    def _edges(self, count: int) -> dict[Edge, float]:
        """The edges of all orders of so many groups, each with the part of the orders that go along it."""
        edges: Counter[Edge] = Counter()
        for pair in range(self.permutations // 2):
            source = generator(self.seed, pair, torch.device("cpu"))
            order = torch.randperm(count, generator=source, device="cpu").tolist()
            for turns in (order, order[::-1]):
                edges.update((tuple(sorted(turns[:k])), turns[k]) for k in range(count))
        return {edge: number / self.permutations for edge, number in edges.items()}


def corrected(data: Tensor, values: Tensor, labels: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """An account with the groups' `values`, `(targets, batch, groups)`, as sums; and what each group was given for it.

    A group's correction is spread in proportion to `|γ|`, and where all are zero to the `|d|²` of the displacement.
    """
    where = labels.to(data.device).expand(data.shape[2:]).flatten()

    def sums(of: Tensor) -> Tensor:
        flat = of.flatten(-2)
        total: Tensor = flat.new_zeros(*flat.shape[:-1], values.shape[-1]).index_add_(-1, where, flat)
        return total

    correction = values - sums(data)
    size, energy = data.abs(), step.abs().square().expand_as(data)
    silent = sums(size)[..., where].unflatten(-1, data.shape[2:]) == 0
    size = torch.where(silent, energy, size)
    share = size / sums(size)[..., where].unflatten(-1, data.shape[2:]).clamp_min(torch.finfo(size.dtype).tiny)
    return data + share * correction[..., where].unflatten(-1, data.shape[2:]), correction
