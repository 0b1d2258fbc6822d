"""Shapes that stand for a cloud of points without its form: baselines for methods, metrics and masks.

Each is called with clouds `(batch, channel, points)`, whose first `coordinates` channels are where the points lie, and
gives clouds of the same shape; further channels stay as they are. If a cloud is moved or turned, its shape is moved or
turned in the same way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from wavelens.points import nearest
from wavelens.whole_numbers import is_whole

ROUNDING = 64  # units in the last place of the radius: what is no farther from the mean lies there


@dataclass(frozen=True)
class Shape(ABC):
    """What all shapes share: `title` names the shape in a sentence."""

    coordinates: int = 3
    title: ClassVar[str]

    def __post_init__(self) -> None:
        if not is_whole(self.coordinates, 1):
            raise ValueError(
                f"coordinates must be the number of channels with places, from 1; got {self.coordinates!r}."
            )

    def __call__(self, x: Tensor) -> Tensor:
        """The shape of each cloud of `x`; `ValueError` for signals that are no clouds."""
        if x.ndim != 3 or x.shape[1] < self.coordinates:
            raise ValueError(
                f"{type(self).__name__} must be a baseline of clouds (batch, {self.coordinates} or more channels, "
                f"points); got a signal {tuple(x.shape)}. Pass coordinates=…, or another baseline."
            )
        points = x[:, : self.coordinates].detach()
        return torch.cat([self.of(points).to(x.dtype), x[:, self.coordinates :].detach()], 1)

    @abstractmethod
    def of(self, points: Tensor) -> Tensor:
        """The points `(batch, coordinates, points)` of the shape."""


@dataclass(frozen=True)
class Centroid(Shape):
    """All points of a cloud at their mean: no form at all.

    >>> cloud = torch.rand(1, 3, 64, generator=torch.Generator().manual_seed(0))
    >>> start = wl.Centroid()(cloud)
    >>> bool((start.amax(2) - start.amin(2)).max() < 1e-6)
    True
    """

    title: ClassVar[str] = "all points at the centroid"

    def of(self, points: Tensor) -> Tensor:
        return points.mean(2, keepdim=True).expand_as(points)


@dataclass(frozen=True)
class Sphere(Shape):
    """Each point moved along its ray from the mean to the sphere whose radius is the points' root mean square distance.

    The size and each point's direction stay. A point at the mean has no direction and stays there.

    >>> cloud = torch.rand(1, 3, 64, generator=torch.Generator().manual_seed(0))
    >>> start = wl.Sphere()(cloud)
    >>> radii = (start - cloud.mean(2, keepdim=True)).norm(dim=1)
    >>> bool((radii.amax() - radii.amin()) < 1e-5)
    True
    """

    title: ClassVar[str] = "a sphere of the cloud's size"

    def of(self, points: Tensor) -> Tensor:
        centre = points.mean(2, keepdim=True)
        rays = points - centre
        lengths = rays.norm(dim=1, keepdim=True)
        radius = lengths.square().mean(2, keepdim=True).sqrt()
        has_direction = lengths > ROUNDING * torch.finfo(lengths.dtype).eps * radius
        return centre + rays * torch.where(has_direction, radius / lengths.where(has_direction, 1), 0.0)


@dataclass(frozen=True)
class Smoothed(Shape):
    """The cloud after `steps` of smoothing: each point goes to the mean of itself and its nearest `neighbours`.

    The neighbours are those of the cloud itself (Laplacian smoothing, Field, 1988). Details smaller than about
    √steps times the distance between neighbours are gone; the whole shrinks a little.

    >>> cloud = torch.rand(1, 3, 64, generator=torch.Generator().manual_seed(0))
    >>> start = wl.Smoothed(steps=5)(cloud)
    >>> bool(start.var() < cloud.var())
    True
    """

    neighbours: int = 8
    steps: int = 20
    title: ClassVar[str] = "the smoothed shape"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in (("neighbours", self.neighbours), ("steps", self.steps)):
            if not is_whole(value, 1, 1000):
                raise ValueError(f"{name} must be a whole number from 1 to 1000; got {value!r}.")

    def of(self, points: Tensor) -> Tensor:
        near = nearest(points.movedim(1, 2), self.neighbours)
        places = near.flatten(1)[:, None].expand(-1, points.shape[1], -1)
        for _ in range(self.steps):
            around = points.gather(2, places).unflatten(2, near.shape[1:]).sum(3)
            points = (points + around) / (1 + near.shape[2])
        return points


SHAPES = (Centroid, Sphere, Smoothed)
