"""`Mask`: coefficients between 0 and 1, and the signal that they leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from wavelens.core import Coefficients


@dataclass(frozen=True, eq=False, repr=False)
class Mask(Coefficients):
    """How much of each coefficient to keep, from 0 to 1; `data` of shape `(batch, 1 or channel, size)`.

    A batch of 1 serves every item, a channel of 1 every channel. With `targets.Several` there is one mask per target in
    front, in the data and in what `apply` gives. `ValueError` for values outside [0, 1].

    >>> c = wl.DWT("haar", levels=2).analysis(x)
    >>> mask = wl.masks.Mask(torch.ones_like(c.data), c.layout)
    >>> bool((mask.apply(x) - x).abs().max() < 1e-9)
    True
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data.numel() and not ((self.data >= 0) & (self.data <= 1)).all():
            low, high = torch.aminmax(self.data.detach())
            raise ValueError(
                f"a mask must lie between 0 and 1; got values from {low:g} to {high:g}. Clamp or rank them."
            )

    def complement(self) -> Mask:
        """What this mask drops, `1 - m`: both applied to a signal add up to it."""
        return Mask(1 - self.data, self.layout)

    def apply(self, x: Tensor, *, baseline: Tensor | float | Callable[[Tensor], Tensor] = 0.0) -> Tensor:
        """The signal `S(z₀ + m (z - z₀))`, shaped like `x`, `(batch, channel, *axes)`.

        `z` are the coefficients of `x`, `z₀` those of `baseline`, a number, what broadcasts to `x` or a function of
        `x`: dropped coefficients take its place. `ValueError` for a signal of another shape than the mask was made for.
        """
        baseline = baseline(x) if callable(baseline) else baseline
        return baseline + self.of(x - baseline).synthesis().to(x.dtype)

    def by_scale(self) -> dict[str, Tensor]:
        """How much is kept of each scale, the mean over its coefficients and channels, by name, `(…, batch)`."""
        means = {}
        for name, bands in self.layout.scales().items():
            means[name] = torch.cat([self.data[..., self.layout.slices[b]] for b in bands], -1).flatten(-2).mean(-1)
        return means

    def of(self, x: Tensor) -> Coefficients:
        """The masked coefficients of `x`, `m ⊙ W x`."""
        if x.ndim < 3 or x.shape[2:] != self.layout.signal_shape:
            raise ValueError(
                f"this mask is for signals (batch, channel, {', '.join(map(str, self.layout.signal_shape))}); got "
                f"{tuple(x.shape)}. Give the signal that was explained, or one of its shape."
            )
        z = self.layout.domain.analysis(x).data
        try:
            return Coefficients(self.data.to(z.device, z.real.dtype) * z, self.layout)
        except RuntimeError:
            raise ValueError(
                f"this mask is for (batch, channel) = {tuple(self.data.shape[-3:-1])}, where 1 serves all; got a "
                f"signal with {tuple(x.shape[:2])}. Make the mask from an attribution of this batch."
            ) from None
