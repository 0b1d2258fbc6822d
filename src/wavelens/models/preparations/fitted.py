"""`Fitted`: a whole photo in its own proportions, as detectors and segmenters take it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from wavelens.field_types import check_fields
from wavelens.frontends.image import ImageFile
from wavelens.grid import Grid, each_axis
from wavelens.models.preparations.image import FILTERS, Geometry, PlacedBox


@dataclass(frozen=True)
class Fitted:
    """Resizes a photo `(1, 3, height, width)` in its proportions: `fitted(photo)` has it whole, in [0, 1].

    Its shorter side gets `shortest` pixels, unless the longer would have more than `longest`; then the longer side gets
    `longest`. `shape` is for a photo with sides 3 : 4; other photos get longer or shorter sides. `interpolation`,
    `spacing` and `unit` are those of `Geometry`. A border that a network wants, as a letterbox has it, is a matter of
    its module.

    >>> wl.models.Fitted(shortest=60, longest=100)(torch.zeros(1, 3, 120, 180)).shape
    torch.Size([1, 3, 60, 90])
    """

    shortest: int = 800
    longest: int | None = 1333
    interpolation: str = "bilinear"
    spacing: tuple[float, float] | None = None
    unit: str = "px"
    kind: ClassVar[str] = "photo"
    takes_files: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_fields(self)
        if self.shortest < 1 or (self.longest is not None and self.longest < self.shortest):
            raise ValueError(
                "a photo's shorter side must get at least 1 pixel, and no more than its longer side; got "
                f"shortest={self.shortest}, longest={self.longest}."
            )
        if self.interpolation not in FILTERS:
            raise ValueError(f"interpolation must be one of {', '.join(FILTERS)}; got {self.interpolation!r}.")

    @property
    def shape(self) -> tuple[int, int, int]:
        return (3, *self.size(3, 4))

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The (height, width) that a photo of this size is brought to."""
        scale = self.shortest / min(height, width)
        if self.longest is not None:
            scale = min(scale, self.longest / max(height, width))
        return max(1, int(height * scale + 1e-6)), max(1, int(width * scale + 1e-6))

    def adapted(
        self,
        input_size: tuple[int, int] | None = None,
        crop: float | str | None = None,
        interpolation: str | None = None,
    ) -> Fitted:
        """The same for photos that fit into another size, or with another filter; nothing is cropped."""
        if crop is not None:
            raise ValueError(f"a detector or a segmenter takes whole photos; got crop={crop!r}. Leave it out.")
        ends = (self.shortest, self.longest) if input_size is None else (min(input_size), max(input_size))
        return replace(self, shortest=ends[0], longest=ends[1], interpolation=interpolation or self.interpolation)

    def spaced(self, spacing: Sequence[float], unit: str) -> Fitted:
        """The same for photos whose pixels lie `spacing` apart, one number or two."""
        vertical, horizontal = each_axis(spacing, 2)
        return replace(self, spacing=(vertical, horizontal), unit=unit)

    def grid(self, photo: Tensor | ImageFile) -> Grid:
        """Pixels of the prepared photo: one apart, or as far apart as the `spacing` of the photo's pixels implies."""
        return self._squashed(photo.shape).grid(photo)

    def __call__(self, photo: Tensor | ImageFile) -> Tensor:
        return self._squashed(photo.shape)(photo)

    def region(self, mask: Tensor) -> Tensor:
        """Where a region of a photo, boolean `(height, width)`, lies in the prepared one: `(1, height, width)`."""
        return self._squashed(mask.shape).region(mask)

    def box_in_photo(self, box: PlacedBox, shape: tuple[int, int]) -> PlacedBox:
        """Where a box of the prepared photo, ((top, bottom), (left, right)), lies in a photo `(height, width)`."""
        return self._squashed(shape).box_in_photo(box, shape)

    def _squashed(self, shape: Sequence[int]) -> Geometry:
        """The geometry that brings a photo of this shape, (…, height, width), to its size."""
        size = self.size(int(shape[-2]), int(shape[-1]))
        return Geometry(size, size, True, self.interpolation, self.spacing, self.unit)
