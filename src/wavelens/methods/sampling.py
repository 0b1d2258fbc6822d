"""Averages over samples that come in batches, and their standard error, estimated from the batches.

The spread of the scale profile between batches is its standard error (the method of batch means).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from wavelens.core import real_product
from wavelens.engine.gradients import Gradients, Point
from wavelens.methods.lift import Lift, Outcome

BATCHES = 4  # a fixed number of samples is split into so many batches, to know its standard error
SMALL = 2**20  # numbers that are pulled back at once: of one item's few sums that is up to 3 × as fast, of more slower


class Accumulator(Protocol):
    """A quantity for each lift that is built from batches of samples."""

    ask: Gradients
    lifts: list[Lift]

    def add(self, point: Point, samples: Sequence[int], items: Tensor | None) -> list[Tensor]:
        """Takes in a batch of samples of some items, or of all; what all samples so far say of these, to a factor."""

    def result(self, parts: list[Tensor] | None) -> list[Tensor]:
        """The estimate for all items; `parts` is what the last `add` returned if that was for all."""


def sample(
    estimate: Accumulator, point: Point, samples: int, tolerance: float | None = None, limit: int | None = None
) -> Outcome:
    """Feeds samples in batches; with a tolerance, to each item until its profile's standard error is below it."""
    score = estimate.ask.values(estimate.ask.x)  # first: these passes show what those for gradients can leave out
    limit = samples if tolerance is None else limit or samples
    batch = len(estimate.ask.x)
    if tolerance is None and isinstance(estimate, Mean) and estimate.total.numel() * BATCHES <= SMALL:
        return _at_once(estimate, point, samples, score)
    spreads = [Spread() for _ in estimate.lifts]
    active, done, rounds = torch.arange(batch, device=estimate.ask.x.device), 0, 0
    parts: list[Tensor] = []
    while done < limit and len(active):
        numbers = range(done, min(_batch_end(rounds + 1, samples), limit))
        whole, parts = len(active) == batch, []  # what was pulled back makes room for the model
        parts = estimate.add(point, numbers, None if whole else active)
        for n, spread in enumerate(spreads):
            spread.add(estimate.lifts[n].shares(parts[n]), active, batch, numbers)
        done, rounds = numbers.stop, rounds + 1
        if tolerance is not None and rounds >= BATCHES:
            worst = torch.stack([spread.standard_error().amax((0, 2)) for spread in spreads]).amax(0)
            active = active[worst[active] > tolerance]
    data = estimate.result(parts if whole else None)
    return Outcome(data, score, standard_error=[spread.standard_error() for spread in spreads])


def _at_once(estimate: Mean, point: Point, samples: int, score: Tensor) -> Outcome:
    """The same of a fixed number of samples: sums after all batches are kept, and pulled back at once where small."""
    batches = [range(_batch_end(k, samples), _batch_end(k + 1, samples)) for k in range(min(BATCHES, samples))]
    sums = torch.cat([estimate.gather(point, numbers).clone() for numbers in batches])
    targets, items = len(score), torch.arange(score.shape[1], device=score.device)
    data, errors = [], []
    for n, lift in enumerate(estimate.lifts):
        is_small = sums.shape[:3].numel() * lift.layout.size <= SMALL
        spread, profiles = Spread(), []
        for several in sums.split(len(sums) if is_small else targets):
            parts = estimate.read(n, several)
            profiles += lift.shares(parts).split(targets)
        for profile, numbers in zip(profiles, batches, strict=True):
            spread.add(profile, items, len(items), numbers)
        data.append(parts[-targets:] / samples)
        errors.append(spread.standard_error())
    return Outcome(data, score, standard_error=errors)


