"""Maps under a Gaussian, so that their largest place is not a speck."""

from __future__ import annotations

import torch
from torch import Tensor


def smoothed(heat: Tensor, sigma: float) -> Tensor:
    """A Gaussian of so many pixels over a map `(height, width)`."""
    reach = int(3 * sigma)
    window = torch.exp(-(torch.arange(-reach, reach + 1, dtype=heat.dtype) ** 2) / (2 * sigma**2))
    window = window / window.sum()
    padded = torch.nn.functional.pad(heat[None, None], (reach,) * 4, mode="reflect")
    along = torch.nn.functional.conv2d(padded, window[None, None, None])
    found: Tensor = torch.nn.functional.conv2d(along, window[None, None, :, None])
    return found[0, 0]
