"""What the studies of time series share: the networks of the data at hand, orders over time, the folder of records."""

from __future__ import annotations

import sys
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness import records, rows
from harness.arguments import sized
from harness.data import at
from harness.intervals import interval

import wavelens as wl
from wavelens.core import Coefficients
from wavelens.models import LoadedModel, Traces
from wavelens.models.checkpoints import read_checkpoint
from wavelens.models.weights import fill, state_for

__all__ = ["Array", "LoadedModel", "Traces", "at", "interval", "records", "rows", "sized"]
RESULTS = Path(__file__).parent / "results"
Array = Any


class WaveUNet(nn.Module):
    """One lead `(batch, 1, samples)` at 250 Hz to logits `(batch, 4, samples)`: none, P, QRS, T."""

    def __init__(self, widths: tuple[int, ...] = (16, 32, 48, 64)) -> None:
        super().__init__()
        before = (1, *widths[:-1])
        self.enc = nn.ModuleList(
            nn.Sequential(*_block(one, other), *_block(other, other)) for one, other in zip(before, widths, strict=True)
        )
        self.dec = nn.ModuleList(nn.Sequential(*_block(low + high, low)) for low, high in pairwise(widths))
        self.out = nn.Conv1d(widths[0], 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for k, block in enumerate(self.enc):
            x = block(x if k == 0 else nn.functional.avg_pool1d(x, 4, ceil_mode=True))
            skips.append(x)
        for k in reversed(range(len(self.dec))):
            up = nn.functional.interpolate(x, skips[k].shape[-1], mode="linear")
            x = self.dec[k](torch.cat([skips[k], up], 1))
        logits: Tensor = self.out(x)
        return logits


def _block(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv1d(before, after, 7, padding=3), nn.BatchNorm1d(after), nn.ReLU()]


class FCN(nn.Module):
    """Three convolutions, a mean over time and a linear layer (Wang, Yan and Oates, 2017), with its own scaling."""

    def __init__(self, channels: int, classes: int, widths: tuple[int, ...] = (32, 64, 32)) -> None:
        super().__init__()
        before = (channels, *widths[:-1])
        self.c = nn.ModuleList(
            nn.Conv1d(one, other, size, padding=size // 2)
            for one, other, size in zip(before, widths, (9, 5, 3), strict=True)
        )
        self.b = nn.ModuleList(map(nn.BatchNorm1d, widths))
        self.f = nn.Linear(widths[-1], classes)
        self.input = nn.Module()
        self.input.register_buffer("mean", torch.zeros(channels))
        self.input.register_buffer("std", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        x = (x - self.input.mean[:, None]) / self.input.std[:, None]
        for convolution, norm in zip(self.c, self.b, strict=True):
            x = norm(convolution(x)).relu()
        logits: Tensor = self.f(x.mean(-1))
        return logits


def filled(module: nn.Module, path: str) -> nn.Module:
    """A network with the weights of a file of the data at hand."""
    checkpoint = read_checkpoint(str(at(path)))
    fill(module, state_for(module, checkpoint))
    return module.eval()


@cache
def ludb() -> dict[str, Array]:
    with np.load(at("more/ecg/ludb200_250hz.npz")) as file:
        return {name: file[name] for name in file.files}


def test_patients() -> list[int]:
    """The 50 records that the network was not trained on, as the README of the data says."""
    return [int(k) for k in np.random.RandomState(0).permutation(200)[:50]]


@cache
def seismograms() -> dict[str, Array]:
    with np.load(at("more/seismic/ncedc154.npz")) as file:
        return {name: file[name] for name in file.files}


@cache
def ucr() -> dict[str, Array]:
    with np.load(at("more/series/ucr.npz")) as file:
        return {name: file[name] for name in file.files}


def over_time(c: Coefficients, reading: str) -> Array:
    """An order over time, `(samples,)`: |γ| or what supports the target, of all channels."""
    if reading == "magnitude":
        return wl.maps.spatial_map(c)[0].detach().double().numpy()
    return wl.maps.spatial_map(c, signed=True)[0].detach().double().numpy()


def hit(order: Array, truth: Array) -> float:
    """Whether the largest place lies in the truth, `(samples,)` booleans."""
    return float(truth[int(order.argmax())])


def mass(order: Array, truth: Array) -> float:
    """The part of what is positive that lies in the truth."""
    positive = np.clip(order, 0, None)
    return float(positive[truth].sum() / (positive.sum() or 1.0))


def bands(a: Coefficients, rate: float) -> dict[str, float]:
    """The signed sum of each scale, by what it spans in Hz, coarsest first."""
    names = wl.frontends.Series(torch.zeros(1, 1, 2), rate).grid.labels(a.layout)
    profile = wl.maps.profile(a)
    return {names[name]: float(value) for name, value in zip(profile.names, profile.signed[0], strict=True)}