def _batch_end(rounds: int, samples: int) -> int:
    """Samples after so many batches: `samples` in `BATCHES` batches as equal as can be, then on in the same measure."""
    return -(-rounds * samples // min(BATCHES, samples))


class Spread:
    """Running mean and squared deviation of profiles `(targets, batch, scales)`, item by item (Welford, 1962).

    Of profiles p of all samples so far, a batch's own say is the pseudo-value (n p − n' p') / (n − n'), with n' and p'
    before it (as in the jackknife; Tukey, 1958): no sum of a batch alone need be kept.
    """

    def add(self, profile: Tensor, items: Tensor, batch: int, numbers: range) -> None:
        if not hasattr(self, "count"):
            self.count = profile.new_zeros(batch, 1)
            self.mean = profile.new_zeros(len(profile), batch, profile.shape[2])
            self.squares, self.last = torch.zeros_like(self.mean), torch.zeros_like(self.mean)
        own = (numbers.stop * profile - numbers.start * self.last[:, items]) / len(numbers)
        self.last[:, items] = profile
        self.count[items] += 1
        before = own - self.mean[:, items]
        self.mean[:, items] += before / self.count[items]
        self.squares[:, items] += before * (own - self.mean[:, items])

    def standard_error(self) -> Tensor:
        """Of the mean over batches, `(targets, batch, scales)`; NaN where there was one batch only."""
        return (self.squares / ((self.count - 1) * self.count)).sqrt()


class Mean:
    """The mean gradient, `times_input` if asked: gradients are summed in input space, and their sum is pulled back."""

    def __init__(self, ask: Gradients, lifts: list[Lift], times_input: bool = False) -> None:
        self.ask, self.lifts = ask, lifts
        self.inputs = [lift.analysis(ask.x.to(ask.dtype)) for lift in lifts] if times_input else []
        self.total = ask.zeros(len(ask.x))
        self.count = ask.x.new_zeros((len(ask.x), 1, 1), dtype=ask.dtype)

    def add(self, point: Point, samples: Sequence[int], items: Tensor | None) -> list[Tensor]:
        self.count[slice(None) if items is None else items] += len(samples)
        g = self.gather(point, samples, items)
        return [self.read(n, g, items) for n in range(len(self.lifts))]

    def gather(self, point: Point, samples: Sequence[int], items: Tensor | None = None) -> Tensor:
        """The sum of gradients of some items, or of all, with those of a batch of samples."""
        weights = [1.0] * len(samples)
        if items is None:
            return self.ask.sum(lambda chosen, j: point(chosen, samples[j]), weights, into=self.total)
        g = self.total[:, items]  # a copy, added to in the same order as above
        self.ask.sum(lambda chosen, j: point(chosen, samples[j]), weights, items, into=g)
        self.total[:, items] = g
        return g

    def result(self, parts: list[Tensor] | None) -> list[Tensor]:
        sums = [self.read(n, self.total) for n in range(len(self.lifts))] if parts is None else parts
        return [part / self.count for part in sums]

    def read(self, n: int, g: Tensor, items: Tensor | None = None) -> Tensor:
        """A sum of gradients of some items, or of all, in domain `n`."""
        pulled = self.lifts[n].of(items).pull(g)
        return real_product(self.inputs[n][slice(None) if items is None else items], pulled) if self.inputs else pulled


class PerSample:
    """The mean of a function of each sample's pullback, and the squared deviation from it (Welford, 1962)."""

    def __init__(self, ask: Gradients, lifts: list[Lift], read: Callable[[int, Tensor, slice, int], Tensor]) -> None:
        self.ask, self.lifts, self.read = ask, lifts, read
        shape = (ask.targets, *ask.x.shape[:2])
        self.mean = [ask.x.new_zeros((*shape, lift.layout.size), dtype=self._dtype(lift)) for lift in lifts]
        self.squares = [torch.zeros_like(mean, dtype=ask.dtype) for mean in self.mean]

    def _dtype(self, lift: Lift) -> torch.dtype:
        """What is averaged: real contributions."""
        return self.ask.dtype

    def add(self, point: Point, samples: Sequence[int], items: Tensor | None) -> list[Tensor]:
        """Of all items: sampling that leaves items out is not asked of these."""
        for place, j, g, _ in self.ask.each(lambda chosen, j: point(chosen, samples[j]), len(samples)):
            for n, lift in enumerate(self.lifts):
                value = self.read(n, lift.of(place).pull(g), place, samples[j])
                before = value - self.mean[n][:, place]
                self.mean[n][:, place] += before / (samples[j] + 1)
                self.squares[n][:, place] += real_product(before, value - self.mean[n][:, place])
        self.count = samples[-1] + 1
        return self.estimate()

    def estimate(self) -> list[Tensor]:
        return self.mean

    def result(self, parts: list[Tensor] | None) -> list[Tensor]:
        return self.estimate()


class Moments(PerSample):
    """The variance (`central`) or the mean square of each coefficient's gradient."""

    def __init__(self, ask: Gradients, lifts: list[Lift], central: bool) -> None:
        super().__init__(ask, lifts, lambda n, pulled, place, k: pulled)
        self.central = central

    def _dtype(self, lift: Lift) -> torch.dtype:
        """Gradients, which are complex in a complex domain."""
        return self.ask.dtype.to_complex() if lift.layout.is_complex else self.ask.dtype

    def add(self, point: Point, samples: Sequence[int], items: Tensor | None) -> list[Tensor]:
        parts = super().add(point, samples, items)
        known = self.count > 1 or not self.central  # one sample has no variance
        return parts if known else [torch.full_like(part, torch.nan) for part in parts]

    def estimate(self) -> list[Tensor]:
        variance = [square / self.count for square in self.squares]
        return variance if self.central else [v + m.abs() ** 2 for v, m in zip(variance, self.mean, strict=True)]
