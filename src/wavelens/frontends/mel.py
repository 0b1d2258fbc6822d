"""Mel spectrograms as modules before a classifier, so that its gradient reaches the waveform.

`LogMel` is the spectrogram of librosa and torchaudio, with their names; `KaldiMel` that of Kaldi, for speech models.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Array = NDArray[np.float64]
SCALES = ("slaney", "htk")
LOGS = ("db", "log", None)
PADS = ("constant", "reflect", "replicate", "circular")
BLOCK_NUMBERS = 2**20  # in the frames that a thread transforms at a time: more of them leave a CPU's caches


def hz_to_mel(hz: Any, mel_scale: str = "slaney") -> Array:
    """Frequencies in Hz on the mel scale of 'htk' (O'Shaughnessy, 1987) or 'slaney' (Auditory Toolbox, 1998)."""
    hz = np.asarray(hz, dtype=np.float64)
    if mel_scale == "htk":
        return np.asarray(2595 * np.log10(1 + hz / 700))
    mel: Array = np.where(hz < 1000, 3 * hz / 200, 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / np.log(6.4))
    return mel


def mel_to_hz(mel: Any, mel_scale: str = "slaney") -> Array:
    """The inverse of `hz_to_mel`."""
    mel = np.asarray(mel, dtype=np.float64)
    if mel_scale == "htk":
        return np.asarray(700 * (10 ** (mel / 2595) - 1))
    hz: Array = np.where(mel < 15, 200 * mel / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))
    return hz


