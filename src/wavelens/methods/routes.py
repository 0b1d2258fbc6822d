"""Routes from a baseline to the input in straight legs, and the mean gradient on each leg.

A plain path method takes one leg; a method whose coefficients enter part by part takes one leg per part. With
`D_l` the coefficients that enter on leg `l` and `G_l` the mean gradient there, `γ = Σ_l Re(conj(D_l) ⊙ P G_l)` adds up
to `Σ_l <S D_l, G_l> = f(x) - f(x₀)`, whatever the order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from wavelens.core import Coefficients, Layout, real_product
from wavelens.engine.gradients import Gradients, Items
from wavelens.methods.lift import Lift

Leg = tuple[Sequence[float], Sequence[float]]  # nodes on [0, 1], and weights that add up to 1
Blocks = Iterator[tuple[Tensor, Tensor]]  # items, and their mean gradients (legs, targets, items, channel, *axes)


@dataclass(frozen=True)
class Route:
    """`corners(items)` are the ends of the legs, `(legs + 1, items, channel, *axes)`."""

    legs: int
    corners: Callable[[Tensor], Tensor]


def mean_gradients(ask: Gradients, route: Route, legs: Sequence[Leg]) -> Blocks:
    """The mean gradient on each leg by the nodes and weights of each, for as many items at a time as fit a pass."""
    nodes = [(leg, place, weight) for leg, rule in enumerate(legs) for place, weight in zip(*rule, strict=True)]
    for block in torch.arange(len(ask.x), device="cpu").split(ask.rows):
        corners, first = route.corners(block.to(ask.x.device)), int(block[0])
        means = torch.stack([ask.zeros(len(block)) for _ in range(route.legs)])

        def point(items: Items, k: int, corners: Tensor = corners, first: int = first) -> Tensor:
            assert isinstance(items, Tensor)
            leg, place, _ = nodes[k]
            return torch.lerp(corners[leg, items - first], corners[leg + 1, items - first], place).to(ask.x.dtype)

        for place, k, g, _ in ask.each(point, len(nodes), block):
            leg, _, weight = nodes[k]
            means[leg, :, place].add_(g, alpha=weight)
        yield block.to(ask.x.device), means


@dataclass(frozen=True)
class Entrance:
    """Coefficients of the displacement from `start` that enter part by part.

    `shares`, `(legs, 1 or channel, size)`, says how much of each coefficient enters on each leg; they sum to 1.
    """

    ask: Gradients
    lift: Lift
    start: Tensor
    shares: Tensor

    @property
    def route(self) -> Route:
        return Route(len(self.shares), self.corners)

    def displacement(self, items: Tensor) -> Tensor:
        """`W (x - x₀)` of some items."""
        return self.lift.of(items).analysis((self.ask.x[items] - self.start[items]).to(self.ask.dtype))

    def corners(self, items: Tensor) -> Tensor:
        here, d = self.lift.of(items), self.displacement(items)
        corners = [self.start[items].to(self.ask.dtype)]
        for share in self.shares:
            corners.append(corners[-1] + here.domain.synthesis(Coefficients(d * share, here.layout)))
        return torch.stack(corners)

    def account(self, blocks: Blocks) -> Tensor:
        """What each coefficient adds along the route, `(targets, batch, channel, size)`."""
        pieces = []
        for items, means in blocks:
            here, d = self.lift.of(items), self.displacement(items)
            total = means.new_zeros((*means.shape[1:4], here.layout.size))
            for share, g in zip(self.shares, means, strict=True):
                total += real_product(d * share, here.pull(g))
            pieces.append(total)
        return torch.cat(pieces, 1)


def scale_after_scale(layout: Layout, reverse: bool = False) -> Tensor:
    """The scales one after another, coarsest first or last: shares `(legs, 1, size)` for an `Entrance`.

    Several signals go together, each through its own scales from the first leg to the last; a scale that takes longer
    than a leg enters in even parts.
    """
    scales, layouts = list(layout.scales().values()), getattr(layout.domain, "layouts", None)
    counts = [len(scales)] if layouts is None else [len(own.scales()) for own in layouts.values()]
    ends = sorted({Fraction(k + 1, count) for count in counts for k in range(count)})
    legs = list(zip([Fraction(0), *ends], ends, strict=False))
    shares = torch.zeros(len(legs), layout.size, dtype=torch.float64, device="cpu")
    for count in counts:
        own, scales = scales[:count], scales[count:]
        for k, scale in enumerate(reversed(own) if reverse else own):
            for leg, (begin, end) in enumerate(legs):
                common = min(end, Fraction(k + 1, count)) - max(begin, Fraction(k, count))
                for band in scale:
                    shares[leg, layout.slices[band]] = float(max(Fraction(0), common) * count)
    return shares[:, None]
