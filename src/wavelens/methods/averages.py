"""Methods that average over noisy copies of the input.

Noise depends on the seed and the number of the sample alone, so an item has the same attribution alone, in any batch
and with any chunk size. Samples come in batches; the spread of the scale profile between batches is its standard
error (the method of batch means).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from wavelens.core import real_product
from wavelens.engine.gradients import Gradients, Items, Point
from wavelens.methods.lift import Lift, Outcome
from wavelens.whole_numbers import check_seed, is_whole

MAX_EFFORT = 10**7  # samples, steps and the like: lists of them are held in memory
BATCHES = 4  # a fixed number of samples is split into so many batches, to know its standard error


@dataclass(frozen=True)
class SmoothGrad:
    """The gradient averaged over noisy inputs, `P mean_i g(x + δ_i)` (Smilkov et al., 2017; WAM's equation 7).

    `sigma` is the noise's standard deviation as a fraction of each item's range, `max x - min x`: 0.25 suits images,
    0.001 sounds, 0.0001 volumes (the paper's values). With `tolerance`, sampling goes on item by item until the
    standard error of every scale's share of the profile is at most `tolerance`, or `max_samples` are spent.

    >>> a = wl.attribute(model, x, 1, domain=wl.Identity(), method=wl.SmoothGrad(samples=4, sigma=0.1))
    >>> a.data.shape, round(a.data.abs().max().item(), 3)
    (torch.Size([1, 1, 64]), 0.005)
    """

    samples: int = 25
    sigma: float = 0.25
    seed: int = 0
    tolerance: float | None = None
    max_samples: int = 1000

    def __post_init__(self) -> None:
        check_effort(samples=self.samples)
        check_seed(self.seed)
        check_tolerance(self.tolerance, self.samples, max_samples=self.max_samples)
        check_noise(self.sigma)

    def __call__(self, ask: Gradients, lifts: list[Lift], baseline: Tensor | float | None) -> Outcome:
        point = noisy(ask.x, self.sigma, self.seed, ask.parts)
        return sample(Mean(ask, lifts), point, self.samples, self.tolerance, self.max_samples)


@dataclass(frozen=True)
class _Moment:
    """A moment of each coefficient's gradient over noisy inputs: every sample is pulled back."""

    samples: int = 25
    sigma: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        check_effort(samples=self.samples)
        check_seed(self.seed)
        check_noise(self.sigma)

    def _moment(self, ask: Gradients, lifts: list[Lift], central: bool) -> Outcome:
        return sample(Moments(ask, lifts, central), noisy(ask.x, self.sigma, self.seed, ask.parts), self.samples)


@dataclass(frozen=True)
class VarGrad(_Moment):
    """The variance of each coefficient's gradient over noisy inputs (Adebayo et al., 2018); `sigma` as `SmoothGrad`.

    Not linear in the gradient: every sample is pulled back.

    >>> a = wl.attribute(model, x, 1, domain=wl.Identity(), method=wl.VarGrad(samples=4, sigma=0.1))
    >>> a.data.shape, bool((a.data >= 0).all())
    (torch.Size([1, 1, 64]), True)
    """

    def __call__(self, ask: Gradients, lifts: list[Lift], baseline: Tensor | float | None) -> Outcome:
        return self._moment(ask, lifts, central=True)


@dataclass(frozen=True)
class SquareGrad(_Moment):
    """The mean of each coefficient's squared gradient over noisy inputs (Hooker et al., 2019); `sigma` as `SmoothGrad`.

    Not linear in the gradient: every sample is pulled back.

    >>> a = wl.attribute(model, x, 1, domain=wl.Identity(), method=wl.SquareGrad(samples=4, sigma=0.1))
    >>> a.data.shape, bool((a.data >= 0).all())
    (torch.Size([1, 1, 64]), True)
    """

    def __call__(self, ask: Gradients, lifts: list[Lift], baseline: Tensor | float | None) -> Outcome:
        return self._moment(ask, lifts, central=False)


def check_effort(**numbers: int) -> None:
    """`ValueError` unless each is a whole number from 1 to `MAX_EFFORT`."""
    for name, number in numbers.items():
        _check_count(name, number)
        if number > MAX_EFFORT:
            raise ValueError(f"{name} is at most {MAX_EFFORT:,}; got {name}={number}. Take fewer.")


def _check_count(name: str, number: int) -> None:
    if not is_whole(number, 1):
        raise ValueError(f"{name} is a whole number from 1; got {name}={number}.")


def check_tolerance(tolerance: float | None, least: int, **limit: int) -> None:
    """`ValueError` for a tolerance that is not above 0, or a limit below the `least` that is spent with one."""
    ((name, most),) = limit.items()
    _check_count(name, most)
    if tolerance is None:
        return
    if not isinstance(tolerance, int | float) or not tolerance > 0 or most < least:
        raise ValueError(
            f"tolerance is above 0, and {name} at least {least}; got tolerance={tolerance}, {name}={most}."
        )


def check_noise(sigma: float) -> None:
    if not 0 <= sigma <= torch.finfo(torch.float32).max:
        raise ValueError(f"sigma, a fraction of the signal's range, is at least 0 and finite; got sigma={sigma}.")


def generator(seed: int, k: int, device: torch.device) -> torch.Generator:
    """A generator for sample `k`, independent of every other and of the global ones; the same on a kind of device."""
    digest = hashlib.blake2b(f"{seed} {k}".encode(), digest_size=8).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest, "little") >> 1)


