"""The short-time Fourier transform along the last axis as a tight frame (Gabor, 1946; Daubechies et al., 1986)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

import torch
from torch import Tensor

from wavelens.core import Band, Coefficients, Domain, Extent, Layout, Scale, signal_axes
from wavelens.domains.linear import linear
from wavelens.domains.octaves import ROUNDING, count_octaves, even_bins, single
from wavelens.field_types import check_fields
from wavelens.whole_numbers import is_whole

MAX_LENGTH = 2**22  # samples of a window
SLAB = 2**17  # samples of frames
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
        check_fields(self)
        if self.window not in WINDOWS:
            raise ValueError(f"window must be one of {', '.join(WINDOWS)}; got {self.window!r}.")
        if not is_whole(self.length, 2, MAX_LENGTH):
            raise ValueError(f"length must be a whole number of samples from 2 to {MAX_LENGTH}; got {self.length!r}.")
        if self.hop is not None and not is_whole(self.hop, 1, self.length):
            raise ValueError(f"hop must be a whole number of samples from 1 to the length, or None; got {self.hop!r}.")
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
        return self.adjoint(x, self.layout(signal_axes(x)))

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        shape = layout.signal_shape
        return Coefficients(linear(g, partial(self._down, shape), partial(self._up, shape)), layout)

    def synthesis(self, c: Coefficients) -> Tensor:
        shape = c.layout.signal_shape
        return linear(c.data, partial(self._up, shape), partial(self._down, shape))

    def _down(self, shape: tuple[int, ...], x: Tensor) -> Tensor:
        *others, n = shape
        wide, frames, bins = single(x), self._frames(n), self.length // 2 + 1
        lead, before = x.shape[: x.ndim - len(shape)], self._before
        padded = wide.new_empty((lead.numel(), math.prod(others), (frames - 1) * self.step + self.length))
        padded[..., :before] = padded[..., before + n :] = 0
        padded[..., before : before + n] = wide.reshape(*padded.shape[:2], n) / self._root(n, wide)
        framed, window = padded.unfold(-1, self.length, self.step), self._window(wide) * math.sqrt(2)
        packed = wide.new_empty((len(padded), bins, framed.shape[1] * frames), dtype=wide.dtype.to_complex())
        for some in self._slabs(framed):
            spectra = torch.fft.rfft(framed[some] * window, norm="ortho")
            spectra[..., self._unpaired] *= math.sqrt(0.5)
            for target, own in zip(packed[some], spectra.flatten(1, 2), strict=True):
                target.copy_(own.T)  # of matrices, each in one piece: torch transposes those by blocks
        return packed.reshape(*lead, -1)

    def _up(self, shape: tuple[int, ...], data: Tensor) -> Tensor:
        *others, n = shape
        frames, bins = self._frames(n), self.length // 2 + 1
        packed = data.reshape(-1, bins, math.prod(others) * frames)
        window = self._window(data.real) * math.sqrt(0.5)
        blocks = frames + -(-self.length // self.step) - 1
        total = window.new_zeros((len(packed), math.prod(others), blocks, self.step))
        for some in self._slabs(packed):
            spectra = packed.new_empty((some.stop - some.start, packed.shape[2], bins))
            for target, own in zip(spectra, packed[some], strict=True):
                target.copy_(own.T)
            spectra[..., self._unpaired] *= math.sqrt(2)
            framed = torch.fft.irfft(spectra, self.length, norm="ortho") * window
            for k, part in enumerate(framed.unflatten(1, (-1, frames)).split(self.step, -1)):
                total[some, :, k : k + frames, : part.shape[-1]] += part
        signal = total.flatten(2)[..., self._before : self._before + n] / self._root(n, window)
        return signal.reshape(*data.shape[:-1], *shape)

    def _slabs(self, rows: Tensor) -> Iterator[slice]:
        """Rows that a CPU takes at a time, so that what lies between the steps stays in its cache."""
        count = max(1, SLAB // rows[0].numel()) if rows.device.type == "cpu" else len(rows)
        return (slice(start, min(start + count, len(rows))) for start in range(0, len(rows), count))

    @property
    def _unpaired(self) -> slice:
        """The bins without a conjugate that is left out: the first, and the last of an even length."""
        return slice(0, None, self.length // 2 if self.length % 2 == 0 else self.length)

    @property
    def _before(self) -> int:
        """Samples that the first frame hangs over the start: all frames that touch the signal are there."""
        return (self.length - 1) // self.step * self.step

    def _frames(self, n: int) -> int:
        return (self._before + n - 1) // self.step + 1

    def _window(self, like: Tensor) -> Tensor:
        return _windowed(self.window, self.length).to(like)

    def _root(self, n: int, like: Tensor) -> Tensor:
        return _covered(self, n).to(like)

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
    """The root of the sum of the squared windows over each sample."""
    squares, starts = _windowed(domain.window, domain.length).square(), domain._before
    with torch.inference_mode(False):
        frames = squares.expand(domain._frames(n), -1).T[None]
        total = (domain._frames(n) - 1) * domain.step + domain.length
        added = torch.nn.functional.fold(frames, (1, total), (1, domain.length), stride=(1, domain.step)).flatten()
        return added[starts : starts + n].sqrt()
