"""A mask for listening: shrinkage level by level, slow in time, so that no coefficient is switched on or off."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from wavelens.core import Coefficients, real_product
from wavelens.masks.mask import Mask
from wavelens.masks.ranking import finite, signed

MIN_BAND_SHARE = 0.01  # of the evidence that passes in all bands: one with less is left out
NORMAL = 0.6744897501960817  # the median of |t| for t normal with variance 1
BLOCK_PLACES = 2**16  # averaged at a time along the last axis: no more of a long sound is in memory in float64


def evidence(attribution: Coefficients, x: Tensor) -> Coefficients:
    """What a gradient says of the score, to first order: `Re(conj(W x) ⊙ γ)`, a plain product of real numbers.

    For `Saliency` and `SmoothGrad` before `soft`. The sign of a gradient alone follows the phase of the signal.
    Attributions that add up to the score (`IntegratedGradients`, `InputTimesGradient`), and those made with
    `times_input=True`, already are of this kind.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> wl.masks.evidence(a, x).data.shape
    torch.Size([1, 1, 64])
    """
    z = attribution.layout.domain.analysis(x).data
    data = attribution.data
    like = z.real.to(data.device, data.real.dtype) if not z.is_complex() else z.to(data.device)
    return Coefficients(real_product(like, data), attribution.layout)


def soft(attribution: Coefficients, width: float | Sequence[float], *, strength: float = 1.0) -> Mask:
    """A mask `(batch, 1, size)` that follows the evidence for the target slowly, level by level.

    `width` is how slowly, in samples of the signal, along every axis or one for each: 0.2 × rate for a sound. For each
    item and each band of `n` coefficients, with signed attributions `γ` (their mean over channels):

    1. local evidence `u`, the average of `γ` under a Hann window `h` of `width`, with sum 1 where it lies (at the ends
       it is cut). What opposes the target cancels what supports it;
    2. spread `σ = median |γ| / 0.6745` over the band's non-zero coefficients;
    3. threshold `τ = strength · σ · ‖h‖ · √(2 ln n)`: averages of independent normal `γ` of spread σ stay below it
       with a probability that goes to 1 with n (the universal threshold of Donoho and Johnstone, 1994, with a spread
       for each level as Johnstone and Silverman, 1997, for averages over neighbours);
    4. gain `1 - τ / u` where `u > τ`, else 0: that of soft thresholding `u`;
    5. the gain is 0 throughout a band with almost no evidence: where the sum of `u - τ` over `u > τ` is less than a
       hundredth of the same sum over all bands. Little but steady evidence passes its band's own threshold;
    6. the mask is the average of the gain under `h` once more. From one coefficient to the next along an axis it moves
       by at most the largest weight of that axis' window, about `2 / taps` (at the ends twice that), so no click arises
       where a part of the signal begins or ends.

    A band whose coefficients are further apart than `width` is not averaged: its coefficients are longer than that.
    Scaling the attribution does not change the mask. A larger `strength` keeps less.

    >>> tone = torch.sin(torch.arange(64.0))[None, None]
    >>> mask = wl.masks.soft(wl.DWT("haar", levels=2).analysis(tone), 8)
    >>> bool(mask.data.min() >= 0), bool(mask.data.max() <= 1)
    (True, True)
    """
    if not (math.isfinite(strength) and strength >= 0):
        raise ValueError(f"strength, a multiple of the universal threshold, must be at least 0; got {strength}.")
    widths = _widths(width, attribution.layout.signal_shape)
    data, places, axes = attribution.data.detach(), attribution.layout.slices, attribution.layout.signal_shape
    lead = (*data.shape[:-2], 1)
    gains, kept = Coefficients(data.new_empty((*lead, attribution.layout.size)), attribution.layout), {}
    for band, gain in gains:
        gamma = finite(signed(data[..., places[band]])).view(gain.shape)
        windows = [
            _window(w * m / n, data.device) for w, n, m in zip(widths, axes, band.shape[-len(axes) :], strict=True)
        ]
        tau, says = strength * _threshold(gamma, len(band.shape)), []
        for part in _parts(band.shape[-1], windows[-1]):
            local = _average(gamma, windows, part)
            passed = (local - tau * _spread(windows, band.shape[-len(axes) :], part)).clamp_min(0)
            gain[..., part] = passed / local.where(passed > 0, 1)
            says.append(passed.flatten(-len(band.shape)).sum(-1))
        kept[band] = windows, torch.stack(says).sum(0)
    least = MIN_BAND_SHARE * torch.stack([says for _, says in kept.values()]).sum(0)
    for band, gain in gains:
        windows, passed = kept[band]
        before = gain * (passed >= least).reshape(*lead, *[1] * len(band.shape))
        for part in _parts(band.shape[-1], windows[-1]):
            gain[..., part] = _average(before, windows, part).clamp(0, 1)
    return Mask(gains.data, gains.layout)


def _threshold(gamma: Tensor, axes: int) -> Tensor:
    """σ √(2 ln n) of one band, in float64 and shaped to broadcast."""
    size = gamma.abs().flatten(-axes)
    spread = size.where(size > 0, torch.nan).nanmedian(-1).values.nan_to_num(0.0).double() / NORMAL
    return spread.reshape(*spread.shape, *[1] * axes) * math.sqrt(2 * math.log(size.shape[-1]))


def _parts(n: int, h: Tensor) -> list[slice]:
    """An axis of `n` places in parts, none much shorter than the window."""
    step = max(BLOCK_PLACES, len(h))
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]


def _spread(windows: list[Tensor], shape: Sequence[int], part: slice) -> Tensor:
    """‖h‖ at a part of the last axis; at the ends of an axis its window is cut."""
    norm = windows[0].new_ones(())
    for n, h, some in _axes(windows, shape, part):
        norm = norm[..., None] * (_inside(h**2, n, some).sqrt() / _inside(h, n, some))
    return norm


def _average(values: Tensor, windows: list[Tensor], part: slice) -> Tensor:
    """Averages along the last axes under a window each, of what lies within the axis, in float64: a part of the last.

    What lies around the part is heard too.
    """
    half, shape = len(windows[-1]) // 2, values.shape[-len(windows) :]
    first = max(part.start - half, 0)
    values = values[..., first : part.stop + half].double()
    for k, (n, h, some) in enumerate(_axes(windows, shape, part), -len(windows)):
        if len(h) > 1:
            along = _convolved(values.movedim(k, -1), h)
            along = along[..., some.start - first : some.stop - first] if k == -1 else along
            values = (along / _inside(h, n, some)).movedim(-1, k)
    return values


def _axes(windows: list[Tensor], shape: Sequence[int], part: slice) -> list[tuple[int, Tensor, slice]]:
    """Of each axis its length, its window, and the places that are asked for: all but in the last."""
    parts = [*(slice(0, n) for n in shape[:-1]), part]
    return list(zip(shape, windows, parts, strict=True))


def _inside(h: Tensor, n: int, part: slice) -> Tensor:
    """The sum of the window around each place that lies within an axis of `n`."""
    sums = torch.nn.functional.pad(h.cumsum(0), (1, 0))
    ahead = torch.arange(part.start, part.stop, device=h.device) - len(h) // 2  # of the axis' start
    return sums[(n - ahead).clamp(max=len(h))] - sums[(-ahead).clamp(min=0)]


def _convolved(values: Tensor, h: Tensor) -> Tensor:
    """Along the last axis, by a product of Fourier transforms: windows may be thousands of taps long."""
    half, n = len(h) // 2, values.shape[-1]
    length = n + 2 * half
    whole: Tensor = torch.fft.irfft(torch.fft.rfft(values, length) * torch.fft.rfft(h, length), length)
    return whole[..., half : half + n]


def _window(taps: float, device: torch.device) -> Tensor:
    """A Hann window with sum 1 and an odd number of taps, none of them 0; one tap where `taps` is below 3."""
    odd = max(1, 2 * math.floor((taps - 1) / 2) + 1)
    places = torch.arange(1, odd + 1, dtype=torch.float64, device=device)
    h = torch.sin(math.pi * places / (odd + 1)) ** 2
    return h / h.sum()


def _widths(width: float | Sequence[float], axes: Sequence[int]) -> list[float]:
    widths = list(width) if isinstance(width, Sequence) else [width] * len(axes)
    if len(widths) != len(axes) or not all(0 < w <= n for w, n in zip(widths, axes, strict=False)):
        raise ValueError(
            f"width must be a number of samples above 0 and within the axes {tuple(axes)}, or one for each axis; got "
            f"{width}. For a sound give seconds × rate."
        )
    return widths
