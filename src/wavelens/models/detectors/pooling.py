"""RoIAlign by `grid_sample`: the maps of a pyramid at boxes, differentiable in the maps and in the boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


def pooled(pool: Any, features: dict[str, Tensor], boxes: Sequence[Tensor], shape: tuple[int, int]) -> Tensor:
    """What torchvision's `MultiScaleRoIAlign` `pool` gives for the boxes of each picture: `(boxes, channels, *size)`.

    `features` are maps by name `(batch, channels, *axes)`, `boxes` `(n, 4)` for each picture in its pixels, `shape` the
    pictures' (height, width). RoIAlign (He et al., 2017) is a mean of bilinear samples, so it needs no compiled
    operator, and unlike torchvision's it has a gradient with respect to the boxes too.
    """
    if pool.sampling_ratio < 1:
        raise ValueError(
            "a detector's RoIAlign must have a fixed number of samples (sampling_ratio from 1); got "
            f"{pool.sampling_ratio}."
        )
    levels = [features[name] for name in pool.featmap_names if name in features]
    scales = [_scale(level, shape) for level in levels]
    return torch.cat([_of_picture(pool, [one[k] for one in levels], scales, own) for k, own in enumerate(boxes)])


def _scale(level: Tensor, shape: tuple[int, int]) -> float:
    """The samples of a map for each pixel: a power of two, as torchvision has it."""
    return float(2.0 ** round(math.log2(level.shape[-2] / shape[0])))


def _of_picture(pool: Any, levels: Sequence[Tensor], scales: Sequence[float], boxes: Tensor) -> Tensor:
    rows, columns = pool.output_size
    out = boxes.new_zeros(len(boxes), levels[0].shape[0], rows, columns)
    chosen = _levels(pool, scales, boxes.detach())
    for k, (level, scale) in enumerate(zip(levels, scales, strict=True)):
        own = (chosen == k).nonzero()[:, 0]
        if len(own):
            means = _aligned(level, boxes[own] * scale, (rows, columns), pool.sampling_ratio)
            out = out.index_put((own,), means.to(out))
    return out


def _levels(pool: Any, scales: Sequence[float], boxes: Tensor) -> Tensor:
    """The map on which a box of its size is looked up (eq. 1 of Lin et al., 2017), counted from the finest."""
    first, last = -math.log2(scales[0]), -math.log2(scales[-1])
    sides = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sqrt()
    levels = torch.floor(pool.canonical_level + torch.log2(sides / pool.canonical_scale) + 1e-6)
    return (levels.clamp(first, last) - first).long()


def _aligned(level: Tensor, boxes: Tensor, size: tuple[int, int], ratio: int) -> Tensor:
    """Means of `ratio` × `ratio` samples in each cell of a grid over boxes `(n, 4)`, in the samples of the map."""
    start, extent = boxes[:, :2], (boxes[:, 2:] - boxes[:, :2]).clamp_min(1)
    x, y = (
        start[:, k, None] + extent[:, k, None] * (torch.arange(n * ratio).to(boxes) + 0.5) / (n * ratio)
        for k, n in ((0, size[1]), (1, size[0]))
    )
    values = _sampled(level, y, x)  # (channels, n, rows · ratio, columns · ratio)
    means = nn.functional.avg_pool2d(values.flatten(0, 1)[:, None], ratio)[:, 0]
    cells: Tensor = means.unflatten(0, values.shape[:2]).movedim(0, 1)
    return cells


def _sampled(level: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Bilinear samples at all pairs of `y` `(n, rows)` and `x` `(n, columns)`; 0 more than a sample outside the map."""
    height, width = level.shape[-2:]
    inside = ((y >= -1) & (y <= height))[:, :, None] & ((x >= -1) & (x <= width))[:, None, :]
    places = torch.stack(torch.broadcast_tensors(_unit(x, width)[:, None, :], _unit(y, height)[:, :, None]), -1)
    flat = places.flatten(0, 1)[None]  # one picture with the rows of all boxes under each other
    values = nn.functional.grid_sample(level[None], flat, "bilinear", "border", align_corners=True)[0]
    samples: Tensor = values.unflatten(1, (len(y), y.shape[1])) * inside
    return samples


def _unit(places: Tensor, count: int) -> Tensor:
    """Samples 0 to count − 1 as -1 to 1."""
    return 2 * places / max(count - 1, 1) - 1
