"""The stationary transform along all axes: short filters sample by sample, longer ones by their spectra."""

from __future__ import annotations

import math
from functools import lru_cache

import pywt
import torch
from torch import Tensor

from wavelens.core import Layout

Bands = dict[tuple[int, str], Tensor]
Bank = tuple[str, str]  # a wavelet, and "dec" for analysis, "rec" for the adjoint of the synthesis
MAX_TAPS = 32  # of filters along one axis that are no slower tap by tap than by their spectra


def down(x: Tensor, layout: Layout, bank: Bank) -> Tensor:
    """The coefficients `(…, size)` of `(…, *axes)`."""
    packed = x.new_empty((*x.shape[: x.ndim - len(layout.signal_shape)], layout.size))
    targets = _bands(packed, layout)
    if not layout.levels:
        targets[0, "a" * len(layout.signal_shape)].copy_(x)
    elif has_pairs(bank[0]):
        _split_samples(x, layout, targets)
    elif _is_short(layout, bank[0]):
        _split_taps(x, layout, bank, targets)
    else:
        _split_spectrum(x, layout, bank, targets)
    return packed


def up(data: Tensor, layout: Layout, bank: Bank) -> Tensor:
    """The transpose of `down`: `(…, size)` to `(…, *axes)`."""
    parts = _bands(data, layout)
    if not layout.levels:
        return parts[0, "a" * len(layout.signal_shape)].clone()
    if has_pairs(bank[0]):
        return _merged_samples(layout, parts)
    return (_merged_taps if _is_short(layout, bank[0]) else _merged_spectra)(layout, bank, parts)


def _bands(packed: Tensor, layout: Layout) -> Bands:
    """Each band's part by level and key, `(…, *axes)`."""
    shape = layout.signal_shape
    return {(band.level, band.key): packed[..., piece].unflatten(-1, shape) for band, piece in layout.slices.items()}


def _split_samples(x: Tensor, layout: Layout, targets: Bands) -> None:
    axes, low = len(layout.signal_shape), x
    for level in range(1, layout.levels + 1):
        parts = {"": low}
        for dim in range(-axes, 0):
            parts = {key + letter: half for key, part in parts.items() for letter, half in _split(part, dim, level)}
        low = parts.pop("a" * axes)
        for key, part in parts.items():
            targets[level, key].copy_(part)
    targets[layout.levels, "a" * axes].copy_(low)


def _merged_samples(layout: Layout, parts: Bands) -> Tensor:
    axes = len(layout.signal_shape)
    low = parts[layout.levels, "a" * axes]
    for level in range(layout.levels, 0, -1):
        halves = {key: part for (at, key), part in parts.items() if at == level} | {"a" * axes: low}
        for dim in range(-1, -axes - 1, -1):
            keys = {key[:-1]: None for key in halves}
            halves = {key: _merged(halves[key + "a"], halves[key + "d"], dim, level) for key in keys}
        low = halves[""]
    return low


def _is_short(layout: Layout, wavelet: str) -> bool:
    """Whether filters go tap by tap: along one axis, of up to `MAX_TAPS`, dilated no longer than the signal."""
    taps = int(pywt.Wavelet(wavelet).dec_len)
    return len(layout.signal_shape) == 1 and taps <= MAX_TAPS and taps << (layout.levels - 1) <= layout.signal_shape[0]


def _split_taps(x: Tensor, layout: Layout, bank: Bank, targets: Bands) -> None:
    low = x
    for level in range(1, layout.levels + 1):
        offsets = _offsets(bank, level)
        wide = _around(low, offsets)
        low = targets[level, "a"] if level == layout.levels else torch.empty_like(low)
        for letter, out in (("a", low), ("d", targets[level, "d"])):
            _add_taps(out.zero_(), wide, _taps(bank, letter), offsets)


def _merged_taps(layout: Layout, bank: Bank, parts: Bands) -> Tensor:
    low = parts[layout.levels, "a"]
    for level in range(layout.levels, 0, -1):
        offsets = [-offset for offset in _offsets(bank, level)]
        halves = {"a": low, "d": parts[level, "d"]}
        low = torch.zeros_like(low, memory_format=torch.contiguous_format)
        for letter, part in halves.items():
            _add_taps(low, _around(part, offsets), _taps(bank, letter), offsets)
    return low


def _add_taps(total: Tensor, wide: Tensor, taps: list[float], offsets: list[int]) -> None:
    """Adds `sum_k taps[k] x[t + offsets[k]]` for the `x` that `_around` has put between its own ends."""
    n, first = total.shape[-1], max(0, -min(offsets))
    for tap, offset in zip(taps, offsets, strict=True):
        total.add_(wide[..., first + offset : first + offset + n], alpha=tap)


def _around(x: Tensor, offsets: list[int]) -> Tensor:
    """A periodic signal with as much of its other end on either side as the offsets reach."""
    before, after = max(0, -min(offsets)), max(0, max(offsets))
    return torch.cat([x[..., x.shape[-1] - before :], x, x[..., :after]], -1)


