"""What takes the place of the coefficients that a mask drops: a fixed baseline, the blurred signal, or noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from wavelens.core import Coefficients, Domain, Layout
from wavelens.field_types import check_fields
from wavelens.methods.averages import generator
from wavelens.methods.blurred import blurred, check_width
from wavelens.methods.paths import starting_points

Baseline = float | Tensor | Callable[[Tensor], Tensor]  # a function gives a baseline for each signal, as `Blur` does


@dataclass(frozen=True)
class Blur:
    """The signal itself behind a Gaussian of standard deviation `sigma`, in samples (Fong and Vedaldi, 2017).

    >>> found = wl.masks.minimal(model, x, 1, domain=wl.DWT("haar", 2), alpha=0.1, steps=5, baseline=wl.masks.Blur(2.0))
    >>> found.mask.data.shape
    torch.Size([1, 1, 64])
    """

    sigma: float = 10.0

    def __post_init__(self) -> None:
        check_fields(self)
        check_width(self.sigma)

    def __call__(self, x: Tensor) -> Tensor:
        """`x` blurred along each of its axes; near an end the weights of the samples that are there add up to 1."""
        return blurred(x, self.sigma)


@dataclass(frozen=True)
class Noise:
    """Gaussian noise in the coefficients, with the mean and the spread of each band of the item (Kolek et al., 2022).

    It is drawn anew in every step, from the seed and the number of the step alone, so an item meets the same noise
    alone and in any batch.

    >>> found = wl.masks.minimal(model, x, 1, domain=wl.DWT("haar", 2), alpha=0.1, steps=5, baseline=wl.masks.Noise(1))
    >>> found.mask.data.shape
    torch.Size([1, 1, 64])
    """

    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self)


class Fill(Protocol):
    """`(z₀, z - z₀)` of rows that belong to `items` and have taken so many steps; `z₀` is None where it is zero."""

    changes: bool

    def __call__(self, items: Tensor, steps: Tensor) -> tuple[Tensor | None, Tensor]: ...


class Fixed:
    """A baseline that stays the same: a number, a signal for each item, or a function of the signals."""

    changes = False

    def __init__(self, x: Tensor, domain: Domain, baseline: Baseline, dtype: torch.dtype) -> None:
        given = baseline(x.to(dtype)) if callable(baseline) else baseline
        start = starting_points(x, given).to(dtype)
        zero = not isinstance(given, Tensor) and given == 0
        self.z0 = None if zero else domain.analysis(start).data
        self.step = domain.analysis(x.to(dtype) if zero else x.to(dtype) - start).data
        self.every = self.items = torch.arange(len(x), device=x.device)
        self.each: Tensor | slice = slice(None)

    def __call__(self, items: Tensor, steps: Tensor) -> tuple[Tensor | None, Tensor]:
        if items is not self.items:  # the same tensor step by step: a device is not halted to compare numbers again
            whole = torch.equal(items, self.every)  # each item once: nothing is copied
            self.items, self.each = items, slice(None) if whole else items
        each = self.each
        return None if self.z0 is None else self.z0[each], self.step[each]


class Noisy:
    """Noise that has each band's own mean and spread, another one in every step."""

    changes = True

    def __init__(self, x: Tensor, domain: Domain, noise: Noise, dtype: torch.dtype) -> None:
        c = domain.analysis(x.to(dtype))
        self.z, self.seed = c.data, noise.seed
        pieces = [c.data[..., piece] for piece in c.layout.slices.values()]
        self.sizes = torch.tensor([band.size for band in c.layout.bands], device=x.device)
        self.mean = torch.stack([piece.mean(-1) for piece in pieces], -1)
        self.spread = torch.stack([piece.std(-1, correction=0) for piece in pieces], -1)

    def __call__(self, items: Tensor, steps: Tensor) -> tuple[Tensor | None, Tensor]:
        numbers, which = steps.unique(return_inverse=True)
        draws = torch.stack([self._draw(k) for k in numbers.tolist()])[which.to(self.z.device)]
        z0 = draws * self._wide(self.spread[items]) + self._wide(self.mean[items])
        return z0, self.z[items] - z0

    def _draw(self, k: int) -> Tensor:
        source = generator(self.seed, k, self.z.device)
        dtype = torch.complex64 if self.z.is_complex() else torch.float32
        return torch.randn(self.z.shape[1:], generator=source, device=self.z.device, dtype=dtype).to(self.z.dtype)

    def _wide(self, bands: Tensor) -> Tensor:
        return bands.repeat_interleave(self.sizes, -1, output_size=self.z.shape[-1])


def fill(x: Tensor, domain: Domain, baseline: Baseline | Noise, dtype: torch.dtype) -> Fill:
    """What `baseline` means for these signals."""
    if isinstance(baseline, Noise):
        return Noisy(x, domain, baseline, dtype)
    return Fixed(x, domain, baseline, dtype)


def mixed(mask: Tensor, z0: Tensor | None, step: Tensor, layout: Layout) -> Tensor:
    """`S(z₀ + m ⊙ (z - z₀))`, `(rows, channel, *axes)`."""
    data = mask * step if z0 is None else torch.addcmul(z0, mask, step)
    return Coefficients(data, layout).synthesis()