@lru_cache(maxsize=64)
def mel_matrix(
    rate: float,
    n_fft: int,
    n_mels: int,
    *,
    fmin: float = 0.0,
    fmax: float | None = None,
    mel_scale: str = "slaney",
    norm: str | None = "slaney",
    triangles: str = "hz",
) -> Tensor:
    """Triangular bands over the bins of a spectrum, `(n_mels, n_fft // 2 + 1)` in float64.

    The bands' corners are equally spaced on the mel scale from `fmin` to `fmax` (None: half the `rate`), all in Hz.
    `triangles` says where their sides are straight: over 'hz', as in librosa and torchaudio, or over 'mel', as in
    TensorFlow and Kaldi. `norm='slaney'` gives each band the area 1 over Hz. A band that lies between two bins sees
    none and stays empty: fewer bands or a larger `n_fft` help.
    """
    fmax = rate / 2 if fmax is None else fmax
    if mel_scale not in SCALES or norm not in ("slaney", None) or triangles not in ("hz", "mel"):
        raise ValueError(
            f"mel_scale must be 'slaney' or 'htk', norm 'slaney' or None, triangles 'hz' or 'mel'; "
            f"got {mel_scale!r}, {norm!r} and {triangles!r}."
        )
    if not 0 <= fmin < fmax <= rate / 2:
        raise ValueError(
            f"bands must lie from 0 Hz to half the rate, {rate / 2:g} Hz; got fmin={fmin:g} and fmax={fmax:g}."
        )
    corners = np.linspace(hz_to_mel(fmin, mel_scale), hz_to_mel(fmax, mel_scale), n_mels + 2)
    in_hz = mel_to_hz(corners, mel_scale)
    bins = np.arange(n_fft // 2 + 1) * (rate / n_fft)
    edges, places = (in_hz, bins) if triangles == "hz" else (corners, hz_to_mel(bins, mel_scale))
    rising = (places - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - places) / np.diff(edges)[1:, None]
    weights = np.minimum(rising, falling).clip(min=0)
    return torch.from_numpy(weights * (2 / (in_hz[2:] - in_hz[:-2]))[:, None] if norm else weights)


def band_centres(n_mels: int, fmin: float, fmax: float, mel_scale: str = "slaney") -> Array:
    """The peaks of the bands in Hz, `(n_mels,)`."""
    return mel_to_hz(np.linspace(hz_to_mel(fmin, mel_scale), hz_to_mel(fmax, mel_scale), n_mels + 2), mel_scale)[1:-1]


class LogMel(nn.Module):
    """The log-mel spectrogram of waveforms: `(batch, channel, samples)` to `(batch, channel, n_mels, frames)`.

    `rate` is in Hz; the arguments are librosa's and torchaudio's, lengths in samples, and the numbers theirs. Frames
    of `win_length` under a periodic Hann window, centred in `n_fft`, every `hop_length` samples; with `center` the
    signal is padded by half of `n_fft` at both ends as `pad_mode` says (librosa 'constant', torchaudio 'reflect').
    `power` 1 takes magnitudes, 2 their squares; for the bands see `mel_matrix`. `log='db'` gives decibels over `ref`,
    values below `amin` raised to it, and with `top_db` those that far below an item's largest raised to that;
    `log='log'` the natural logarithm of value + `offset`; None the bands as they are.

    Differentiable, with a finite gradient on silence. Half-precision input is transformed in float32.

    >>> wl.frontends.LogMel(8000, n_fft=64, n_mels=8)(torch.ones(1, 1, 256)).shape
    torch.Size([1, 1, 8, 17])
    """

    window: Tensor

    def __init__(
        self,
        rate: float,
        *,
        n_fft: int = 2048,
        hop_length: int | None = None,
        win_length: int | None = None,
        n_mels: int = 128,
        fmin: float = 0.0,
        fmax: float | None = None,
        power: float = 2.0,
        mel_scale: str = "slaney",
        norm: str | None = "slaney",
        triangles: str = "hz",
        center: bool = True,
        pad_mode: str = "constant",
        log: str | None = "db",
        offset: float = 1e-6,
        amin: float = 1e-10,
        ref: float = 1.0,
        top_db: float | None = None,
    ) -> None:
        super().__init__()
        win_length = n_fft if win_length is None else win_length
        hop_length = max(1, win_length // 4) if hop_length is None else hop_length
        if not (rate > 0 and n_mels > 0 and hop_length > 0 and 0 < win_length <= n_fft):
            raise ValueError(
                "rate, n_mels and hop_length must be above 0, and win_length from 1 to n_fft; got "
                f"rate={rate}, n_mels={n_mels}, hop_length={hop_length}, win_length={win_length}, n_fft={n_fft}."
            )
        if power not in (1, 2) or log not in LOGS or pad_mode not in PADS:
            raise ValueError(
                f"power must be 1 or 2, log 'db', 'log' or None, pad_mode one of {', '.join(PADS)}; "
                f"got {power!r}, {log!r} and {pad_mode!r}."
            )
        if not (offset > 0 and amin > 0 and ref > 0 and (top_db is None or top_db >= 0)):
            raise ValueError(
                "offset, amin and ref must be above 0, or silence has no finite logarithm, and top_db must be at "
                f"least 0; got {offset}, {amin}, {ref} and {top_db}."
            )
        self.rate, self.n_fft, self.hop_length, self.n_mels = rate, n_fft, hop_length, n_mels
        self.fmin, self.fmax, self.mel_scale = fmin, rate / 2 if fmax is None else fmax, mel_scale
        self.power, self.center, self.pad_mode = power, center, pad_mode
        self.log, self.offset, self.amin, self.ref, self.top_db = log, offset, amin, ref, top_db
        window = torch.hann_window(win_length, dtype=torch.float64)
        before = (n_fft - win_length) // 2
        padded = nn.functional.pad(window, (before, n_fft - win_length - before))
        self.register_buffer("window", padded.float(), persistent=False)
        self.bands = Bands(
            mel_matrix(rate, n_fft, n_mels, fmin=fmin, fmax=fmax, mel_scale=mel_scale, norm=norm, triangles=triangles)
        )

    @property
    def frequencies(self) -> tuple[float, ...]:
        """The peaks of the bands in Hz, lowest first."""
        return tuple(band_centres(self.n_mels, self.fmin, self.fmax, self.mel_scale).tolist())

    def forward(self, x: Tensor) -> Tensor:
        check_waveform(x)
        self._check_length(x.shape[-1])
        return in_blocks(self._spectrogram, x, self.n_fft / self.hop_length)

    def _spectrogram(self, x: Tensor) -> Tensor:
        margin = self.n_fft // 2 if self.center else 0
        padded = nn.functional.pad(x, (margin, margin), self.pad_mode) if margin else x
        sizes = magnitudes(framed(padded, self.window.to(x.dtype), self.hop_length), self.n_fft, self.power)
        return self._logarithm(self.bands(sizes).transpose(-1, -2).contiguous())

    def _logarithm(self, bands: Tensor) -> Tensor:
        if self.log is None:
            return bands
        if self.log == "log":
            return (bands + self.offset).log()
        decibels = 20 / self.power * (bands.clamp_min(self.amin).log10() - float(np.log10(max(self.amin, self.ref))))
        if self.top_db is None:
            return decibels
        return torch.maximum(decibels, decibels.amax((1, 2, 3), keepdim=True) - self.top_db)

    def _check_length(self, samples: int) -> None:
        margin = self.n_fft // 2
        if self.center and self.pad_mode in ("reflect", "circular") and samples <= margin:
            raise ValueError(
                f"pad_mode={self.pad_mode!r} needs a clip longer than half of n_fft, {margin} samples; got {samples}. "
                "Use pad_mode='constant' or a longer clip."
            )
        if not self.center and samples < self.n_fft:
            raise ValueError(
                f"without center a clip must be at least one frame of n_fft={self.n_fft} samples; got {samples}. "
                "Use center=True or a longer clip."
            )

    def extra_repr(self) -> str:
        sizes = f"rate={self.rate}, n_fft={self.n_fft}, hop_length={self.hop_length}, n_mels={self.n_mels}"
        return f"{sizes}, power={self.power}, log={self.log!r}"


class KaldiMel(nn.Module):
    """Kaldi's log-mel spectrogram (Povey et al., 2011): waveforms to `(batch, channel, frames, n_mels)`.

    Frames of 25 ms every 10 ms, none over the ends; each loses its mean, is pre-emphasised by 0.97 and goes under a
    symmetric Hann window into an FFT of the next power of two; squared magnitudes, HTK bands from 20 Hz to half the
    `rate` with sides straight over mels, the natural logarithm of what is above `floor`. Amplitudes are taken as they
    come: models differ in whether they were trained on [-1, 1] or on 16-bit numbers.

    >>> wl.frontends.KaldiMel(n_mels=16)(torch.ones(1, 1, 1600)).shape
    torch.Size([1, 1, 8, 16])
    """

    window: Tensor

    def __init__(self, rate: int = 16000, *, n_mels: int = 128, floor: float = 2**-23) -> None:
        super().__init__()
        self.frame, self.hop, self.floor = round(0.025 * rate), round(0.010 * rate), floor
        self.n_fft = 1 << (self.frame - 1).bit_length()
        window = torch.hann_window(self.frame, periodic=False, dtype=torch.float64)
        self.register_buffer("window", window.float(), persistent=False)
        self.bands = Bands(mel_matrix(rate, self.n_fft, n_mels, fmin=20.0, mel_scale="htk", norm=None, triangles="mel"))

    def forward(self, x: Tensor) -> Tensor:
        check_waveform(x)
        if x.shape[-1] < self.frame:
            raise ValueError(
                f"a clip must be at least one frame of {self.frame} samples; got {x.shape[-1]}. Pad it with zeros."
            )
        return in_blocks(self._spectrogram, x, self.n_fft / self.hop)

    def _spectrogram(self, x: Tensor) -> Tensor:
        frames = x.unfold(-1, self.frame, self.hop)
        frames = frames - frames.mean(-1, keepdim=True)
        before = torch.cat([frames[..., :1], frames[..., :-1]], -1)
        frames = (frames - 0.97 * before) * self.window.to(x.dtype)
        bands: Tensor = self.bands(magnitudes(frames, self.n_fft, 2))
        return bands.clamp_min(self.floor).log()


class Bands(nn.Module):
    """The product of spectra and a `mel_matrix`: `(…, bins)` to `(…, n_mels)`."""

    mel: Tensor

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.register_buffer("mel", matrix.to(torch.get_default_device(), torch.float32), persistent=False)
        bins = matrix.shape[1]
        ends = [bins >> 3, bins >> 2, bins >> 1, bins]
        self.octaves = [end - start for start, end in pairwise([0, *ends])]
        rows = [part.any(1).nonzero().flatten().tolist() or [0, -1] for part in matrix.split(self.octaves, 1)]
        self.rows = [slice(bands[0], bands[-1] + 1) for bands in rows]

    def forward(self, sizes: Tensor) -> Tensor:
        bands: Tensor = _Bands.apply(sizes, self.mel.to(sizes.dtype), self.octaves, self.rows)  # type: ignore[no-untyped-call]
        return bands


class _Bands(torch.autograd.Function):
    """`sizes @ mel.T` octave by octave, each with the bands that lie in it: a quarter of the work of the whole."""

    generate_vmap_rule = True

    @staticmethod
    def forward(sizes: Tensor, mel: Tensor, octaves: list[int], rows: list[slice]) -> Tensor:
        bands = sizes.new_zeros(*sizes.shape[:-1], len(mel))
        for part, weights, few in zip(sizes.split(octaves, -1), mel.split(octaves, 1), rows, strict=True):
            bands[..., few].add_(part @ weights[few].T)
        return bands

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, list[int], list[slice]], output: Tensor) -> None:
        _, mel, ctx.octaves, ctx.rows = inputs
        ctx.save_for_backward(mel)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None, None]:
        (mel,) = ctx.saved_tensors
        parts = zip(mel.split(ctx.octaves, 1), ctx.rows, strict=True)
        return torch.cat([g[..., few] @ weights[few] for weights, few in parts], -1), None, None, None