def ranges(x: Tensor, parts: Sequence[slice] = ()) -> Tensor:
    """Each item's range, `max x - min x`, to be multiplied with `x`; that of each signal where `parts` hold several."""
    rows = x.flatten(1)
    if not parts:
        return (rows.amax(1) - rows.amin(1)).reshape(-1, *[1] * (x.ndim - 1))
    pieces = [rows[:, part] for part in parts]
    spans = [(piece.amax(1, keepdim=True) - piece.amin(1, keepdim=True)).expand_as(piece) for piece in pieces]
    return torch.cat(spans, 1).view_as(x)


def noisy(x: Tensor, sigma: float, seed: int, parts: Sequence[slice] = ()) -> Point:
    """Noisy copy `k` of items of `x`: the same noise for every item, scaled by the item's own `ranges`."""
    scale = sigma * ranges(x, parts)

    def point(items: Items, k: int) -> Tensor:
        noise = torch.randn(x.shape[1:], generator=generator(seed, k, x.device), device=x.device, dtype=torch.float32)
        return torch.addcmul(x[items], noise.to(x.dtype), scale[items])

    return point


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
    """The mean gradient: gradients are summed in input space, and their sum is pulled back."""

    def __init__(self, ask: Gradients, lifts: list[Lift]) -> None:
        self.ask, self.lifts = ask, lifts
        self.total = ask.zeros(len(ask.x))
        self.count = ask.x.new_zeros((len(ask.x), 1, 1), dtype=ask.dtype)

    def add(self, point: Point, samples: Sequence[int], items: Tensor | None) -> list[Tensor]:
        weights = [1.0] * len(samples)
        self.count[slice(None) if items is None else items] += len(samples)
        if items is None:
            g = self.ask.sum(lambda chosen, j: point(chosen, samples[j]), weights, into=self.total)
        else:
            g = self.total[:, items]  # a copy, added to in the same order as above
            self.ask.sum(lambda chosen, j: point(chosen, samples[j]), weights, items, into=g)
            self.total[:, items] = g
        return [lift.of(items).pull(g) for lift in self.lifts]

    def result(self, parts: list[Tensor] | None) -> list[Tensor]:
        sums = [lift.pull(self.total) for lift in self.lifts] if parts is None else parts
        return [part / self.count for part in sums]


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
