"""What the studies of clouds share: the objects and the network of the data at hand, orders, lengths in metres."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
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
from wavelens.frontends import Cloud
from wavelens.models import LoadedModel, Points

__all__ = ["Array", "at", "interval", "records", "rows", "sized"]
RESULTS = Path(__file__).parent / "results"
TAKES = Points((3, 1024), centre="box", scale="radius")
Array = Any


@cache
def objects() -> dict[str, Array]:
    with np.load(at("more/points/dales500.npz")) as file:
        return {name: file[name] for name in file.files}


def classes() -> list[str]:
    return [str(name) for name in objects()["classes"]]


def drawn(count: int, seed: int) -> list[int]:
    """The numbers of so many objects, the same for every count: a larger one goes on where a smaller one ends."""
    every = np.random.RandomState(seed).permutation(len(objects()["label"]))
    return [int(k) for k in every[:count]]


def clouds(numbers: Sequence[int]) -> list[Cloud]:
    points = torch.from_numpy(objects()["xyz_m"])
    return [Cloud(points[k].T[None].contiguous(), "m") for k in numbers]


def prepared(several: Sequence[Cloud]) -> Tensor:
    return torch.cat([TAKES(one) for one in several])


@cache
def network() -> nn.Module:
    loaded: LoadedModel = wl.models.load(
        "pointnet", weights=at("more/points/dales_pointnet.safetensors"), class_names=classes()
    )
    return loaded.module


def random_order(z: wl.Coefficients, numbers: Sequence[int], seed: int) -> wl.Coefficients:
    """Uniform numbers, for each object its own and the same alone and in any batch."""
    rows = [
        torch.rand(z.data.shape[1:], generator=torch.Generator().manual_seed(1_000_000 * seed + k), dtype=torch.float64)
        for k in numbers
    ]
    return wl.Coefficients(torch.stack(rows).to(z.data), z.layout)