def _taps(bank: Bank, letter: str) -> list[float]:
    wavelet, side = bank
    return [tap / math.sqrt(2) for tap in getattr(pywt.Wavelet(wavelet), f"{side}_{'lo' if letter == 'a' else 'hi'}")]


def _offsets(bank: Bank, level: int) -> list[int]:
    """From a coefficient to the sample of each tap: see `_response`."""
    wavelet, side = bank
    taps, step = int(pywt.Wavelet(wavelet).dec_len), 2 ** (level - 1)
    return [(taps // 2 - k) * step if side == "dec" else (k - taps // 2 + 1) * step for k in range(taps)]


def _split_spectrum(x: Tensor, layout: Layout, bank: Bank, targets: Bands) -> None:
    shape = layout.signal_shape
    dims = tuple(range(-len(shape), 0))
    spectrum = torch.fft.rfftn(x, dim=dims)
    for level in range(1, layout.levels + 1):
        parts = {"": spectrum}
        for dim in dims:
            gains = _gains(bank, level, shape, dim, spectrum)
            keys = [(key, letter) for key in parts for letter in "ad" if dim < -1 or (level, key + letter) in targets]
            parts = {key + letter: parts[key] * gains[letter] for key, letter in keys}
        for key, part in parts.items():
            targets[level, key].copy_(torch.fft.irfftn(part, s=shape, dim=dims))


def _merged_spectra(layout: Layout, bank: Bank, parts: Bands) -> Tensor:
    shape = layout.signal_shape
    dims = tuple(range(-len(shape), 0))
    sums = []
    for level in range(1, layout.levels + 1):
        spectra = {key: torch.fft.rfftn(part, dim=dims) for (at, key), part in parts.items() if at == level}
        for dim in reversed(dims):
            gains = _gains(bank, level, shape, dim, next(iter(spectra.values())))
            joined: dict[str, Tensor] = {}
            for key, spectrum in spectra.items():
                passed = spectrum * gains[key[-1]].conj()
                joined[key[:-1]] = joined[key[:-1]] + passed if key[:-1] in joined else passed
            spectra = joined
        sums.append(spectra[""])
    signal: Tensor = torch.fft.irfftn(sum(sums), s=shape, dim=dims)
    return signal


def has_pairs(wavelet: str) -> bool:
    """Whether the filters of a wavelet are the mean and the half difference of two samples: Haar, by any name."""
    return int(pywt.Wavelet(wavelet).dec_len) == 2


def _split(part: Tensor, dim: int, level: int) -> tuple[tuple[str, Tensor], ...]:
    """The mean of samples `2^(level - 1)` apart along an axis, and half their difference."""
    mean = torch.lerp(part, part.roll(-(2 ** (level - 1)), dim), 0.5)
    return ("a", mean), ("d", part - mean)


def _merged(mean: Tensor, half: Tensor, dim: int, level: int) -> Tensor:
    return torch.lerp(mean + half, (mean - half).roll(2 ** (level - 1), dim), 0.5)


def _gains(bank: Bank, level: int, shape: tuple[int, ...], dim: int, like: Tensor) -> dict[str, Tensor]:
    """`_response` of both kinds along axis `dim`, of which the last is one-sided."""
    return {a: _gain(bank, level, a, shape[dim], dim, like.dtype, like.device) for a in "ad"}


@lru_cache(maxsize=256)
def _gain(bank: Bank, level: int, letter: str, n: int, dim: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return _response(bank, level, letter, n, dim == -1).to(device, dtype).reshape(-1, *[1] * (-1 - dim))


def _response(bank: Bank, level: int, letter: str, n: int, half: bool) -> Tensor:
    """The frequency response of all filters down to a band along one axis, for the adjoint's side "rec" conjugated.

    Coefficient t is `sum_k f[k] x[t + d (F / 2 − k)]` with the filter f dilated by d, as PyWavelets places it.
    """
    wavelet, side = bank
    filters = pywt.Wavelet(wavelet)
    taps = int(filters.dec_len)
    pairs = {"dec": (filters.dec_lo, filters.dec_hi), "rec": (filters.rec_lo, filters.rec_hi)}[side]
    centre = taps // 2 if side == "dec" else taps // 2 - 1
    with torch.inference_mode(False):
        turns = torch.arange(n // 2 + 1 if half else n, dtype=torch.float64, device="cpu")
        response = torch.ones_like(turns, dtype=torch.complex128)
        for step in range(1, level + 1):
            low = letter == "a" or step < level
            delays = torch.arange(taps, dtype=torch.float64, device="cpu") - centre
            places = (turns[:, None] * delays * 2 ** (step - 1)).remainder(n)  # whole turns go: exact for any dilation
            waves = torch.polar(torch.ones_like(places), -2 * math.pi / n * places)
            filter_taps = torch.tensor(pairs[0 if low else 1], dtype=torch.complex128, device="cpu")
            gain = waves @ filter_taps / math.sqrt(2)
            response = response * (gain if side == "dec" else gain.conj())
        return response
