"""Photos at a size of their own: as many patches as a network takes, in the photo's proportions."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from wavelens.field_types import check_fields
from wavelens.frontends.image import ImageFile
from wavelens.grid import Grid
from wavelens.models.preparations.image import Geometry

SMALLEST, LARGEST, TOLERANCE = 1e-6, 100.0, 1e-5  # of the scale that transformers' processor searches


@dataclass(frozen=True)
class Patches:
    """Resizes a photo so that it has at most `patches` squares of `patch` pixels, as NaFlex has them.

    Its proportions stay, but for rounding each side up to whole squares (Tschannen et al., 2025, SigLIP 2).
    `interpolation` names a filter of Pillow.

    >>> wl.models.Patches(patch=16, patches=256).size(480, 640)
    (224, 288)
    """

    patch: int = 16
    patches: int = 256
    interpolation: str = "bilinear"
    kind: ClassVar[str] = "photo"
    takes_files: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_fields(self)
        if min(self.patch, self.patches) < 1:
            raise ValueError(f"patch and patches must be whole numbers from 1; got {self!r}.")

    @property
    def shape(self) -> tuple[int, int, int]:
        """That of a square photo."""
        side = math.isqrt(self.patches) * self.patch
        return (3, side, side)

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The size of the resized photo."""
        low, high = SMALLEST, LARGEST
        while high - low >= TOLERANCE:
            scale = (low + high) / 2
            fits = math.prod(n // self.patch for n in self._scaled(scale, height, width)) <= self.patches
            low, high = (scale, high) if fits else (low, scale)
        return self._scaled(low, height, width)

    def _scaled(self, scale: float, height: int, width: int) -> tuple[int, int]:
        rows, columns = (max(1, math.ceil(n * scale / self.patch)) * self.patch for n in (height, width))
        return rows, columns

    def geometry(self, photo: Tensor | ImageFile) -> Geometry:
        """The same for photos of this one's size."""
        height, width = self.size(*photo.shape[-2:])
        return replace(Geometry((height, width), (height, width), squash=True), interpolation=self.interpolation)

    def grid(self, photo: Tensor | ImageFile) -> Grid:
        return Grid.plain(2)

    def region(self, mask: Tensor) -> Tensor:
        """Where a region of a photo lies in the prepared one, as in `Geometry.region`."""
        return self.geometry(mask[None]).region(mask)

    def __call__(self, photo: Tensor | ImageFile) -> Tensor:
        return self.geometry(photo)(photo)
