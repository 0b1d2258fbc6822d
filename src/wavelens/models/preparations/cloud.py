"""How a cloud becomes a network's input: so many points, from where, and how large."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from wavelens.field_types import check_fields
from wavelens.frontends.clouds import UNKNOWN_UNIT, Cloud
from wavelens.grid import Grid
from wavelens.points import k_d_order
from wavelens.whole_numbers import is_whole

CENTRES = ("none", "mean", "box")
SCALES = ("none", "radius", "box")
FITS = ("even", "whole")


@dataclass(frozen=True)
class Points:
    """Brings a `Cloud` to what a network takes: `(1, 3, points)`, as `shape` says.

    With `fit='even'` it has as many points as `shape`: a larger cloud keeps points that lie evenly along its k-d tree,
    whatever their order in the file; a smaller one repeats some. With `fit='whole'` the cloud is taken as it
    is. `centre` moves it: 'mean', its mean to 0; 'box', the middle of its bounding box. `scale` then divides it:
    'radius', by its largest distance from 0; 'box', by half the longest side of its box. `spacing` is what one step of
    a file's coordinates is in `unit`, for files that do not say their unit.

    >>> x = wl.models.Points((3, 16), centre="box", scale="radius")(wl.frontends.Cloud(torch.rand(1, 3, 100)))
    >>> x.shape, round(x.norm(dim=1).max().item(), 3)
    (torch.Size([1, 3, 16]), 1.0)
    """

    shape: tuple[int, int] = (3, 1024)
    centre: str = "none"
    scale: str = "none"
    fit: str = "even"
    spacing: tuple[float, ...] | None = None
    unit: str = "m"
    kind: ClassVar[str] = "cloud"

    def __post_init__(self) -> None:
        check_fields(self)
        if len(self.shape) != 2 or self.shape[0] != 3 or not is_whole(self.shape[1], 2):
            raise ValueError(f"shape must be (3, points) with 2 points or more; got {self.shape!r}.")
        for name, known in (("centre", CENTRES), ("scale", SCALES), ("fit", FITS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}; got {getattr(self, name)!r}.")
        if self.spacing is not None and (len(self.spacing) != 1 or not 0 < self.spacing[0] < math.inf):
            raise ValueError(
                f"spacing must be one length, the size of a step of the coordinates; got {self.spacing!r}."
            )

    def __call__(self, cloud: Cloud) -> Tensor:
        if not isinstance(cloud, Cloud):
            raise TypeError(f"a cloud must be a Cloud; got {type(cloud).__name__}. Wrap it in Cloud(data).")
        points = cloud.data[:, :, self._chosen(cloud)]
        middle, size = self._placed(points)
        return (points - middle) / size

    def grid(self, cloud: Cloud) -> Grid:
        """Lengths in the unit of the file, or of `spacing`: a step of the prepared input is as long as `scale` says."""
        _, size = self._placed(cloud.data[:, :, self._chosen(cloud)])
        if self.spacing is not None:
            return Grid((size * self.spacing[0],), (self.unit,), scattered=True)
        return Grid((size,), (cloud.unit or UNKNOWN_UNIT,), scattered=True)

    def spaced(self, spacing: tuple[float, ...], unit: str) -> Points:
        """The same for files whose coordinates are steps of this length."""
        return replace(self, spacing=spacing, unit=unit)

    def keeps_points(self, cloud: Cloud) -> bool:
        """Whether the input has each point of the cloud once, in the sequence of its file."""
        return self.fit == "whole" or cloud.points == self.shape[1]

    def original(self, x: Tensor, cloud: Cloud) -> Cloud:
        """A prepared cloud `(1, 3, points)` in the file's coordinates, with its faces where all points are there."""
        middle, size = self._placed(cloud.data[:, :, self._chosen(cloud)])
        data = x.detach().float().cpu() * size + middle
        return replace(cloud, data=data, faces=cloud.faces if self.keeps_points(cloud) else None)

    def _placed(self, points: Tensor) -> tuple[Tensor, float]:
        """What is subtracted, `(1, 3, 1)`, and what divides the rest."""
        low, high = points.amin(2, keepdim=True), points.amax(2, keepdim=True)
        middles = {"none": torch.zeros_like(low), "mean": points.mean(2, keepdim=True), "box": (low + high) / 2}
        middle = middles[self.centre]
        if self.scale == "none":
            return middle, 1.0
        size = float((points - middle).norm(dim=1).max() if self.scale == "radius" else (high - low).max() / 2)
        if size == 0:
            raise ValueError("points lie apart; all those taken from this cloud lie in one place. Take more of them.")
        return middle, size

    def _chosen(self, cloud: Cloud) -> Tensor:
        """The numbers of the points that are taken."""
        n, count = cloud.points, self.shape[1]
        if self.keeps_points(cloud):
            return torch.arange(n)
        if n < count:
            return torch.arange(count) % n
        order, _ = k_d_order(cloud.data.mT)
        return order[0, torch.arange(count) * n // count]


def as_cloud(cloud: Cloud) -> Points:
    """The preparation that hands a cloud to a network as it is: all its points, from the file's origin."""
    return Points((3, cloud.points), fit="whole")
