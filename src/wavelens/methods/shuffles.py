"""Coefficients permuted within their bands: a start with a signal's statistics by scale, and none of its places."""

from __future__ import annotations

import torch
from torch import Tensor

from wavelens.core import Coefficients
from wavelens.methods.averages import generator

CPU = torch.device("cpu")
ROUNDING = 64  # units in the last place of an item's largest coefficient; what is below them is zero


def shuffled(c: Coefficients, *, seed: int, k: int) -> Tensor:
    """Coefficients permuted within each band, all channels alike, `(batch, channel, size)`.

    Coefficients that are zero in every channel stay where they are, and the others change places among themselves:
    silence stays where it is. The permutation depends on `seed`, the number `k` and on which are zero, so an item
    meets the same one alone and in any batch.
    """
    bands = torch.tensor([band.size for band in c.layout.bands], device="cpu")
    band = torch.arange(len(bands), dtype=torch.float64, device="cpu").repeat_interleave(bands)
    draws = torch.rand(c.layout.size, generator=generator(seed, k, CPU), dtype=torch.float64, device="cpu")
    drawn = (band + draws / 2).to(c.data.device)
    zero = ~present(c.data)
    if not zero.any():
        return c.data[..., drawn.argsort()]
    # by these keys the zeros of a band come last, in their order, and the others by place or at random
    place = torch.arange(c.layout.size, dtype=torch.float64, device="cpu") / c.layout.size
    low, high = (band + place / 2).to(drawn), (band + 0.5 + place / 2).to(drawn)
    by_place, at_random = (torch.where(zero, high, key).argsort(-1)[:, None].expand_as(c.data) for key in (low, drawn))
    return torch.empty_like(c.data).scatter_(-1, by_place, c.data.gather(-1, at_random))


def present(data: Tensor) -> Tensor:
    """Where coefficients `(batch, channel, size)` are not zero but for rounding in some channel, `(batch, size)`."""
    sizes = data.abs().amax(1)
    return sizes > ROUNDING * torch.finfo(data.dtype).eps * sizes.amax(-1, keepdim=True)
