"""How sharply a domain's scales divide the frequencies: half-power edges, and the energy outside the nominal band."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from wavelens.core import Extent, Layout, band_sums, checked_axis

FREQUENCIES = 513  # points of a response, from 0 to 0.5 cycles per sample
BLOCK_SAMPLES = 2**21  # of waves that are transformed at a time


@dataclass(frozen=True)
class Bandwidth:
    """What a scale passes along one axis, in cycles per sample.

    `nominal` is what the domain itself states, None where it does not know. The ends of `half_power` enclose all that
    the scale passes with at least half of its peak power (−3 dB). `outside` is the share of its energy outside
    `nominal`.
    """

    nominal: Extent | None
    half_power: tuple[float, float]
    outside: float | None


def bandwidths(layout: Layout, axis: int = 0) -> dict[str, Bandwidth]:
    """The bandwidth of each scale along an axis, coarsest first, as `Domain.scales_along` has them.

    Measured on what the synthesis makes of each scale's coefficients, borders included.

    >>> import wavelens as wl
    >>> haar = wl.DWT("haar", levels=1).layout((64,))
    >>> found = bandwidths(haar)["d1"]
    >>> found.nominal[:2], [round(edge, 2) for edge in found.half_power], round(found.outside, 3)
    ((0.25, 0.5), [0.25, 0.5], 0.182)
    """
    if not isinstance(layout, Layout):
        raise TypeError(f"bandwidths takes a layout, such as DWT('haar').layout((64,)); got {type(layout).__name__}.")
    axis = checked_axis(axis, layout)
    if any(len(t) > 1 for t in layout.domain.bound_tensors().values()):
        raise ValueError(
            f"the scales of {layout.domain} differ from item to item; ask for one: layout.at(slice(0, 1))."
        )
    power = dict(zip(layout.bands, _responses(layout, axis).T, strict=True))
    scales = layout.domain.scales_along(layout, axis)
    return {s.name: _bandwidth(torch.stack([power[band] for band in s]).sum(0), s.extent) for s in scales}


def _responses(layout: Layout, axis: int) -> Tensor:
    """Power of each band by frequency from 0 to 0.5, `(frequencies, bands)`, summed over two phases.

    `‖Sᵀe‖²` of waves e along the axis, noise along the others: what the synthesis makes of all coefficients together.
    """
    n = layout.signal_shape[axis]
    frequencies = torch.linspace(0, 0.5, FREQUENCIES, dtype=torch.float64, device="cpu")
    others = [1 if k == axis else m for k, m in enumerate(layout.signal_shape)]
    noise = torch.randn(others, generator=torch.Generator("cpu").manual_seed(0), dtype=torch.float64, device="cpu")
    angles = 2 * math.pi * frequencies[:, None] * torch.arange(n, dtype=torch.float64, device="cpu")
    powers = []
    for part in angles.split(max(1, BLOCK_SAMPLES // math.prod(layout.signal_shape))):
        waves = torch.stack([part.cos(), part.sin()], 1)
        signals = waves.reshape(*waves.shape[:2], *(n if k == axis else 1 for k in range(len(others)))) * noise
        powers.append(band_sums(layout.domain.adjoint(signals, layout).map(lambda z: z.abs().square())).sum(1))
    return torch.cat(powers)


def _bandwidth(power: Tensor, extent: tuple[Extent, ...]) -> Bandwidth:
    frequencies = torch.linspace(0, 0.5, len(power), dtype=power.dtype, device="cpu")
    known = extent[0] if extent and extent[0].measure == "frequency" else None
    outside = None if known is None else 1 - _energy_within(power, frequencies, known.low, known.high)
    return Bandwidth(known, _half_power(power, frequencies), outside)


def _energy_within(power: Tensor, frequencies: Tensor, low: float, high: float) -> float:
    """The share of the power's integral between two frequencies."""
    steps = (power[1:] + power[:-1]) / 2
    running = torch.cat([steps.new_zeros(1), steps.cumsum(0)]) / steps.sum()
    ends = torch.tensor([low, high], dtype=power.dtype, device="cpu") / frequencies[1]
    before = ends.floor().long().clamp(max=len(power) - 2)
    at = running[before] + (ends - before) * (running[before + 1] - running[before])
    return float(at[1] - at[0])


def _half_power(power: Tensor, frequencies: Tensor) -> tuple[float, float]:
    """The lowest and the highest frequency with half the peak's power, between two points by a straight line."""
    half = power.max() / 2
    passed = (power >= half).nonzero()[:, 0]
    first, last = int(passed[0]), int(passed[-1])
    return _crossing(power, frequencies, half, first, -1), _crossing(power, frequencies, half, last, 1)


def _crossing(power: Tensor, frequencies: Tensor, half: Tensor, inner: int, step: int) -> float:
    outer = inner + step
    if not 0 <= outer < len(power):
        return float(frequencies[inner])
    part = (power[inner] - half) / (power[inner] - power[outer])
    return float(frequencies[inner] + part * (frequencies[outer] - frequencies[inner]))
