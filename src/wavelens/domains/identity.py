"""Pixels, samples, voxels: the signal itself as a domain, so that pixel methods need no second version of anything."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from wavelens.core import Band, Coefficients, Domain, Layout, signal_axes


@dataclass(frozen=True)
class Identity(Domain):
    """The signal's own samples as coefficients: one band, level 0, empty key."""

    def analysis(self, x: Tensor) -> Coefficients:
        shape = signal_axes(x)
        return Coefficients(x.flatten(2), Layout(self, shape, (Band(0, "", shape),)))

    def synthesis(self, c: Coefficients) -> Tensor:
        return c.data.reshape(*c.data.shape[:-1], *c.layout.signal_shape)

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        return Coefficients(g.flatten(g.ndim - len(layout.signal_shape)), layout)