class _Frames(torch.autograd.Function):
    """Frames under a window, each `hop` after the last; their adjoint is one addition for each hop of a frame."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, window: Tensor, hop: int) -> Tensor:
        return x.unfold(-1, len(window), hop) * window

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, int], output: Tensor) -> None:
        x, window, ctx.hop = inputs
        ctx.save_for_backward(window)
        ctx.samples = x.shape[-1]

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        (window,) = ctx.saved_tensors
        parts = window.split(ctx.hop)
        hops = g.shape[-2] + len(parts) - 1
        x = g.new_zeros(*g.shape[:-2], max(ctx.samples, hops * ctx.hop))
        rows = x[..., : hops * ctx.hop].unflatten(-1, (hops, ctx.hop))
        for k, (part, weights) in enumerate(zip(g.split(ctx.hop, -1), parts, strict=True)):
            rows[..., k : k + g.shape[-2], : len(weights)].add_(part * weights)
        return x[..., : ctx.samples], None, None


class _Magnitudes(torch.autograd.Function):
    """Magnitudes of spectra to a power, and the spectra, from which their gradient is one real transform.

    torch's own adjoint of `rfft` takes a complex transform of twice the length, and that of a magnitude keeps more.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(frames: Tensor, n_fft: int, power: float) -> tuple[Tensor, Tensor]:
        spectrum = torch.fft.rfft(frames, n_fft)
        real, imaginary = torch.view_as_real(spectrum).square().unbind(-1)
        squares = real + imaginary
        return squares if power == 2 else squares.sqrt_(), spectrum

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int, float], output: tuple[Tensor, Tensor]) -> None:
        frames, ctx.n_fft, power = inputs
        sizes, spectrum = output
        ctx.length = frames.shape[-1]
        ctx.save_for_backward(spectrum, *[sizes] * (power == 1))
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None, of_spectrum: Tensor | None) -> tuple[Tensor | None, None, None]:
        if g is None and of_spectrum is None:
            return None, None, None
        spectrum, *sizes = ctx.saved_tensors
        halves = [] if of_spectrum is None else [of_spectrum / 2]  # second derivatives alone have it
        if g is not None:
            for size in sizes:  # d|S| = d|S|² / 2|S|
                g = g / (2 * size).masked_fill(size == 0, torch.inf)
            halves.append(spectrum * g)
        half = sum(halves[1:], halves[0])
        half[..., 0] *= 2  # irfft counts every bin twice but those that are their own mirror
        if ctx.n_fft % 2 == 0:
            half[..., -1] *= 2
        return torch.fft.irfft(half, ctx.n_fft, norm="forward")[..., : ctx.length], None, None


