"""How a picture becomes a network's input: its geometry, and the normalisation of its samples.

Preparation is split in two. Geometry (resize and centre crop) happens before the differentiated function;
normalisation happens inside the module, so that an attribution refers to pixels in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from wavelens.field_types import check_fields
from wavelens.frontends.image import ImageFile
from wavelens.frontends.pictures import Box
from wavelens.grid import Grid, each_axis
from wavelens.models.options import SQUASH
from wavelens.models.weights import Around

FILTERS = tuple(filter.name.lower() for filter in Image.Resampling)
PlacedBox = tuple[tuple[float, float], tuple[float, float]]  # (top, bottom), (left, right)
REDUCING_GAP = 2  # a large JPEG is decoded at this times the resized size or more, as Pillow's thumbnails are


@dataclass(frozen=True)
class Geometry:
    """Resizes a photo `(1, 3, height, width)` and crops its centre: `geometry(photo)` is `(1, 3, *crop)` in [0, 1].

    Of an `ImageFile`, no more is decoded than that needs: a JPEG of 2²⁴ pixels or more at a fraction of its size, which
    changes pixels by up to 2/255 (5/255 at an edge that is no multiple of 8); any other file gives the values of its
    tensor.
    `resize` and `crop` are (height, width). With `squash` the photo gets exactly the size `resize`; otherwise it
    keeps its proportions and gets the smallest size that covers `resize`. `interpolation` names a filter of Pillow.
    `spacing` is how far apart the pixels of the photos lie in `unit` (their ground sampling distance in metres, say),
    along height and width; scales then have that unit, whatever the photo is resized to. A georeferenced `ImageFile`
    says its own metres, where rasterio is installed.
    """

    resize: tuple[int, int] = (256, 256)
    crop: tuple[int, int] = (224, 224)
    squash: bool = False
    interpolation: str = "bicubic"
    spacing: tuple[float, float] | None = None
    unit: str = "px"
    kind: ClassVar[str] = "photo"
    takes_files: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_fields(self)
        if not all(0 < crop <= resize for crop, resize in zip(self.crop, self.resize, strict=True)):
            raise ValueError(f"a crop must lie inside the resized photo; got crop={self.crop} of resize={self.resize}.")
        if self.interpolation not in FILTERS:
            raise ValueError(f"interpolation must be one of {', '.join(FILTERS)}; got {self.interpolation!r}.")
        if self.spacing is not None:
            Grid(self.spacing, (self.unit,) * 2)

    @property
    def shape(self) -> tuple[int, int, int]:
        return (3, *self.crop)

    def adapted(
        self,
        input_size: tuple[int, int] | None = None,
        crop: float | str | None = None,
        interpolation: str | None = None,
    ) -> Geometry:
        """The same for another input size, share of the resized photo that is cropped, or filter.

        A `crop` of 'squash' resizes to the input size, whatever the proportions.
        """
        height, width = input_size or self.crop
        if isinstance(crop, str):
            resize = height, width
        elif crop is not None:
            resize = int(height / crop), int(width / crop)
        else:
            resize = self.resize[0] * height // self.crop[0], self.resize[1] * width // self.crop[1]
        squash = self.squash if crop is None else crop == SQUASH
        return replace(
            self, resize=resize, crop=(height, width), squash=squash, interpolation=interpolation or self.interpolation
        )

    def spaced(self, spacing: Sequence[float], unit: str) -> Geometry:
        """The same for photos whose pixels lie `spacing` apart, one number or two."""
        vertical, horizontal = each_axis(spacing, 2)
        return replace(self, spacing=(vertical, horizontal), unit=unit)

    def grid(self, photo: Tensor | ImageFile) -> Grid:
        """Pixels of the prepared photo: one apart, or as far apart as the `spacing` of the photo's pixels implies."""
        spacing, unit = self.spacing, self.unit
        if spacing is None and isinstance(photo, ImageFile):
            spacing, unit = photo.ground_spacing, "m"
        if spacing is None:
            return Grid.plain(2)
        triples = zip(spacing, photo.shape[-2:], self._full(*photo.shape[-2:]), strict=True)
        return Grid(tuple(step * n / full for step, n, full in triples), (unit,) * 2)

    def __call__(self, photo: Tensor | ImageFile) -> Tensor:
        if len(photo.shape) != 4 or photo.shape[:2] != (1, 3):
            raise ValueError(f"a photo must be (1, 3, height, width); got {tuple(photo.shape)}. Prepare one at a time.")
        box = self.box(*photo.shape[2:])
        if isinstance(photo, ImageFile):
            channels = self._decoded(photo, box)
        else:
            channels = [self._resample(channel, box) for channel in photo[0].float().cpu().numpy()]
        return torch.from_numpy(np.stack(channels))[None].clamp(0, 1)

    def _decoded(self, photo: ImageFile, box: Box) -> list[Any]:
        """The channels of a file, narrowed strip by strip so that never a whole one is in memory as floats.

        Pillow resizes along rows first and along columns then; each alone gives the same bits as both together.
        """
        height, width = (REDUCING_GAP * n for n in self._full(photo.height, photo.width))
        picture = photo.decoded(at_least=(height, width))
        place = picture.place(box, (photo.height, photo.width))
        narrow = np.empty((3, picture.size[0], self.crop[1]), np.float32)
        for rows, colours in picture.strips():
            size = (rows.stop - rows.start, self.crop[1])
            part = place._replace(upper=0, lower=size[0])
            narrow[:, rows] = [self._resized(channel, size, part) for channel in colours]
        return [self._resample(channel, place._replace(left=0, right=self.crop[1])) for channel in narrow]

    def region(self, mask: Tensor) -> Tensor:
        """Where a region of a photo, boolean `(height, width)`, lies in the prepared one: `(1, *crop)`.

        A pixel belongs to the region if any pixel of the region falls there, so that nothing is too small to be found
        again; in an enlarged photo, if the nearest pixel belongs to it.
        """
        area = replace(self, interpolation="box")
        return torch.from_numpy(area._resample(mask.float().cpu().numpy(), self.box(*mask.shape)) > 0)[None]

    def box_in_photo(self, box: PlacedBox, shape: tuple[int, int]) -> PlacedBox:
        """Where a box of the prepared photo, ((top, bottom), (left, right)), lies in a photo `(height, width)`."""
        place = self.box(*shape)
        down, right = (place.lower - place.upper) / self.crop[0], (place.right - place.left) / self.crop[1]
        (top, bottom), (left, end) = box
        return (
            (place.upper + top * down, place.upper + bottom * down),
            (place.left + left * right, place.left + end * right),
        )

    def box(self, height: int, width: int) -> Box:
        """The crop in coordinates of the photo (left, upper, right, lower): only what is kept is ever resized."""
        full = self._full(height, width)
        top, left = (round((f - c) / 2) for f, c in zip(full, self.crop, strict=True))
        vertical, horizontal = height / full[0], width / full[1]
        lower, right = (top + self.crop[0]) * vertical, (left + self.crop[1]) * horizontal
        return Box(left * horizontal, top * vertical, min(right, width), min(lower, height))

    def _full(self, height: int, width: int) -> tuple[int, int]:
        """The size of the resized photo, before it is cropped."""
        return self.resize if self.squash else _cover(self.resize, height, width)

    def _resample(self, channel: Any, box: Box) -> Any:
        return self._resized(channel, self.crop, box)

    def _resized(self, channel: Any, size: tuple[int, int], box: Box) -> Any:
        """The part of a channel in `box`, at this (height, width)."""
        filter = Image.Resampling[self.interpolation.upper()]
        return np.asarray(Image.fromarray(channel).resize(size[::-1], filter, box))


