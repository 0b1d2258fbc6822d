"""Methods that average over noisy copies of the input.

Noise depends on the seed and the number of the sample alone, or on the item's own values too, so an item has the same
attribution alone, in any batch and with any chunk size. Samples come in batches; the spread of the scale profile
between batches is its standard error (the method of batch means; see `sampling`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from wavelens.core import Coefficients, Layout
from wavelens.engine.gradients import Gradients, Items, Point
from wavelens.field_types import check_fields
from wavelens.methods.lift import Lift, Outcome, domain_by_domain
from wavelens.methods.sampling import Mean, Moments, sample
from wavelens.seeds import stream
from wavelens.whole_numbers import is_whole

MAX_EFFORT = 10**7  # samples, steps and the like: lists of them are held in memory
NOISES = ("white", "band")
MAX_KEPT_NUMBERS = 2**18  # of a draw that is kept: a photo, or six seconds of sound
KEPT_DRAWS = 32


@dataclass(frozen=True)
class SmoothGrad:
    """The gradient averaged over noisy inputs, `P mean_i g(x + δ_i)` (Smilkov et al., 2017; WAM's equation 7).

    `sigma` is the noise's standard deviation as a fraction of each item's range, `max x - min x`: 0.25 suits
    images, 0.001 sounds, 0.0001 volumes (the paper's values). With `noise="band"` the noise is coloured as the item
    is: each band of the domain gets noise of `sigma` times the standard deviation of the item's own coefficients
    there, so a `sigma` of 1 is as strong as the signal in every band; each of several domains then has passes of
    its own. With `times_input` it is multiplied with the coefficients, `Re(conj(z) ⊙ P mean_i g(x + δ_i))`, one
    real number with a sign for each. All items share the same noise, so a mean over items does not reduce its error;
    with `by_item` each has its own, drawn from the seed and the item's values, and an interval over items includes the
    sampling error. With `tolerance`, sampling goes on item by item until the standard error of every scale's
    share of the profile is at most `tolerance`, or `max_samples` are spent.

    >>> a = wl.attribute(model, x, 1, domain=wl.Identity(), method=wl.SmoothGrad(samples=4, sigma=0.1))
    >>> a.data.shape, round(a.data.abs().max().item(), 3)
    (torch.Size([1, 1, 64]), 0.005)
    """

    samples: int = 25
    sigma: float = 0.25
    seed: int = 0
    tolerance: float | None = None
    max_samples: int = 1000
    noise: str = "white"
    times_input: bool = False
    by_item: bool = False

    def __post_init__(self) -> None:
        check_effort(samples=self.samples)
        check_tolerance(self.tolerance, self.samples, max_samples=self.max_samples)
        check_noise(self.sigma, self.noise)
        check_fields(self)

    def __call__(self, ask: Gradients, lifts: list[Lift], baseline: Tensor | float | None) -> Outcome:
        def mean(lifts: list[Lift], point: Point) -> Outcome:
            estimate = Mean(ask, lifts, self.times_input)
            return sample(estimate, point, self.samples, self.tolerance, self.max_samples)

        return over_noise(ask, lifts, self, mean)


@dataclass(frozen=True)
class _Moment:
    """A moment of each coefficient's gradient over noisy inputs: every sample is pulled back."""

    samples: int = 25
    sigma: float = 0.25
    seed: int = 0
    noise: str = "white"
    by_item: bool = False

    def __post_init__(self) -> None:
        check_effort(samples=self.samples)
        check_noise(self.sigma, self.noise)
        check_fields(self)

    def _moment(self, ask: Gradients, lifts: list[Lift], central: bool) -> Outcome:
        def moment(lifts: list[Lift], point: Point) -> Outcome:
            return sample(Moments(ask, lifts, central), point, self.samples)

        return over_noise(ask, lifts, self, moment)


@dataclass(frozen=True)
class VarGrad(_Moment):
    """The variance of each coefficient's gradient over noisy inputs (Adebayo et al., 2018).

    `sigma`, `noise` and `by_item` are those of `SmoothGrad`. Not linear in the gradient: every sample is pulled back.

    >>> a = wl.attribute(model, x, 1, domain=wl.Identity(), method=wl.VarGrad(samples=4, sigma=0.1))
    >>> a.data.shape, bool((a.data >= 0).all())
    (torch.Size([1, 1, 64]), True)
    """

    def __call__(self, ask: Gradients, lifts: list[Lift], baseline: Tensor | float | None) -> Outcome:
        return self._moment(ask, lifts, central=True)


@dataclass(frozen=True)
class SquareGrad(_Moment):
    """The mean of each coefficient's squared gradient over noisy inputs (Hooker et al., 2019).

    `sigma`, `noise` and `by_item` are those of `SmoothGrad`. Not linear in the gradient: every sample is pulled back.

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
            raise ValueError(f"{name} must be at most {MAX_EFFORT:,}; got {name}={number}. Take fewer.")


def _check_count(name: str, number: int) -> None:
    if not is_whole(number, 1):
        raise ValueError(f"{name} must be a whole number from 1; got {name}={number}.")


def check_tolerance(tolerance: float | None, least: int, **limit: int) -> None:
    """`ValueError` for a tolerance that is not above 0, or a limit below the `least` that is spent with one."""
    ((name, most),) = limit.items()
    _check_count(name, most)
    if tolerance is None:
        return
    if not isinstance(tolerance, int | float) or not tolerance > 0 or most < least:
        raise ValueError(
            f"tolerance must be above 0, and {name} at least {least}; got tolerance={tolerance}, {name}={most}."
        )


def check_noise(sigma: float, noise: str = "white") -> None:
    """`ValueError` for a deviation below 0 or infinite, and for an unknown kind of noise."""
    if not isinstance(sigma, int | float) or not 0 <= sigma <= torch.finfo(torch.float32).max:
        raise ValueError(
            f"sigma, a fraction of the signal's range, must be at least 0 and finite; got sigma={sigma!r}."
        )
    if noise not in NOISES:
        raise ValueError(f"noise must be one of {', '.join(NOISES)}; got {noise!r}.")


def generator(seed: int, k: int, device: torch.device) -> torch.Generator:
    """A generator for sample `k`, independent of every other and of the global ones; the same on a kind of device."""
    return torch.Generator(device).manual_seed(stream(seed, str(k)))


def ranges(x: Tensor, parts: Sequence[slice] = ()) -> Tensor:
    """Each item's range, `max x - min x`, to be multiplied with `x`; that of each signal where `parts` hold several."""
    rows = x.flatten(1)
    if not parts:
        return (rows.amax(1) - rows.amin(1)).reshape(-1, *[1] * (x.ndim - 1))
    pieces = [rows[:, part] for part in parts]
    spans = [(piece.amax(1, keepdim=True) - piece.amin(1, keepdim=True)).expand_as(piece) for piece in pieces]
    return torch.cat(spans, 1).view_as(x)


def white_noise(x: Tensor, seed: int, by_item: bool) -> Point:
    """White noise of sample `k` for some items of `x`, `(1, channel, *axes)` for all alike or one row for each.

    It is to be read only. The seed of an item's own noise is drawn from its values as float32, whatever its place in a
    batch. On a CPU a draw takes a twentieth of a small network's passes: up to `KEPT_DRAWS` that all items share, of at
    most `MAX_KEPT_NUMBERS`, 32 MB, are kept there for the next input of the same shape, as of a folder of clips.
    """
    shape, device = x.shape[1:], x.device
    if not by_item:
        draw = _kept_draw if device.type == "cpu" and shape.numel() <= MAX_KEPT_NUMBERS else _draw
        return lambda items, k: draw(shape, seed, k, device)[None]
    seeds = [stream(seed, hashlib.blake2b(item.float().cpu().contiguous().numpy()).hexdigest()) for item in x]
    places = torch.arange(len(x), device=device)
    return lambda items, k: torch.stack([_draw(shape, seeds[place], k, device) for place in places[items].tolist()])


def _draw(shape: torch.Size, seed: int, k: int, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return torch.randn(shape, generator=generator(seed, k, device), device=device, dtype=torch.float32)


_kept_draw = lru_cache(maxsize=KEPT_DRAWS)(_draw)


def noisy(x: Tensor, sigma: float, seed: int, parts: Sequence[slice] = (), by_item: bool = False) -> Point:
    """Noisy copy `k` of items of `x`, scaled by each item's own `ranges`: with the same noise, or `by_item` its own."""
    scale, white = sigma * ranges(x, parts), white_noise(x, seed, by_item)

    def point(items: Items, k: int) -> Tensor:
        noise = white(items, k).to(x.dtype)
        return torch.mul(noise, scale[items]).add_(x[items])  # addcmul broadcasts number by number

    return point


def over_noise(
    ask: Gradients, lifts: list[Lift], rule: SmoothGrad | _Moment, average: Callable[[list[Lift], Point], Outcome]
) -> Outcome:
    """What `average(lifts, point)` makes of noisy copies of the input: band noise differs from domain to domain."""
    if rule.noise == "white":
        return average(lifts, noisy(ask.x, rule.sigma, rule.seed, ask.parts, rule.by_item))
    return domain_by_domain(
        lifts, lambda lift: average([lift], noisy_in_bands(ask.x, lift, rule.sigma, rule.seed, ask.dtype, rule.by_item))
    )


def noisy_in_bands(x: Tensor, lift: Lift, sigma: float, seed: int, dtype: torch.dtype, by_item: bool = False) -> Point:
    """Noisy copy `k` of items of `x`, with noise of `sigma` times the item's own deviation in each band.

    White noise, the same for every item or each item's own, is brought to that deviation band by band. So in an
    orthonormal domain each copy has it exactly; in a redundant one, bands of the synthesised noise reach into each
    other as the domain's do.
    """
    own = sigma * deviations(lift.analysis(x.to(dtype)), lift.layout)
    is_bound, white = bool(lift.domain.bound_tensors()), white_noise(x, seed, by_item)

    def point(items: Items, k: int) -> Tensor:
        some, here = x[items], lift.of(items)
        noise = white(items, k).to(dtype)
        z = here.analysis(noise.expand_as(some) if is_bound else noise)
        gains = own[items] / deviations(z, here.layout).clamp_min(torch.finfo(dtype).tiny)
        sizes = torch.tensor([band.size for band in here.layout.bands], device=x.device)
        coloured = z * gains.repeat_interleave(sizes, 1, output_size=here.layout.size)[:, None]
        return some + here.domain.synthesis(Coefficients(coloured, here.layout)).to(x.dtype)

    return point


def deviations(z: Tensor, layout: Layout) -> Tensor:
    """The standard deviation of each band's coefficients over places and channels, `(batch, bands)`."""
    return torch.stack([z[..., piece].flatten(1).std(1, correction=0) for piece in layout.slices.values()], 1)