def framed(x: Tensor, window: Tensor, hop: int) -> Tensor:
    """Frames under a window, `(…, samples)` to `(…, frames, len(window))`."""
    frames: Tensor = _Frames.apply(x, window, hop)  # type: ignore[no-untyped-call]
    return frames


def magnitudes(frames: Tensor, n_fft: int, power: float) -> Tensor:
    """Magnitudes to the `power`, 1 or 2, of each frame's spectrum: `(…, length)` to `(…, n_fft // 2 + 1)`.

    A frame is filled up with zeros to `n_fft`. The gradient of silence is 0; in float32 a magnitude of 1e-22 is.
    """
    sizes: Tensor = _Magnitudes.apply(frames, n_fft, power)[0]  # type: ignore[no-untyped-call]
    return sizes


def in_blocks(front: Callable[[Tensor], Tensor], x: Tensor, overlap: float) -> Tensor:
    """`front` in float32 at least, of all items; on a CPU of as many at a time as its caches hold frames of."""
    working = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    rows = len(x)
    if x.device.type == "cpu" and not torch.compiler.is_compiling():
        rows = max(1, int(BLOCK_NUMBERS * torch.get_num_threads() / (overlap * x[0].numel())))
    with torch.autocast(x.device.type, enabled=False):
        return torch.cat([front(part) for part in working.split(rows)]).to(x.dtype)


def check_waveform(x: Tensor) -> None:
    """`ValueError` unless `x` is floating-point `(batch, channel, samples)`, not empty; `TypeError` for no tensor."""
    if not isinstance(x, Tensor):
        raise TypeError(
            f"a waveform must be a tensor (batch, channel, samples); got {type(x).__name__}. Try torch.as_tensor(x)."
        )
    if x.ndim != 3 or 0 in x.shape or not x.is_floating_point():
        raise ValueError(
            "a waveform must be a floating-point tensor (batch, channel, samples) with some samples; got "
            f"{tuple(x.shape)} of {x.dtype}. Add the missing dimension with x[None]."
        )
