"""Cycle spinning: a domain averaged over shifts of the signal (Coifman and Donoho, 1995)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from wavelens.bound import ItemDomain
from wavelens.core import Band, Coefficients, Direction, Domain, Extent, Layout, Scale, signal_axes
from wavelens.domains.dwt import DWT
from wavelens.domains.octaves import single
from wavelens.whole_numbers import is_whole


@dataclass(frozen=True)
class Shifted(Domain):
    """A domain of signals shifted around the circle, all shifts side by side.

    `shifts` are samples along every axis, or tuples with one number per axis. Coefficients are those of each shifted
    signal, divided by the root of their number, so an account is the mean of the accounts of shifted signals and a
    norm that the domain keeps is kept. Where an attribution lies then depends less on the grid of the wavelet: all
    2^levels shifts of a periodised DWT together are shift-invariant. Half-precision signals are transformed in float32.

    >>> domain = wl.Shifted(wl.DWT("haar", levels=2), shifts=(0, 1))
    >>> c = domain.analysis(x)
    >>> c.data.shape, bool((c.synthesis() - x).abs().max() < 1e-9)
    (torch.Size([1, 1, 128]), True)
    """

    domain: Domain = field(default_factory=DWT)
    shifts: tuple[int | tuple[int, ...], ...] = (0, 1)

    def __post_init__(self) -> None:
        if not isinstance(self.domain, Domain) or isinstance(self.domain, ItemDomain):
            raise ValueError(
                f"domain must be one whose samples can be shifted, such as DWT('haar'); got {self.domain!r}."
            )
        if not isinstance(self.shifts, tuple) or not all(map(_is_shift, self.shifts)):
            form = "a tuple of whole numbers, or of tuples with one per axis, such as (0, 1)"
            raise ValueError(f"shifts must be {form}; got {self.shifts!r:.80}.")
        if not self.shifts or len(set(self.shifts)) < len(self.shifts):
            raise ValueError(f"shifts must be one or more different numbers; got {self.shifts}.")

    def with_wavelet(self, wavelet: str) -> Shifted | None:
        inner = self.domain.with_wavelet(wavelet)
        return None if inner is None else replace(self, domain=inner)

    def with_levels(self, levels: tuple[int, ...]) -> Shifted:
        return replace(self, domain=self.domain.with_levels(levels))

    def within(self, signal_shape: tuple[int, ...]) -> Shifted:
        return replace(self, domain=self.domain.within(signal_shape))

    def period(self, layout: Layout) -> int:
        return self.domain.period(self._inner(layout))

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        inner = self.domain.layout(signal_shape)
        names = [f"shift {','.join(map(str, self._along(shift, len(signal_shape))))}" for shift in self.shifts]
        groups = [[replace(b, part=f"{b.part} {name}".strip()) for name in names] for b in inner.bands]
        return Layout(self, signal_shape, tuple(band for group in groups for band in group), inner.is_complex)

    def least_size(self, signal_shape: tuple[int, ...]) -> int:
        return len(self.shifts) * self.domain.least_size(signal_shape)

    def scales(self, layout: Layout) -> tuple[Scale, ...]:
        return self._scales(layout, self._inner(layout).scales().values())

    def scales_along(self, layout: Layout, axis: int) -> tuple[Scale, ...]:
        return self._scales(layout, self.domain.scales_along(self._inner(layout), axis))

    def directions(self, band: Band, layout: Layout) -> tuple[Direction, ...]:
        inner = self._inner(layout)
        return self.domain.directions(inner.bands[layout.bands.index(band) // len(self.shifts)], inner)

    def bins(self, band: Band, layout: Layout) -> tuple[Extent, ...]:
        inner = self._inner(layout)
        return self.domain.bins(inner.bands[layout.bands.index(band) // len(self.shifts)], inner)

    def centres(self, band: Band, layout: Layout) -> tuple[Tensor, ...]:
        inner = self._inner(layout)
        k, which = divmod(layout.bands.index(band), len(self.shifts))
        shift = self._along(self.shifts[which], len(layout.signal_shape))
        places = self.domain.centres(inner.bands[k], inner)
        return tuple((c - s).remainder(n) for c, s, n in zip(places, shift, layout.signal_shape, strict=True))

    def analysis(self, x: Tensor) -> Coefficients:
        layout = self.layout(signal_axes(x))
        parts = [self.domain.analysis(self._moved(single(x), shift)) for shift in self.shifts]
        return self._together(parts, layout, x.dtype)

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        inner, axes = self._inner(layout), len(layout.signal_shape)
        parts = [self.domain.adjoint(self._moved(single(g), shift, axes), inner) for shift in self.shifts]
        return self._together(parts, layout, g.dtype)

    def synthesis(self, c: Coefficients) -> Tensor:
        inner, count, axes = self._inner(c.layout), len(self.shifts), len(c.layout.signal_shape)
        sizes = [band.size for band in inner.bands for _ in self.shifts]
        pieces, total = single(c.data).split(sizes, -1), None
        for which, shift in enumerate(self.shifts):
            own = Coefficients(torch.cat(pieces[which::count], -1), inner)
            signal = self._moved(own.synthesis(), shift, axes, back=True)
            total = signal if total is None else total + signal
        assert total is not None
        signal = total / math.sqrt(count)
        return signal if inner.is_complex else signal.to(c.data.dtype)

    def _together(self, parts: list[Coefficients], layout: Layout, dtype: torch.dtype) -> Coefficients:
        """Band by band the shifts side by side."""
        sizes = [band.size for band in parts[0].layout.bands]
        columns = zip(*(part.data.split(sizes, -1) for part in parts), strict=True)
        packed = torch.cat([piece for column in columns for piece in column], -1)
        packed = packed / math.sqrt(len(parts))
        return Coefficients(packed if layout.is_complex else packed.to(dtype), layout)

    def _scales(self, layout: Layout, scales: Iterable[Scale]) -> tuple[Scale, ...]:
        inner, count = self._inner(layout), len(self.shifts)
        at = {band: layout.bands[count * k : count * (k + 1)] for k, band in enumerate(inner.bands)}
        return tuple(replace(s, bands=tuple(b for one in s for b in at[one])) for s in scales)

    def _inner(self, layout: Layout) -> Layout:
        return self.domain.layout(layout.signal_shape)

    def _moved(self, x: Tensor, shift: int | tuple[int, ...], axes: int | None = None, back: bool = False) -> Tensor:
        axes = x.ndim - 2 if axes is None else axes
        along = self._along(shift, axes)
        return x.roll([-s for s in along] if back else along, list(range(-axes, 0)))

    def _along(self, shift: int | tuple[int, ...], axes: int) -> tuple[int, ...]:
        along = shift if isinstance(shift, tuple) else (shift,) * axes
        if len(along) != axes:
            raise ValueError(f"a shift must be one number, or one per axis; got {shift} for a signal with {axes} axes.")
        return along


def _is_shift(shift: object) -> bool:
    return is_whole(shift) or (isinstance(shift, tuple) and all(map(is_whole, shift)))
