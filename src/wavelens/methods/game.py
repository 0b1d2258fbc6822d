"""The score of a signal whose coefficients are partly taken away: values alone, no gradient.

A mask `m` with a weight from 0 to 1 for each coefficient leaves `f(x₀ + S(m ⊙ W(x − x₀)))`. The masks of a game have
one weight per group. The synthesis is linear, so a few groups are synthesised once, and masks of them are sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from wavelens.core import Coefficients
from wavelens.engine.gradients import Gradients
from wavelens.methods.lift import Lift
from wavelens.methods.partitions import Partition, partition
from wavelens.precision import full_precision

PARTS_BYTES = 2**28  # of the parts that are kept of a chunk of items
MASK_NUMBERS = 2**22  # of masks that are made at a time
MAX_PARTS = 64  # groups whose sums cost no more than a synthesis

Weights = Callable[[Tensor], Tensor]  # numbers of masks `(number,)` to their weights `(number, 1 or channel, size)`


class Masked:
    """The score of a signal between its baseline and itself, by masks of its coefficients."""

    def __init__(self, ask: Gradients, lift: Lift, start: Tensor) -> None:
        self.ask, self.lift, self.start = ask, lift, start
        self.score, self.empty = ask.values(ask.x), ask.values(start.contiguous())
        self.passes = torch.full((len(ask.x),), 2, dtype=torch.long, device="cpu")

    @property
    def everyone(self) -> Tensor:
        """The indices of all items of the batch."""
        return torch.arange(len(self.ask.x), device="cpu")

    def each(self, count: int, items: Tensor, weights: Weights) -> Iterator[tuple[Tensor, Tensor]]:
        """Values `(targets, items, masks)` under masks 0 to `count`, and the weights of these masks, chunk by chunk.

        Masks are the same for every item.
        """
        for numbers in torch.arange(count, device="cpu").split(max(1, MASK_NUMBERS // self.lift.layout.size)):
            masks = weights(numbers)
            values = self._room(items, len(numbers))
            known, d = torch.empty(0), torch.empty(0)
            for block, some in self._chunks(len(numbers), len(items), len(items)):
                chosen = items[block].to(self.ask.x.device)
                if known is not block:
                    known, d = block, self.displacement(chosen)
                points = self._masked(d, masks[some], chosen)
                values[:, block[:, None], some] = self._scores(points, chosen, len(some))
            yield values, masks
        self.passes[items.cpu()] += count

    def at(self, weights: Tensor, items: Tensor) -> Tensor:
        """`(targets, items, masks)` for masks `(masks, 1 or channel, size)`."""
        return torch.cat([values for values, _ in self.each(len(weights), items, weights.__getitem__)], -1)

    def _chunks(self, count: int, items: int, most: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Items, at most so many, and numbers of masks that go through the model together."""
        if not count:
            return
        self.ask.bar.expect(items * count)
        step = max(1, min(most, self.ask.rows // count))
        for block in torch.arange(items, device="cpu").split(step):
            for numbers in torch.arange(count, device="cpu").split(max(1, self.ask.rows // len(block))):
                yield block, numbers

    def _room(self, items: Tensor, count: int) -> Tensor:
        return self.ask.x.new_zeros((self.ask.targets, len(items), count), dtype=self.ask.dtype)

    def displacement(self, items: Tensor) -> Tensor:
        """`W(x − x₀)`, `(items, channel, size)`."""
        return self.lift.of(items).analysis((self.ask.x[items] - self.start[items]).to(self.ask.dtype))

    def _masked(self, d: Tensor, weights: Tensor, items: Tensor) -> Tensor:
        """`x₀ + S(m ⊙ d)`, `(masks, items, channel, *axes)`."""
        layout = self.lift.of(items.repeat(len(weights))).layout
        masked = d * weights.to(d.device, self.ask.dtype)[:, None]
        signals = layout.domain.synthesis(Coefficients(masked.flatten(0, 1), layout))
        return torch.add(self.start[items], signals.unflatten(0, (len(weights), len(items))))

    def _scores(self, points: Tensor, items: Tensor, count: int) -> Tensor:
        """`(targets, items, masks)` at `(masks, items, channel, *axes)`."""
        rows = self.ask.values(points.flatten(0, 1).to(self.ask.x), items.repeat(count))
        self.ask.bar.advance(count * len(items))
        values: Tensor = rows.unflatten(1, (count, len(items)))
        return values.mT


class Game(Masked):
    """The score of coalitions of groups: `f(x₀ + Σ_i m_i S(1_i ⊙ W(x − x₀)))`."""

    def __init__(self, ask: Gradients, lift: Lift, start: Tensor, groups: Partition) -> None:
        super().__init__(ask, lift, start)
        self.groups, self.count = groups, len(groups.names)
        self.part_bytes = self.count * ask.x[0].numel() * torch.finfo(ask.dtype).bits // 8

    def values(self, masks: Tensor, items: Tensor) -> Tensor:
        """`(targets, items, masks)` for masks `(masks, groups)`: 1 for a group that is there, 0 for one that is not."""
        if self.count > MAX_PARTS or self.part_bytes > PARTS_BYTES:
            return self._by_synthesis(masks, items)
        values = self._room(items, len(masks))
        known, parts = torch.empty(0), torch.empty(0)
        for block, numbers in self._chunks(len(masks), len(items), max(1, PARTS_BYTES // self.part_bytes)):
            chosen = items[block].to(self.ask.x.device)
            if known is not block:
                known, parts = block, self._parts(chosen)
            with full_precision(parts):
                points = self.start[chosen] + torch.tensordot(masks[numbers].to(parts), parts, 1)
            values[:, block[:, None], numbers] = self._scores(points, chosen, len(numbers))
        self.passes[items.cpu()] += len(masks)
        return values

    def _by_synthesis(self, masks: Tensor, items: Tensor) -> Tensor:
        labels = self.groups.labels
        parts = [values for values, _ in self.each(len(masks), items, lambda numbers: masks[numbers][:, labels])]
        return torch.cat(parts, -1)

    def _parts(self, items: Tensor) -> Tensor:
        """What each group makes of the displacement from the baseline, `(groups, items, channel, *axes)`."""
        lift, d = self.lift.of(items), self.displacement(items)
        labels = self.groups.labels.to(d.device)
        return torch.stack(
            [lift.domain.synthesis(Coefficients(d * (labels == group), lift.layout)) for group in range(self.count)]
        )

    def spread(self, values: Tensor) -> Tensor:
        """Each group's value, `(targets, items, groups)`, over its coefficients, `(targets, items, channel, size)`."""
        return spread(values, self.displacement(self.everyone), self.groups.labels)


def games(ask: Gradients, lifts: list[Lift], start: Tensor, groups: str, blocks: int) -> Iterator[Game]:
    """The game of each lift among its groups of that name."""
    for lift in lifts:
        yield Game(ask, lift, start, partition(lift.layout, ask.x.shape[1], groups, blocks))


def spread(values: Tensor, d: Tensor, labels: Tensor) -> Tensor:
    """Each group's value over its coefficients in proportion to `|d|²`, `(targets, batch, channel, size)`."""
    energy, where = relative_energy(d), labels.to(d.device).expand(d.shape[1:]).flatten()
    sums = group_energy(d, labels, values.shape[-1])
    share = energy / sums[:, where].view_as(energy).clamp_min(torch.finfo(energy.dtype).tiny)
    over: Tensor = share * values[..., where].unflatten(-1, d.shape[1:])
    return over


def relative_energy(d: Tensor) -> Tensor:
    """`|d|²` as parts of each item's largest: squares of signals as small as 1e-21 are no numbers of float32."""
    size = d.abs()
    largest = size.amax((1, 2), keepdim=True)
    return (size / largest.where(largest > 0, 1)).square()


def group_energy(d: Tensor, labels: Tensor, groups: int) -> Tensor:
    """The sum of `relative_energy` in each group, `(batch, groups)`: 0 where a group has nothing to put in."""
    energy, where = relative_energy(d), labels.to(d.device).expand(d.shape[1:]).flatten()
    return energy.new_zeros(len(d), groups).index_add_(1, where, energy.flatten(1))
