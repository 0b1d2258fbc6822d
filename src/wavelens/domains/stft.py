"""The short-time Fourier transform along the last axis as a tight frame (Gabor, 1946; Daubechies et al., 1986)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from wavelens.core import Band, Coefficients, Domain, Extent, Layout, Scale, signal_axes
from wavelens.domains.octaves import ROUNDING, count_octaves, even_bins, one_sided, single

MAX_LENGTH = 2**22  # samples of a window
WINDOWS = {"hann": torch.hann_window, "hamming": torch.hamming_window, "blackman": torch.blackman_window}


@dataclass(frozen=True)
class STFT(Domain):
    """The short-time Fourier transform over the last axis of a signal `(batch, channel, *axes)`.

    Frame m is the signal times `window`, "hann", "hamming" or "blackman" of `length` samples, `hop` samples after frame
    m − 1 (None: a quarter of the length), and its one-sided unitary Fourier transform. Frames hang over both ends as
    far as they still touch the signal, and every sample is divided by the root of the sum of the squared windows over
    it. So any length of signal is rebuilt exactly, its ends too, and the transform keeps the norm: a tight frame of
    about `length / hop` real numbers per sample. A hop that leaves samples without a window is a `ValueError`.

    A band's shape is `(frequencies, *other axes, frames)`. Scales are octaves of the window's frequencies, 'd1' from
    1/4 to 1/2 cycles per sample; the lowest two bins are 'a'.

    >>> tone = torch.sin(torch.arange(64.0))[None, None]
    >>> c = wl.STFT("hann", length=16).analysis(tone)
    >>> bool((c.synthesis() - tone).abs().max() < 1e-5)
    True
    """

    window: str = "hann"
    length: int = 512
    hop: int | None = None

    def __post_init__(self) -> None:
        if self.window not in WINDOWS:
            raise ValueError(f"window is one of {', '.join(WINDOWS)}; got {self.window!r}.")
        if not isinstance(self.length, int) or not 2 <= self.length <= MAX_LENGTH:
            raise ValueError(f"length is a whole number of samples from 2 to {MAX_LENGTH}; got {self.length!r}.")
        if self.hop is not None and (not isinstance(self.hop, int) or not 1 <= self.hop <= self.length):
            raise ValueError(f"hop is a whole number of samples from 1 to the length, or None; got {self.hop!r}.")
        if _least_covered(self) < ROUNDING:
            raise ValueError(f"{self} leaves samples without a window; take a hop of at most {self.length // 2}.")

    @property
    def step(self) -> int:
        """Samples from one frame to the next."""
        return self.hop or max(1, self.length // 4)

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        *others, n = signal_shape
        frames, levels = self._frames(n), self._levels
        kinds = [(levels, "a"), *((level, "d") for level in range(levels, 0, -1))]
        bins = zip(kinds, self._bins, strict=True)
        bands = tuple(Band(level, key, (stop - start, *others, frames)) for (level, key), (start, stop) in bins)
        return Layout(self, signal_shape, bands, is_complex=True)

    def scales(self, layout: Layout) -> tuple[Scale, ...]:
        others = (Extent(0.0, 0.5),) * (len(layout.signal_shape) - 1)
        return tuple(
            Scale(str(band), (band,), rank, (*others, extent), band.is_detail)
            for rank, (band, extent) in enumerate(zip(layout.bands, self._extents, strict=True))
        )

    def scales_along(self, layout: Layout, axis: int) -> tuple[Scale, ...]:
        if axis % len(layout.signal_shape) != len(layout.signal_shape) - 1:
            return (Scale("a", layout.bands, 0, (Extent(0.0, 0.5),), is_detail=False),)
        pairs = enumerate(zip(layout.bands, self._extents, strict=True))
        return tuple(Scale(str(b), (b,), rank, (extent,), b.is_detail) for rank, (b, extent) in pairs)

    def centres(self, band: Band, layout: Layout) -> tuple[Tensor, ...]:
        n, frames = layout.signal_shape[-1], band.shape[-1]
        starts = torch.arange(frames, dtype=torch.float64, device="cpu") * self.step - self._before
        *others, _ = super().centres(band, layout)
        return (*others, (starts + (self.length - 1) / 2).clamp(0, n - 1))

    def bins(self, band: Band, layout: Layout) -> tuple[Extent, ...]:
        return even_bins(*self._bins[layout.bands.index(band)], 1 / self.length)

    def analysis(self, x: Tensor) -> Coefficients:
        return self._transformed(x, self.layout(signal_axes(x)))

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        return self._transformed(g, layout)

    def _transformed(self, x: Tensor, layout: Layout) -> Coefficients:
        n, frames = layout.signal_shape[-1], layout.bands[0].shape[-1]
        wide = single(x) / self._root(n, x)
        after = (frames - 1) * self.step + self.length - self._before - n
        framed = torch.nn.functional.pad(wide, (self._before, after)).unfold(-1, self.length, self.step)
        spectra = torch.fft.rfft(framed * self._window(wide), norm="ortho") * one_sided(self.length, wide)
        bins = spectra.movedim(-1, -1 - len(layout.signal_shape))  # (…, bins, *other axes, frames)
        pieces = [
            bins.narrow(-1 - len(layout.signal_shape), a, b - a).flatten(-1 - len(layout.signal_shape))
            for a, b in self._bins
        ]
        return Coefficients(torch.cat(pieces, -1), layout)

    def synthesis(self, c: Coefficients) -> Tensor:
        shape, frames = c.layout.signal_shape, c.layout.bands[0].shape[-1]
        axis, n = -1 - len(shape), shape[-1]
        bins = torch.cat([part for _, part in c], axis).movedim(axis, -1)
        real = c.data.real
        spectra = bins / one_sided(self.length, real)
        framed = torch.fft.irfft(spectra, self.length, norm="ortho") * self._window(real)
        total = (frames - 1) * self.step + self.length
        columns = framed.flatten(0, -3).transpose(-2, -1)
        added = torch.nn.functional.fold(columns, (1, total), (1, self.length), stride=(1, self.step))
        signal = added.reshape(*framed.shape[:-2], total)[..., self._before : self._before + n]
        return signal / self._root(n, real)

    @property
    def _before(self) -> int:
        """Samples that the first frame hangs over the start: all frames that touch the signal are there."""
        return (self.length - 1) // self.step * self.step

    def _frames(self, n: int) -> int:
        return (self._before + n - 1) // self.step + 1

    def _window(self, like: Tensor) -> Tensor:
        return _windowed(self.window, self.length).to(like)

    def _root(self, n: int, like: Tensor) -> Tensor:
        dtype = torch.float32 if like.dtype in (torch.float16, torch.bfloat16) else like.dtype
        return _covered(self, n).sqrt().to(like.device, dtype)

    @property
    def _levels(self) -> int:
        return max(1, count_octaves(self.length) - 1)

    @property
    def _bins(self) -> list[tuple[int, int]]:
        """The bins of each band, coarsest first; an octave holds its upper end."""
        stops = [math.floor(self.length * 0.5 / 2**level + ROUNDING) + 1 for level in range(self._levels, -1, -1)]
        return list(zip([0, *stops[:-1]], stops, strict=True))

    @property
    def _extents(self) -> list[Extent]:
        levels = self._levels
        octaves = [Extent(0.5 / 2**level, 1 / 2**level) for level in range(levels, 0, -1)]
        return [Extent(0.0, 0.5 / 2**levels), *octaves]


@lru_cache(maxsize=32)
def _windowed(window: str, length: int) -> Tensor:
    with torch.inference_mode(False):
        return WINDOWS[window](length, dtype=torch.float64, device="cpu")


def _least_covered(domain: STFT) -> float:
    """The least sum of the squared windows over a sample far from the ends."""
    squares = _windowed(domain.window, domain.length).square()
    padded = torch.nn.functional.pad(squares, (0, -domain.length % domain.step))
    return float(padded.view(-1, domain.step).sum(0).min())


@lru_cache(maxsize=64)
def _covered(domain: STFT, n: int) -> Tensor:
    """The sum of the squared windows over each sample."""
    squares, starts = _windowed(domain.window, domain.length).square(), domain._before
    with torch.inference_mode(False):
        frames = squares.expand(domain._frames(n), -1).T[None]
        total = (domain._frames(n) - 1) * domain.step + domain.length
        added = torch.nn.functional.fold(frames, (1, total), (1, domain.length), stride=(1, domain.step)).flatten()
        return added[starts : starts + n].clone()
