"""Pixels, samples, voxels: the signal itself as a domain, so that pixel methods need no second version of anything."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from wavelens.core import Band, Coefficients, Domain, Extent, Layout, Scale, signal_axes

WHOLE = Extent(0.0, 0.5)  # cycles per sample: all frequencies


@dataclass(frozen=True)
class Identity(Domain):
    """The signal's own samples as coefficients: one band, level 0, empty key.

    >>> c = wl.Identity().analysis(x)
    >>> c.data.shape, bool((c.synthesis() - x).abs().max() < 1e-9)
    (torch.Size([1, 1, 64]), True)
    """

    def analysis(self, x: Tensor) -> Coefficients:
        return Coefficients(x.flatten(2), self.layout(signal_axes(x)))

    def synthesis(self, c: Coefficients) -> Tensor:
        return c.data.reshape(*c.data.shape[:-1], *c.layout.signal_shape)

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        """The layout for signals with these axes."""
        return Layout(self, signal_shape, (Band(0, "", signal_shape),))

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        return Coefficients(g.flatten(g.ndim - len(layout.signal_shape)), layout)

    def scales(self, layout: Layout) -> tuple[Scale, ...]:
        return (Scale("x", layout.bands, 0, (WHOLE,) * len(layout.signal_shape), is_detail=False),)

    def scales_along(self, layout: Layout, axis: int) -> tuple[Scale, ...]:
        return (Scale("a", layout.bands, 0, (WHOLE,), is_detail=False),)
