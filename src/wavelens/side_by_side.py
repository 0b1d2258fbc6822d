"""Several signals as one: their samples side by side, and each by its name again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor


def pack(signals: Iterable[Tensor]) -> Tensor:
    """Signals `(batch, channel, *axes)` as one, `(batch, 1, samples)`."""
    return torch.cat([x.flatten(1) for x in signals], 1)[:, None]


def unpack(x: Tensor, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """The signals of `(…, 1, samples)`, `(…, channel, *axes)` each, by their shapes `(channel, *axes)`."""
    pieces = x[..., 0, :].split([math.prod(shape) for shape in shapes.values()], -1)
    return {
        name: piece.reshape(*x.shape[:-2], *shape) for (name, shape), piece in zip(shapes.items(), pieces, strict=True)
    }
