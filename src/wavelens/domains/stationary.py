"""The undecimated, shift-invariant wavelet transform of any number of axes (Nason and Silverman, 1995)."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import pywt
import torch
from torch import Tensor

from wavelens.core import (
    Band,
    Coefficients,
    Direction,
    Domain,
    Extent,
    Layout,
    Scale,
    level_scales,
    mixed_directions,
    signal_axes,
)
from wavelens.domains.dwt import FILTER_LENGTHS, scales_by_letter
from wavelens.domains.octaves import check_levels, fitting_levels, single


@dataclass(frozen=True)
class Stationary(Domain):
    """The stationary wavelet transform over every axis of a signal `(batch, channel, *axes)`, nothing left out.

    Every band has a coefficient for each sample, so a shifted signal has shifted coefficients, exactly. `wavelet` is
    any discrete wavelet of PyWavelets; signals are taken as periodic, and any length will do. The synthesis is the
    mean of all inverses. Filters are divided by √2 per axis and level, so that an orthogonal wavelet keeps the norm: a
    tight frame of `levels (2^axes − 1) + 1` coefficients per sample. They are those of `pywt.swtn(…, norm=True)`.

    `levels=None` takes those whose filter fits the shortest axis. Half-precision signals are transformed in float32.
    """

    wavelet: str = "haar"
    levels: int | None = None
    pyramid: ClassVar[bool] = False  # all bands are as large as the signal

    def __post_init__(self) -> None:
        if self.wavelet not in FILTER_LENGTHS:
            raise ValueError(
                f"wavelet is a discrete wavelet of PyWavelets, such as 'haar', 'db4', 'sym8' or 'bior2.4'; got "
                f"{self.wavelet!r}. See pywt.wavelist(kind='discrete')."
            )
        check_levels(self.levels)

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        levels = self._levels(signal_shape)
        first, *details = ("".join(key) for key in itertools.product("ad", repeat=len(signal_shape)))
        bands = [Band(level, key, signal_shape) for level in range(levels, 0, -1) for key in details]
        return Layout(self, signal_shape, (Band(levels, first, signal_shape), *bands))

    def scales(self, layout: Layout) -> tuple[Scale, ...]:
        levels, axes = layout.levels, len(layout.signal_shape)

        def extent(bands: tuple[Band, ...]) -> tuple[Extent, ...]:
            level = bands[0].level
            octave = Extent(0.5 / 2**level, 1 / 2**level) if bands[0].is_detail else Extent(0.0, 0.5 / 2**levels)
            return (octave,) * axes

        return level_scales(layout, extent)

    def scales_along(self, layout: Layout, axis: int) -> tuple[Scale, ...]:
        return scales_by_letter(layout, axis, layout.levels)

    def directions(self, band: Band, layout: Layout) -> tuple[Direction, ...]:
        return mixed_directions([letter == "d" for letter in band.key])

    def centres(self, band: Band, layout: Layout) -> tuple[Tensor, ...]:
        return tuple(torch.arange(n, dtype=torch.float64, device="cpu") for n in layout.signal_shape)

    def analysis(self, x: Tensor) -> Coefficients:
        return self._down(x, self.layout(signal_axes(x)), "dec")

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        return self._down(g, layout, "rec")

    def _down(self, x: Tensor, layout: Layout, side: str) -> Coefficients:
        shape = layout.signal_shape
        axes = tuple(range(-len(shape), 0))
        spectrum = torch.fft.rfftn(single(x), dim=axes)
        bands = (
            torch.fft.irfftn(self._passed(spectrum, band, layout, side), s=shape, dim=axes).flatten(axes[0])
            for band in layout.bands
        )
        return Coefficients(torch.cat(list(bands), -1).to(x.dtype), layout)

    def synthesis(self, c: Coefficients) -> Tensor:
        shape = c.layout.signal_shape
        axes = tuple(range(-len(shape), 0))
        spectra = (self._passed(torch.fft.rfftn(single(part), dim=axes), band, c.layout, "rec*") for band, part in c)
        signal: Tensor = torch.fft.irfftn(sum(spectra), s=shape, dim=axes).to(c.data.dtype)
        return signal

    def _passed(self, spectrum: Tensor, band: Band, layout: Layout, side: str) -> Tensor:
        """The spectrum through a band's filters along all axes; "rec*" is the adjoint of "rec"."""
        axes = len(layout.signal_shape)
        for k, (n, letter) in enumerate(zip(layout.signal_shape, band.key, strict=True)):
            response = _response(self.wavelet, side.removesuffix("*"), band.level, letter, n, k == axes - 1)
            response = response.conj() if side.endswith("*") else response
            spectrum = spectrum * response.to(spectrum).reshape(-1, *[1] * (axes - 1 - k))
        return spectrum

    def _levels(self, signal_shape: tuple[int, ...]) -> int:
        return fitting_levels(self.levels, signal_shape, FILTER_LENGTHS[self.wavelet])


@lru_cache(maxsize=512)
def _response(wavelet: str, side: str, level: int, letter: str, n: int, half: bool) -> Tensor:
    """The frequency response of all filters down to a band along one axis, for the adjoint's side "rec" conjugated.

    Coefficient t is `sum_k f[k] x[t + d (F / 2 − k)]` with the filter f dilated by d, as PyWavelets places it.
    """
    bank = pywt.Wavelet(wavelet)
    taps = FILTER_LENGTHS[wavelet]
    with torch.inference_mode(False):
        turns = torch.arange(n // 2 + 1 if half else n, dtype=torch.float64, device="cpu")
        response = torch.ones_like(turns, dtype=torch.complex128)
        for step in range(1, level + 1):
            low = letter == "a" or step < level
            filters = (bank.dec_lo if low else bank.dec_hi) if side == "dec" else (bank.rec_lo if low else bank.rec_hi)
            centre = taps // 2 if side == "dec" else taps // 2 - 1
            delays = torch.arange(taps, dtype=torch.float64, device="cpu") - centre
            places = (turns[:, None] * delays * 2 ** (step - 1)).remainder(n)  # whole turns go: exact for any dilation
            waves = torch.polar(torch.ones_like(places), -2 * math.pi / n * places)
            gain = waves @ torch.tensor(filters, dtype=torch.complex128, device="cpu") / math.sqrt(2)
            response = response * (gain if side == "dec" else gain.conj())
        return response