def _cover(target: tuple[int, int], height: int, width: int) -> tuple[int, int]:
    """The smallest size with the proportions of the photo that covers `target`, fractions of a pixel dropped."""
    if target[0] * width <= target[1] * height:
        return target[1] * height // width, target[1]
    return target[0], target[0] * width // height


def geometry_of(shape: tuple[int | None, ...]) -> Geometry:
    """The usual preparation at the size of a batch `(batch, channel, *axes)` that a file was made for, None if free."""
    default = Geometry()
    if len(shape) != 4 or shape[2] is None or shape[3] is None:
        return default
    crop = shape[2], shape[3]
    full = [round(n * a / b) for n, a, b in zip(crop, default.resize, default.crop, strict=True)]
    return Geometry((full[0], full[1]), crop)


class Normalized(Around):
    """`module` behind its normalisation: takes pixels in [0, 1] and gives the module `(x - mean) / std`."""

    mean: Tensor
    std: Tensor

    def __init__(self, module: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__(module)
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Any:
        shape = (1, -1, *[1] * (x.ndim - 2))  # photos, or videos with their time axis
        return self.module((x - self.mean.view(shape)) / self.std.view(shape))


def renormalized(module: nn.Module, mean: tuple[float, ...] | None, std: tuple[float, ...] | None) -> Normalized:
    """A module for photos behind another normalisation than it has; a mean or deviation that is None stays."""
    own = module if isinstance(module, Normalized) else Normalized(module, (0.0,) * 3, (1.0,) * 3)
    before = tuple(own.mean.flatten().tolist()), tuple(own.std.flatten().tolist())
    return Normalized(own.module, mean or before[0], std or before[1])
