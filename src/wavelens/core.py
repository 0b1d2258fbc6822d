"""The nouns of the library: a domain, its bands, their layout, and coefficients.

A domain is a linear map with a left inverse. Everything else (methods, metrics, maps, plots) speaks of domains only
through the classes of this file, so it is the one to read first.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Band:
    """Coefficients that share a scale and an orientation.

    `level` counts scales from the finest, 1. `key` has one letter an axis as in PyWavelets: 'a' for the
    approximation (low-pass), 'd' for the detail (high-pass); the identity has the empty key. `shape` is the shape
    of the band, without the batch.
    """

    level: int
    key: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def is_detail(self) -> bool:
        return "d" in self.key

    def __str__(self) -> str:
        return f"{self.key or 'x'}{self.level or ''}"


@dataclass(frozen=True)
class Layout:
    """Which slice of a packed tensor is which band; made by a domain for one shape of signal."""

    domain: Domain
    signal_shape: tuple[int, ...]
    bands: tuple[Band, ...]

    @cached_property
    def slices(self) -> dict[Band, slice]:
        found, start = {}, 0
        for band in self.bands:
            found[band] = slice(start, start + band.size)
            start += band.size
        return found

    @property
    def size(self) -> int:
        return sum(band.size for band in self.bands)

    @property
    def levels(self) -> int:
        return self.bands[0].level  # coarsest first

    def scales(self) -> dict[str, tuple[Band, ...]]:
        """The bands of each scale, coarsest first: the approximation ('a3'), then the details ('d3', 'd2', 'd1')."""
        groups: dict[str, tuple[Band, ...]] = {}
        for band in self.bands:
            name = f"d{band.level}" if band.is_detail else str(Band(band.level, band.key[:1], ()))
            groups[name] = (*groups.get(name, ()), band)
        return groups


@dataclass(frozen=True, eq=False, repr=False)
class Coefficients:
    """Coefficients, an attribution or a mask: one packed tensor and the layout that says what is what.

    `data` has shape `(*batch, size)`; for a signal `(batch, channel, *axes)` that is `(batch, channel, size)`.
    `c[band]` is a view of shape `(*batch, *band.shape)`.
    """

    data: Tensor
    layout: Layout

    def __post_init__(self) -> None:
        if self.data.shape[-1] != self.layout.size:
            raise ValueError(
                f"data of shape (*batch, {self.layout.size}) fits this layout; got {tuple(self.data.shape)}. "
                "Take the layout from the same domain and signal shape as the data."
            )

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={text}" for name in ("method", "target") if (text := getattr(self, name, "")))
        place = f"{tuple(self.data.shape)}, signal {self.layout.signal_shape} in {self.layout.domain}"
        return f"<{type(self).__name__} {place}{said and f'; {said}'}>"

    def __getitem__(self, band: Band) -> Tensor:
        return self.data[..., self.layout.slices[band]].view(*self.data.shape[:-1], *band.shape)

    def __iter__(self) -> Iterator[tuple[Band, Tensor]]:
        return ((band, self[band]) for band in self.layout.bands)

    def map(self, function: Callable[[Tensor], Tensor]) -> Coefficients:
        """The same layout with `function(data)`; the function must keep the last dimension."""
        return Coefficients(function(self.data), self.layout)

    def only(self, *bands: Band) -> Coefficients:
        """A copy that is zero outside `bands`."""
        kept = torch.zeros_like(self.data)
        for band in bands:
            piece = self.layout.slices[band]
            kept[..., piece] = self.data[..., piece]
        return Coefficients(kept, self.layout)

    def synthesis(self) -> Tensor:
        """The signal with these coefficients, `(*batch, *axes)`."""
        return self.layout.domain.synthesis(Coefficients(self.data, self.layout))


@dataclass(frozen=True)
class Domain(ABC):
    """A linear map to coefficients with a left inverse: `synthesis(analysis(x)) == x`.

    Subclasses are frozen dataclasses of literals, without device, shape or state. Two methods make a domain; the
    adjoint has a default through autograd, a closed form is faster.
    """

    @abstractmethod
    def analysis(self, x: Tensor) -> Coefficients:
        """Coefficients of a signal `(batch, channel, *axes)`; any number of axes."""

    @abstractmethod
    def synthesis(self, c: Coefficients) -> Tensor:
        """The signal `(batch, channel, *axes)` with coefficients `c`; `c.layout` gives the shape."""

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        """The transposed synthesis of `g`, a tensor shaped like the signal: the pullback of a gradient."""
        zero = g.new_zeros((*g.shape[: g.ndim - len(layout.signal_shape)], layout.size)).requires_grad_()
        with torch.enable_grad():
            signal = self.synthesis(Coefficients(zero, layout))
            (pulled,) = torch.autograd.grad(signal, zero, g, create_graph=g.requires_grad)
        return Coefficients(pulled, layout)

    def centres(self, band: Band, layout: Layout) -> tuple[Tensor, ...]:
        """Where the coefficients of a band lie, in samples, axis by axis: evenly spread, unless a domain knows."""
        pairs = zip(layout.signal_shape, band.shape, strict=True)
        return tuple((torch.arange(m, dtype=torch.float64, device="cpu") + 0.5) * (n / m) - 0.5 for n, m in pairs)


def band_sums(c: Coefficients) -> Tensor:
    """The sum of each band over its places, `(*batch, bands)` in the layout's order."""
    return torch.stack([c.data[..., piece].sum(-1) for piece in c.layout.slices.values()], -1)


def scale_sums(bands: Tensor, layout: Layout) -> Tensor:
    """Sums over the bands of each scale, `(…, bands)` to `(…, scales)`, coarsest first."""
    counts = [len(group) for group in layout.scales().values()]
    return torch.stack([part.sum(-1) for part in bands.split(counts, -1)], -1)


def signal_axes(x: Tensor) -> tuple[int, ...]:
    """The axes' lengths of a signal `(batch, channel, *axes)`; `ValueError` for anything that is no signal."""
    if not isinstance(x, Tensor):
        raise TypeError(
            f"a signal is a tensor (batch, channel, *axes); got {type(x).__name__}. Try torch.as_tensor(x)."
        )
    if x.ndim < 3:
        raise ValueError(
            f"a signal is a tensor (batch, channel, *axes); got {tuple(x.shape)}. Add the missing batch or channel "
            "dimension with x[None]."
        )
    if 0 in x.shape:
        raise ValueError(
            f"a signal (batch, channel, *axes) is without empty dimensions; got {tuple(x.shape)}, which holds nothing."
        )
    if not x.is_floating_point():
        raise ValueError(f"a signal is of floating-point numbers; got {x.dtype}. Give x / 255 of bytes, or x.float().")
    return tuple(x.shape[2:])
