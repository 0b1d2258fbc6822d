"""What kind of frame a domain is for signals of one shape, and how many numbers it takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch

from wavelens.core import Layout

ROUNDING = 1e-9  # of a coefficient of a signal of about 1, in float64
BYTES_PER_NUMBER = 4  # float32


@dataclass(frozen=True)
class Frame:
    """What the coefficients of a layout are to a signal.

    `kind` is 'orthonormal', where coefficients are as many as samples and keep the norm; 'tight', where they are more
    and keep it, so that energies by scale add up to the signal's; or 'neither'. `redundancy` counts real numbers per
    sample, two for a complex coefficient; `bytes_per_sample` is what they take in float32.
    """

    kind: Literal["orthonormal", "tight", "neither"]
    redundancy: float
    bytes_per_sample: float


def frame_of(layout: Layout) -> Frame:
    """The kind of frame, tested on one signal of noise: a domain is tight if its pullback equals its analysis.

    With `S W = id`, `Sᵀ = W` is the same as `Wᵀ W = id`. For a domain that differs from item to item, pass the layout
    of its coefficients, which is bound.

    >>> import wavelens as wl
    >>> [frame_of(domain.layout((16, 16))).kind for domain in (wl.DWT("haar", 2), wl.Fourier(), wl.DWT("bior2.2", 2))]
    ['orthonormal', 'tight', 'neither']
    >>> frame_of(wl.Stationary("haar", levels=2).layout((16, 16)))
    Frame(kind='tight', redundancy=7.0, bytes_per_sample=28.0)
    """
    generator = torch.Generator("cpu").manual_seed(0)
    noise = torch.randn(1, 1, *layout.signal_shape, generator=generator, dtype=torch.float64, device="cpu")
    domain = layout.domain.at(slice(0, 1))
    difference = domain.adjoint(noise, domain.layout(layout.signal_shape)).data - domain.analysis(noise).data
    samples, numbers = math.prod(layout.signal_shape), layout.size * (2 if layout.is_complex else 1)
    keeps_norm = bool(difference.abs().max() <= ROUNDING)
    kind: Literal["orthonormal", "tight", "neither"] = "neither"
    if keeps_norm:
        kind = "orthonormal" if numbers == samples else "tight"
    return Frame(kind, numbers / samples, BYTES_PER_NUMBER * numbers / samples)
