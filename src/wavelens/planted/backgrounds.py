"""What patterns are planted in: noise with the same energy in each octave, and rough clouds of points."""

from __future__ import annotations

import math

import torch
from torch import Tensor

WAVES = 24  # of a rough cloud
LENGTHS = (0.1, 1.0)  # the shortest and longest of them, of a cloud's side


def pink(count: int, axes: tuple[int, ...], source: torch.Generator) -> Tensor:
    """Noise `(count, 1, *axes)` of mean 0 and deviation 1 whose power falls with `f^-axes`: 1/f noise.

    So each octave has the same energy in any number of axes. It is periodic.
    """
    dims = tuple(range(2, 2 + len(axes)))
    white = torch.randn(count, 1, *axes, generator=source, device="cpu")
    frequencies = [torch.fft.fftfreq(n, device="cpu") for n in axes]
    power = torch.stack(torch.meshgrid(*(f.square() for f in frequencies), indexing="ij")).sum(0)
    gain = power.where(power > 0, 1).pow(-len(axes) / 4) * (power > 0)
    gain = gain / gain.square().mean().sqrt()
    half = gain[..., : axes[-1] // 2 + 1]
    noise: Tensor = torch.fft.irfftn(torch.fft.rfftn(white, dim=dims) * half, s=axes, dim=dims)
    return noise


def rough_cloud(count: int, points: int, source: torch.Generator) -> Tensor:
    """Points `(count, 3, points)` over the unit square; heights of deviation 1, by waves of lengths from 0.1 to 1."""
    places = torch.rand(count, 2, points, generator=source, device="cpu")
    angle, phase = (2 * math.pi * torch.rand(count, WAVES, 1, generator=source, device="cpu") for _ in range(2))
    short, long = (math.log(length) for length in LENGTHS)
    length = (short + (long - short) * torch.rand(count, WAVES, 1, generator=source, device="cpu")).exp()
    run = places[:, :1] * angle.cos() + places[:, 1:] * angle.sin()
    heights = (2 * math.pi * run / length + phase).cos().sum(1, keepdim=True) * math.sqrt(2 / WAVES)
    return torch.cat([places, heights], 1)
